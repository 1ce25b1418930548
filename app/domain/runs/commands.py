"""The ways a run begins, as values: what intake takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from app.domain.enums import Direction, System, Trigger


@dataclass(frozen=True)
class StartRun:
    """`employees` None means everybody who is offered on the as-of date; otherwise the employee numbers."""

    connection_key: str
    direction: Direction
    as_of_date: date
    employees: tuple[str, ...] | None
    dry_run: bool
    trigger: Trigger
    started_by: str
    """Who: "key:<prefix>", "cli", "user:<id>"; no names, no addresses."""
    idempotency_key: str | None = None
    retried_run_id: int | None = None
    undone_run_id: int | None = None
    """The run that this one takes back."""
    acknowledged: bool = False
    """A mass change is meant: the run is not held for a person before its first write."""


@dataclass(frozen=True)
class ReceivedEvent:
    """A webhook that came with the right secret. A hint only: of its body nothing but ids is kept."""

    system: System
    name: str
    """The vendor's own word, shortened; for logs and lists."""
    known: bool
    """False: an event we do not know, or nobody is named in it."""
    people: tuple[str, ...]
    company_id: int | None = None
    """freee: whose employee it is."""
    delivery_id: str | None = None
    """The vendor's own number of this notification (freee)."""
    triggered_at: datetime | None = None


@dataclass(frozen=True)
class Delivery:
    """A ReceivedEvent with what tells it from others. `digest`: keyed, of the whole body."""

    event: ReceivedEvent
    connection_id: int | None
    digest: str
    received_at: datetime
