"""What use cases hand to the web and the CLI: plain values, ready to be shown, never a database row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, TypeVar

from app.domain.enums import Direction, Step, System, Trigger
from app.domain.error_catalogue.entries import Who
from app.domain.planning.beginning import BeginReason
from app.domain.ports import QueueDepth
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import ItemState, RunState
from app.domain.runs.words import RunWord, in_words, run_word
from app.domain.settings.connection_settings import Automatic
from app.domain.settings.two_persons import TwoPersons
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
    """Seconds until the end, from the measured rate, or from the vendors' rate limits while nothing was measured."""


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
    """The state of the summary mail: None (not due yet), "pending", "sending", "sent", "failed" or "skipped"."""
    missed: int = 0
    """How many people the run's survey found changed although no webhook had told of it (at most 1,000)."""
    undone_run: str | None = None
    """The run that this run takes back."""
    decide_until: datetime | None = None
    """For a run that waits, or has waited, for a second person: until then."""
    alarms: tuple[Mapping[str, int | str], ...] = ()
    """Why the run, or some of its changes, wait for a person: [{"code", "count", "limit", "written"}]."""
    error_remedy: str | None = field(default=None, repr=False)
    error_who: Who | None = None
    surveyed_at: datetime | None = None
    """When the plans were made that the run shows."""
    held_run: str | None = None
    """The run that shows the changes which this run has left for a person."""
    only_target_changed: int = 0
    """How many people with nothing to write differ all the same: only the target has changed, and no run mends it."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Catalogue code → people whom the run has left out, the most frequent reason first; {} in a list of runs."""
    looked_at: Mapping[ItemState, int] = field(default_factory=dict)
    """For an approved run: state → people who were only looked at and do not count; WAITING: who was not chosen."""
    mended_people: int = 0
    """How many people the run has tried again because they were mended (`survey.healing`); 0 in a list of runs."""
    mended: tuple[str, ...] = ()
    """What of them was mended: keys of FIELDS, and settings as "setting:<name>"; () in a list of runs."""
    kind: RunKind = RunKind.SYNC
    already: bool = False
    """In the answer to a request for a run: it was there already, and the request has begun nothing."""

    @property
    def word(self) -> RunWord:
        return run_word(self.state, self.counts)


@dataclass(frozen=True)
class ChangeView:
    key: str
    label: str
    before: str | None = field(repr=False)
    after: str | None = field(repr=False)
    """The value as people read it, •••• for masked items; None for a blank."""
    retroactive: bool
    state: str
    """"planned", "written", or "held": written only when a person ticks it, because `before` could not be carried to
    the source."""
    ticked: bool = False
    same: bool = False
    """The target holds this value already, compared before anything is masked."""


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
class AnswerView:
    """What a vendor answered to a request that it refused. `step`: what the request was to write, None for a read;
    `items`: keys of the items that the answer speaks of, `labels` their names in Japanese."""

    system: System | None
    step: Step | None
    step_label: str | None = field(repr=False)
    message: str | None = field(repr=False)
    items: tuple[str, ...]
    labels: tuple[str, ...] = field(repr=False)


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
    """What happened, with the vendor's own words."""
    catalogue_message: str | None = field(repr=False)
    cause: str | None
    remedy: str | None
    who: Who | None
    answers: tuple[AnswerView, ...] = field(repr=False)
    changes: tuple[ChangeView, ...] = field(repr=False)
    notes: tuple[NoteView, ...]
    steps: tuple[StepView, ...]
    candidates: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """Who may be the same person, when a link needs 要確認: [{"system", "id", "number", "reason"}]."""
    counted: bool = True
    """False: the employee was only looked at before the approval, and stands in none of the run's counts."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list. The caller hands `next_after` back as `after` to get the following page; None at the end."""

    items: tuple[T, ...]
    next_after: int | None


@dataclass(frozen=True)
class OfferedEmployee:
    """An employee who would be offered for a run. `warning` is a code of the error catalogue (no 入社日, a blank
    number, or a number that another employee has as well)."""

    employee_number: str
    source_id: str
    hired_on: date | None
    resigned_on: date | None
    linked: bool
    warning: str | None


@dataclass(frozen=True)
class BeginningView:
    """A direction whose automatic sync begins with a preview. `run`: the preview, once it waits for a person;
    `gathered`: how many people webhooks have asked for, who wait for the approval."""

    direction: Direction
    reason: BeginReason
    since: datetime
    run: str | None
    gathered: int


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
    """Seconds for which we send no request to this vendor (its limit is reached, or it throttles us); 0.0: open."""
    smarthr_silent_for: float = 0.0
    freee_silent_for: float = 0.0
    """Seconds for which we send none because it answers none; 0.0: it answers, or is just being tried."""
    doubled: bool = False
    """Another connection has the same tenant and company, so this one stays paused."""
    two_persons: TwoPersons = TwoPersons.OFF
    """Which changes wait for a second person."""
    beginnings: tuple[BeginningView, ...] = ()
    """The directions whose automatic sync waits for the approval of a preview."""


@dataclass(frozen=True)
class ConsentView:
    """A consent that an administrator has given at freee: which 事業所 the connection may use from now on."""

    connection: ConnectionView
    company_name: str


@dataclass(frozen=True)
class IntakeView:
    """How changes reach a connection by themselves: webhooks and sweeps. `id`: the connection's label in /metrics,
    where its key must not stand."""

    id: int
    key: str
    automatic: Automatic
    last_smarthr_webhook: datetime | None
    last_freee_webhook: datetime | None
    webhook_state: WebhookState
    """State of the webhook registration at SmartHR, as the check at `webhook_checked_at` found it."""
    webhook_disabled_at: datetime | None
    webhook_checked_at: datetime | None
    sweep_done_at: datetime | None
    quarantined: int
    """How many employees automatic runs leave alone."""


@dataclass(frozen=True)
class ClockView:
    """The clock of a process's host. `process`: "cron@host:123". `skew_seconds`: by how much it is ahead of the
    database's; negative: behind it. `skewed`: it is so wrong that the process takes no lead."""

    process: str
    skew_seconds: float
    skewed: bool

    @property
    def host(self) -> str:
        return self.process.partition("@")[2].rpartition(":")[0]


@dataclass(frozen=True)
class QueueView:
    queues: tuple[QueueDepth, ...]
    broker_reachable: bool
    outbox_waiting: int
    outbox_oldest_age: float | None
    items: Mapping[ItemState, int]
    """State → items, of the runs that are not finished."""
    runs_open: int
    runs_gathering: int
    """How many of the open runs webhooks still fill."""
    mails_waiting: int
    connections: tuple[ConnectionView, ...]
    deliveries_last_hour: Mapping[DeliveryState, int]
    intake: tuple[IntakeView, ...]
    clocks: tuple[ClockView, ...]


@dataclass(frozen=True)
class DeliveryItemView:
    """One item that a webhook asked for, and its state."""

    id: int
    run: str
    state: ItemState


@dataclass(frozen=True)
class DeliveryView:
    """A stored webhook delivery. `people`: the vendor's ids of the employees whom the webhook names."""

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

    @property
    def results(self) -> Mapping[ItemState, int]:
        """What came of it, one entry per word."""
        return in_words(Counter(item.state for item in self.items))


@dataclass(frozen=True)
class ReplayView:
    """What a replay did. `skipped`: deliveries that name no employee, or whose direction the connection does not sync.
    `next_after`: the replay reached its limit; the caller hands this on as `after` to replay the rest."""

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
    """Since then automatic runs leave this employee alone."""
