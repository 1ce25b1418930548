"""What the repositories of the automatic sync hand out: frozen rows whose repr hides secrets and personal values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.enums import Direction, System
from app.domain.planning.beginning import BeginReason
from app.storage.enums import DeliveryState, WebhookState


@dataclass(frozen=True, kw_only=True)
class NewDelivery:
    """A delivery to store. `dedup` None: Awase cannot tell it from a repetition, so it never takes it for one."""

    system: System
    connection_id: int | None
    event: str
    dedup: str | None
    digest: str
    state: DeliveryState
    people: Sequence[str]
    received_at: datetime
    triggered_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveryRow(NewDelivery):
    id: int
    replayed_at: datetime | None
    replays: int


@dataclass(frozen=True)
class WebhookRegistrationRow:
    connection_id: int
    vendor_id: str | None
    state: WebhookState
    disabled_at: datetime | None
    checked_at: datetime | None
    previous_until: datetime | None
    secret: str = field(repr=False)
    previous: str | None = field(repr=False)

    def secrets_at(self, now: datetime) -> tuple[str, ...]:
        """The secrets with which a delivery may come at that moment."""
        overlap = self.previous is not None and self.previous_until is not None and now < self.previous_until
        return (self.secret, self.previous) if overlap and self.previous else (self.secret,)


@dataclass(frozen=True)
class TroubleRow:
    connection_id: int
    direction: Direction
    source_id: str
    employee_number: str
    code: str
    times: int
    content: str | None = field(repr=False)
    first_at: datetime
    last_at: datetime
    quarantined_at: datetime | None


@dataclass(frozen=True)
class SweepRow:
    connection_id: int
    started_at: datetime | None
    done_at: datetime | None


@dataclass(frozen=True)
class BeginningRow:
    """A direction whose automatic sync begins with a preview. `changed_at`: when the settings changed last; a preview
    from before that is out of date."""

    connection_id: int
    direction: Direction
    reason: BeginReason
    since: datetime
    changed_at: datetime
