"""The ways in which a run begins, as values for intake."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from app.domain.enums import Direction, System, Trigger

ATTENTION = "attention"
TRIAL = "trial"
"""As what every trial of settings is asked for: a connection has one survey of them at a time, whoever tries."""


@dataclass(frozen=True)
class StartRun:
    """A person, the API or the schedule starts a run.

    `employees`: the employee numbers; None means all employees who are offered on the as-of date.
    """

    connection_key: str
    direction: Direction
    as_of_date: date
    employees: tuple[str, ...] | None
    dry_run: bool
    trigger: Trigger
    started_by: str
    """Who started the run: "key:<prefix>", "cli", "user:<id>"; no names, no addresses."""
    idempotency_key: str | None = None
    retried_run_id: int | None = None
    undone_run_id: int | None = None
    """The run that this one takes back."""
    acknowledged: bool = False
    """The caller has said that a mass change is intended: the run is not held for a person before its first write."""
    trial: dict[str, Any] | None = field(default=None, repr=False)
    """A trial of settings that are not saved: the run plans with them, and nobody can approve it."""
    from_attention: bool = False
    """A button of 要対応: while the run that it has begun for these people is under way, pressing it leads there."""

    @property
    def asked_as(self) -> str | None:
        """As what this is asked for: of each there is one survey at a time per connection and direction. None: there
        may be several (runs that write), or another rule counts them (undo, schedule)."""
        if self.trial is not None:
            return TRIAL
        if self.from_attention and not self.dry_run:
            numbers = "\n".join(sorted(self.employees or ()))
            return f"{ATTENTION}:{hashlib.sha256(numbers.encode()).hexdigest()}"
        if self.undone_run_id is not None or self.trigger.is_automatic:
            return None
        if self.retried_run_id is not None:
            return f"retry:{self.started_by}"
        return f"preview:{self.started_by}" if self.dry_run else None

    @property
    def by_one_person(self) -> bool:
        """Whether one pair of eyes has asked. A key and the command line may be several programs and persons."""
        return self.started_by.startswith("user:")

    def is_same_wish(self, *, as_of_date: date, scope: Sequence[str] | None, acknowledged: bool) -> bool:
        """Whether a run that was asked for in the same way looks at the same people of the same day."""
        wanted = None if self.employees is None else set(self.employees)
        given = None if scope is None else set(scope)
        return (self.as_of_date, wanted, self.acknowledged) == (as_of_date, given, acknowledged)


@dataclass(frozen=True)
class ReceivedEvent:
    """A webhook that came with the right secret. It is only a hint: Awase keeps nothing but ids of its body."""

    system: System
    name: str
    """The vendor's own word, shortened; for logs and lists."""
    known: bool
    """False: Awase does not know the event, or the body names no employee."""
    people: tuple[str, ...]
    company_id: int | None = None
    """freee: the company whose employee it is."""
    delivery_id: str | None = None
    """The vendor's own number of this notification (freee)."""
    triggered_at: datetime | None = None


@dataclass(frozen=True)
class Delivery:
    """A ReceivedEvent with what distinguishes it from other deliveries. `digest`: keyed, of the whole body;
    `former_digests`: the same under keys that were in use before, for what a vendor repeats."""

    event: ReceivedEvent
    connection_id: int | None
    digest: str
    received_at: datetime
    former_digests: tuple[str, ...] = field(default=(), repr=False)
