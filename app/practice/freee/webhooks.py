"""freee's notifications about employees: one address per app, what fires and what does not."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from app.practice.freee.company import TOP, Record
from app.practice.freee.rules import DEPENDENTS, PROFILE
from app.practice.vendor_kit.fault_injection import FaultInjector
from app.practice.vendor_kit.limits import Clock
from app.practice.vendor_kit.webhook_messages import Queue, Target
from app.practice.vendor_kit.webhook_schedule import FREEE_TIMEOUT, Schedule
from app.practice.vendor_kit.webhooks import Deliverer

APPLICATION_ID = 12_345
RESOURCE = "hr:employee"
_JAPAN = timezone(timedelta(hours=9))
_NOTICED = frozenset({*TOP, PROFILE.name, DEPENDENTS})
"""The names whose change on the screen fires. Not among them: base pay, account, insurance, 締め日."""


@dataclass(frozen=True)
class WebhookAddress:
    """What the developer console holds for the app. `url` "" = no webhooks."""

    url: str = ""
    token: str = field(default="", repr=False)


class Notices:
    """Queues freee's notifications. Call it with the company's lock held."""

    def __init__(
        self, injector: FaultInjector, *, company_id: int, clock: Clock, address: Callable[[], WebhookAddress]
    ) -> None:
        """`address` gives the application's present one."""
        self._switch = injector.switch
        self._company_id = company_id
        self._clock = clock
        self._address = address
        schedule = Schedule(injector.switch, FREEE_TIMEOUT, lambda: int(injector.switch("webhook_retries")))
        self.deliverer = Deliverer(schedule, target=self._target, note=injector.write_down)

    def reset(self) -> None:
        self.deliverer.clear()

    def written(self, action: str, employee_id: int) -> None:
        """Tell of a write through the API: it fires for every field, unlike an edit on the screen."""
        if self._switch("webhook_echo"):
            self.tell(action, employee_id)

    def edited(self, employee_id: int, changes: Iterable[str]) -> None:
        """Tell of an edit of these names on the screen."""
        if _NOTICED.intersection(changes):
            self.tell("updated", employee_id)

    def tell(self, action: str, employee_id: int) -> None:
        """Queue a notification of `action` (created, updated or destroyed).

        freee does not document the basis of year and month: here they are today's.
        """
        if not self._address().url:
            return
        now = datetime.fromtimestamp(self._clock(), _JAPAN)
        body = {
            "id": str(uuid.uuid4()),
            "application_id": APPLICATION_ID,
            "resource": RESOURCE,
            "action": action,
            "created_at": now.isoformat(timespec="seconds"),
            "employee": {"id": employee_id, "company_id": self._company_id, "year": now.year, "month": now.month},
        }
        self.deliverer.send(f"employee_{action}", json.dumps(body), people=[str(employee_id)])

    def kept(self) -> Record:
        address = self._address()
        return {"address": {"url": address.url, "token": address.token}, "deliveries": self.deliverer.kept()}

    def take(self, kept: Mapping[str, Record]) -> WebhookAddress:
        """Take over what was to be sent; returns the address that was kept. Raises KeyError, TypeError, ValueError."""
        address, queue = WebhookAddress(**kept["address"]), Queue.of(kept["deliveries"])
        self.deliverer.resume(queue)
        return address

    def _target(self, _receiver: str) -> Target | None:
        address = self._address()  # one reference, replaced whole: no lock needed
        if not address.url:
            return None
        return Target(address.url, {"x-freee-token": address.token} if address.token else {})
