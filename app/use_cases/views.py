"""What use cases hand to the web and the CLI: plain values, ready to be shown, never a database row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, TypeVar

from app.domain.ports import QueueDepth
from app.domain.run_state import ItemState, RunState
from app.domain.words import Direction, Trigger

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
class QueueView:
    queues: tuple[QueueDepth, ...]
    broker_reachable: bool
    outbox_waiting: int
    outbox_oldest_age: float | None
    items: Mapping[ItemState, int]
    """Of runs that are not finished."""
    runs_open: int
    mails_waiting: int
    connections: tuple[ConnectionView, ...]
