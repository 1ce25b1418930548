"""Which SmartHR events go to which registrations, and what the events hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.practice.smarthr.state import Record, SmartHRState
from app.practice.staff.forms import stable_id
from app.practice.vendor_kit.fault_injection import FaultInjector
from app.practice.vendor_kit.webhook_messages import Target
from app.practice.vendor_kit.webhook_schedule import SMARTHR_RETRIES, SMARTHR_TIMEOUT, Schedule
from app.practice.vendor_kit.webhooks import Deliverer

EVENTS = tuple(
    f"{what}_{event}" for what in ("crew", "dependent") for event in ("created", "updated", "deleted", "imported")
)
"""The events that a registration can switch on and off. Any other event goes to every enabled registration."""
_NOT_COMPARED = ("updated_at",)


class Announcer:
    """Makes a notification for every registration that wants the event. Call it with the state's lock held."""

    def __init__(self, state: SmartHRState, injector: FaultInjector) -> None:
        self._state = state
        self._switch = injector.switch
        schedule = Schedule(
            injector.switch, SMARTHR_TIMEOUT, lambda: SMARTHR_RETRIES[injector.switch("webhook_retries")]
        )
        self.deliverer = Deliverer(schedule, target=self._target, exhausted=self._disable, note=injector.write_down)

    def crew(self, event: str, crew: Record) -> None:
        """crew_created, crew_updated or crew_deleted, with the crew as it is (or last was) stored.

        `sender` is null: neither a token nor the administrator of the practice tenant is tied to a crew.
        """
        if self._wanting(event):
            self._send(event, {"crew": self._state.shown(crew)}, people=[crew["id"]])

    def imported(self, created: Sequence[Record], updated: Sequence[Record]) -> None:
        """Send crew_imported for the whole file; single events besides only if the switch says so."""
        if self._switch("webhook_import_singles"):
            for event, crews in (("crew_created", created), ("crew_updated", updated)):
                for crew in crews:
                    self.crew(event, crew)
        if self._wanting("crew_imported"):
            lists = {"created_crews": created, "updated_crews": updated}
            result = {name: [self._state.shown(each) for each in crews] for name, crews in lists.items()}
            people = [each["id"] for each in (*created, *updated)]
            self._send("crew_imported", {"crew_import_result": result}, people=people)

    def by_hand(self, event: str, crew: Record, *, sender: Record | None) -> None:
        """Send any event about this crew; `crew` may be a bare id. Dependents and workflows are made up."""
        shown = self._state.shown(crew) if len(crew) > 1 else crew
        self._send(event, _made_up(event, shown), people=[crew["id"]], sender=sender)

    def _send(
        self, event: str, record: Mapping[str, Any], *, people: Sequence[str], sender: Record | None = None
    ) -> None:
        stamp = self._state.stamp()
        for registration in self._wanting(event):
            told = {key: _ids_only(each) for key, each in record.items()} if registration["expose_only_id"] else record
            body = {"event": event, "triggered_at": stamp, "sender": sender, **told}
            self.deliverer.send(event, json.dumps(body, ensure_ascii=False), people=people, receiver=registration["id"])

    def _wanting(self, event: str) -> list[Record]:
        return [
            {"expose_only_id": False, **each}
            for each in self._state.webhooks.values()
            if each.get("disabled_at") is None and (event not in EVENTS or each.get(event))
        ]

    def _target(self, registration_id: str) -> Target | None:
        """Where a registration's notifications go; None when the registration is deleted or disabled.

        It is looked up for every attempt, so that an address corrected in between is used.
        """
        with self._state.lock:
            found = self._state.webhooks.get(registration_id)
            if found is None or found.get("disabled_at") is not None:
                return None
            secret = found.get("secret_token")
            return Target(found["url"], {"X-SmartHR-Token": secret} if secret else {})

    def _disable(self, registration_id: str) -> None:
        """Switch the registration itself off, as SmartHR does after the last retry."""
        with self._state.lock:
            found = self._state.webhooks.get(registration_id)
            if found is not None and found.get("disabled_at") is None:
                self._state.touch(found, {"disabled_at": self._state.stamp()})


def is_different(before: Record, after: Record) -> bool:
    """Whether a write changed more than its own timestamp."""
    names = (before.keys() | after.keys()) - set(_NOT_COMPARED)
    return any(before.get(name) != after.get(name) for name in names)


def _ids_only(record: Any) -> Any:
    """A record, or the lists of an import, reduced to ids. The exact form is not documented."""
    if "id" in record:
        return {"id": record["id"]}
    return {name: [{"id": each["id"]} for each in records] for name, records in record.items()}


def _made_up(event: str, crew: Record) -> Record:
    """The event's own key and record. The key of an unknown event is its first word."""
    what, _, happened = event.partition("_")
    if what == "crew" and happened == "imported":
        return {"crew_import_result": {"created_crews": [], "updated_crews": [crew]}}
    if what == "crew":
        return {"crew": crew}
    record = {"id": stable_id(f"{what}/{crew['id']}"), "crew_id": crew["id"]}
    if happened == "imported":
        return {f"{what}_import_result": {f"created_{what}s": [], f"updated_{what}s": [record]}}
    return {what: record}
