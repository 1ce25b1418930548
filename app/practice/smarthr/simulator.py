"""The practice SmartHR as a test or a person at its screen sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.practice.smarthr.state import Record, SmartHRState
from app.practice.smarthr.webhooks import Announcer, is_different
from app.practice.vendor_kit.fault_injection import FaultInjector
from app.practice.vendor_kit.persistence import Memory
from app.practice.vendor_kit.webhook_messages import Queue
from app.practice.vendor_kit.webhooks import Deliverer


class PracticeSmartHR:
    """The tenant as a test or a person at the screen sees it: no token, no limit, no check. Every method locks.

    `who` is a crew id or a 社員番号. Methods raise KeyError when no crew has this id or number. Changes fire webhooks.
    """

    def __init__(self, state: SmartHRState, injector: FaultInjector, announcer: Announcer) -> None:
        self.state = state
        self.injector = injector
        self._announcer = announcer

    @property
    def webhooks(self) -> Deliverer:
        """The deliveries: `wait_idle`, `log`, `waiting`."""
        return self._announcer.deliverer

    def new_day(self) -> None:
        """Do what the tenant does by itself at night, as far as it is due. Every request does this first."""
        if not self.injector.switch("flips_on_leaving"):
            return
        with self.state.lock:
            for crew in self.state.leave_due():
                self._announcer.crew("crew_updated", crew)

    def crew(self, who: str) -> Record:
        """The crew as an answer of the API shows it."""
        self.new_day()
        with self.state.lock:
            return self.state.shown(self._found(who))

    @property
    def crews(self) -> list[Record]:
        self.new_day()
        with self.state.lock:
            return [self.state.shown(each) for each in self.state.crews.values()]

    def ids_by_number(self, number: str) -> list[str]:
        with self.state.lock:
            return [crew_id for crew_id, crew in self.state.crews.items() if crew.get("emp_code") == number]

    def edit(self, who: str, changes: Mapping[str, Any]) -> None:
        """Change attributes, named as in the write form; those left out stay, and so do parts of an address."""
        self.new_day()
        with self.state.lock:
            before = self._found(who)
            after = self.state.update(before["id"], changes, merge_addresses=True)
            if is_different(before, after) or self.injector.switch("webhook_on_untouched"):
                self._announcer.crew("crew_updated", after)

    def add(self, record: Mapping[str, Any]) -> str:
        """Add one more crew; returns the id."""
        self.new_day()
        with self.state.lock:
            made = self.state.create(record)
            self._announcer.crew("crew_created", made)
            return str(made["id"])

    def remove(self, who: str) -> None:
        with self.state.lock:
            self._announcer.crew("crew_deleted", self.state.crews.pop(self._found(who)["id"]))

    def import_crews(
        self, created: Sequence[Mapping[str, Any]] = (), updated: Mapping[str, Mapping[str, Any]] | None = None
    ) -> list[str]:
        """Import a file: all of it or nothing, then fire one crew_imported. Returns the new ids."""
        self.new_day()
        with self.state.lock:
            ids = {who: self._found(who)["id"] for who in updated or {}}
            made = [self.state.create(each) for each in created]
            changed = [
                self.state.update(ids[who], changes, merge_addresses=True) for who, changes in (updated or {}).items()
            ]
            self._announcer.imported(made, changed)
            return [each["id"] for each in made]

    def fire(self, event: str, who: str, *, sender: str | None = None) -> None:
        """Send an event without its cause. If no crew `who` exists (any more), the event holds it as a bare id.

        `sender` is the crew of the acting person. Raises KeyError when there is no such sender.
        """
        with self.state.lock:
            acting = self.state.shown(self._found(sender)) if sender else None
            self._announcer.by_hand(event, self.state.find(who) or {"id": who}, sender=acting)

    @property
    def memory(self) -> Memory:
        """What survives a restart: people, masters, webhooks, what is still to be sent.

        Switches, faults, limits and the logs do not survive.
        """
        return Memory(self.state.lock, give=self._kept, take=self._take)

    def _kept(self) -> Record:
        return {**self.state.kept(), "deliveries": self.webhooks.kept()}

    def _take(self, kept: Mapping[str, Any]) -> None:
        queue = Queue.of(kept["deliveries"]) if "deliveries" in kept else Queue()
        self.state.take(kept)
        self.webhooks.resume(queue)

    def _found(self, who: str) -> Record:
        crew = self.state.find(who)
        if crew is None:
            raise KeyError("nobody with this id or number")
        return crew
