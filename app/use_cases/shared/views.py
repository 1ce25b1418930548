"""What use cases hand to the web and the CLI: plain values, ready to be shown, never a database row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, TypeVar

from app.domain.enums import Direction, System, Trigger
from app.domain.ports import QueueDepth
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.storage.enums import DeliveryState as DeliveryState
from app.storage.enums import MailKind as MailKind
from app.storage.enums import MailState as MailState
from app.storage.enums import RefreshState as RefreshState
from app.storage.enums import WebhookState as WebhookState

T = TypeVar("T")


@dataclass(frozen=True)
class ProgressView:
    """`total` is None until the survey knows it. `rate` is finished items per second over the last minute."""

    done: int
    total: int | None
    rate: float | None
    eta_seconds: float | None
    """From the measured rate, or from the vendors' rate limits while nothing has been measured."""


@dataclass(frozen=True)
class RunView:
    id: str
    connection: str
    direction: Direction
    trigger: Trigger
    as_of_date: date
    dry_run: bool
    state: RunState
    counts: Mapping[ItemState, int]
    progress: ProgressView
    vendor_calls: Mapping[str, int]
    """{"smarthr": n, "freee": n}"""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_code: str | None
    error_message: str | None
    """Japanese, from the error catalogue."""
    retried_run: str | None
    mail_state: str | None
    """None (no mail due yet), "pending", "sending", "sent", "failed", "skipped"."""
    missed: int = 0
    """People who had changed without a webhook telling, as its survey found them (at most 1,000)."""
    undone_run: str | None = None
    """The run that this one takes back."""
    alarms: tuple[Mapping[str, int | str], ...] = ()
    """Why it was held for a person: [{"code", "count", "limit", "creates", "retires", "blanks"}]."""


@dataclass(frozen=True)
class ChangeView:
    key: str
    label: str
    before: str | None = field(repr=False)
    after: str | None = field(repr=False)
    """Shown form, masked (••••) for masked items; None for blank."""
    retroactive: bool
    state: str
    """"planned" or "written"."""


@dataclass(frozen=True)
class NoteView:
    code: str
    key: str | None
    severity: str
    message: str
    """Japanese."""
    remedy: str | None


@dataclass(frozen=True)
class StepView:
    step: str
    label: str
    attempt: int
    state: str
    """"sending", "done", "failed", "unknown"."""
    error_code: str | None
    at: datetime


@dataclass(frozen=True)
class ItemView:
    id: int
    employee_number: str
    state: ItemState
    kind: str
    """PlanKind value: nothing, create, update."""
    closing_month: str | None
    pay_month: str | None
    attempts: int
    error_code: str | None
    message: str | None
    remedy: str | None
    changes: tuple[ChangeView, ...] = field(repr=False)
    notes: tuple[NoteView, ...]
    steps: tuple[StepView, ...]
    candidates: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """For 要再確認 of a link: [{"system", "id", "number", "reason"}]."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """Keyset page: `next_after` is handed back as `after` for the following page; None at the end."""

    items: tuple[T, ...]
    next_after: int | None


@dataclass(frozen=True)
class OfferedEmployee:
    """Somebody who would be offered for a run. `warning` is a catalogue code (no 入社日, blank or doubled number)."""

    employee_number: str
    source_id: str
    hired_on: date | None
    resigned_on: date | None
    linked: bool
    warning: str | None


@dataclass(frozen=True)
class ConnectionView:
    key: str
    name: str
    smarthr_subdomain: str
    freee_company_id: int
    state: str
    """"active", "paused", "needs_consent"."""
    export_settings_complete: bool
    smarthr_closed_for: float
    freee_closed_for: float
    """Seconds this vendor side is closed (limit, throttle), 0.0 when open."""


@dataclass(frozen=True)
class ConsentView:
    """A consent that was given: which 事業所 the connection may use from now on."""

    connection: ConnectionView
    company_name: str


@dataclass(frozen=True)
class IntakeView:
    """What a connection hears of by itself. `id`: its label in /metrics, where the key must not stand."""

    id: int
    key: str
    automatic: Automatic
    last_smarthr_webhook: datetime | None
    last_freee_webhook: datetime | None
    webhook_state: WebhookState
    """Of the registration at SmartHR, as it was found at `webhook_checked_at`."""
    webhook_disabled_at: datetime | None
    webhook_checked_at: datetime | None
    sweep_done_at: datetime | None
    quarantined: int
    """Employees that automatic runs leave alone."""


@dataclass(frozen=True)
class QueueView:
    queues: tuple[QueueDepth, ...]
    broker_reachable: bool
    outbox_waiting: int
    outbox_oldest_age: float | None
    items: Mapping[ItemState, int]
    """Of runs that are not finished."""
    runs_open: int
    runs_gathering: int
    """Of those: still being filled by webhooks."""
    mails_waiting: int
    connections: tuple[ConnectionView, ...]
    deliveries_last_hour: Mapping[DeliveryState, int]
    intake: tuple[IntakeView, ...]


@dataclass(frozen=True)
class DeliveryItemView:
    """What a webhook asked for, and how it stands."""

    id: int
    run: str
    state: ItemState


@dataclass(frozen=True)
class DeliveryView:
    """A webhook that was stored. `people`: the vendor's ids of them."""

    id: int
    system: System
    connection: str | None
    event: str
    state: DeliveryState
    people: tuple[str, ...]
    received_at: datetime
    triggered_at: datetime | None
    replayed_at: datetime | None
    replays: int
    items: tuple[DeliveryItemView, ...]


@dataclass(frozen=True)
class ReplayView:
    """`skipped`: nobody is named in them, or the connection does not sync in their direction. `next_after`: the answer
    reached its limit; hand it on as `after` for the rest."""

    replayed: int
    people: int
    skipped: int
    next_after: int | None


@dataclass(frozen=True)
class TroubleView:
    """An employee who keeps ending with one cause in automatic runs."""

    direction: Direction
    employee_number: str
    source_id: str
    code: str
    message: str
    remedy: str | None
    times: int
    first_at: datetime
    last_at: datetime
    quarantined_at: datetime | None
    """Since then automatic runs leave them alone."""
