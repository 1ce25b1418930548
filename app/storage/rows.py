"""What repositories hand out: frozen rows, free of the session, secrets and personal values hidden from repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from app.domain.enums import Direction, Step, System, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.domain.snapshot import FieldState
from app.storage.enums import (
    ChangeState,
    DeliveryState,
    HistoryKind,
    MailKind,
    MailState,
    MassChangeCheck,
    OutboxKind,
    RefreshState,
    StepState,
    UnlinkReason,
    WebhookState,
)


@dataclass(frozen=True)
class RunRow:
    id: int
    public_id: str
    connection_id: int
    direction: Direction
    trigger: Trigger
    as_of_date: date
    dry_run: bool
    scope: list[str] | None
    """Employee numbers, or None for everybody."""
    queue: str
    state: RunState
    ends_as: RunState | None
    """Set once the run is failed or cancelled as a whole: it closes so when its running items have ended."""
    total: int | None
    equal: int
    """Found equal by a scheduled comparison: they count, and have no item of their own."""
    gather_until: datetime | None
    """A run that webhooks fill: until then it takes in more."""
    missed: list[Any] | None
    """Of a scheduled comparison: [{"system", "id"}] of people who had changed without a webhook telling."""
    started_by: str
    survey_attempt: int
    survey_starts: int
    survey_failures: int
    survey_lease_until: datetime | None
    survey_next_at: datetime | None
    smarthr_calls: int
    freee_calls: int
    error_code: str | None
    retried_run_id: int | None
    undone_run_id: int | None
    """The run that this one takes back."""
    surveyed_at: datetime | None
    """When the lists that the plans come from were complete."""
    alarms: list[Any] | None
    """Why a run waits for a person although nobody asked for a preview: [{"code", "count", "limit"}]."""
    acknowledged: bool
    """Whoever started it has said beforehand that a mass change is meant."""
    gate: MassChangeCheck | None
    """Of a gathered run of many people: whether its items may write yet. None: it has none."""
    counts: dict[str, Any] | None
    """Of a finished run: {item state: people}, so that a list of runs need not count items."""
    created_at: datetime
    started_at: datetime | None
    approved_at: datetime | None
    approved_by: str | None
    finished_at: datetime | None
    deadline_at: datetime
    erased_at: datetime | None
    """When the personal values of its people went."""


@dataclass(frozen=True)
class NewRun:
    public_id: str
    connection_id: int
    direction: Direction
    trigger: Trigger
    as_of_date: date
    dry_run: bool
    scope: tuple[str, ...] | None
    queue: str
    started_by: str
    created_at: datetime
    deadline_at: datetime
    retried_run_id: int | None = None
    undone_run_id: int | None = None
    gather_until: datetime | None = None
    acknowledged: bool = False


@dataclass(frozen=True)
class NewNote:
    """A note as it is stored: codes and keys only. `severity` is the value of `plan.Severity`."""

    code: str
    severity: str
    key: str | None = None


@dataclass(frozen=True)
class NewChange:
    key: str
    before: FieldState = field(repr=False)
    after: FieldState = field(repr=False)
    step: Step | None = None


@dataclass(frozen=True)
class NewItem:
    """One employee of a run. `state` is WAITING, or final when the survey already knows the end.

    `holds_slot`: take the one slot per employee and direction, if free; otherwise it is taken at the claim. False for
    the items of a preview. `candidates`: [{"system", "id", "number", "reason"}]. `next_at` None means now.
    """

    run_id: int
    connection_id: int
    direction: Direction
    position: int
    employee_number: str
    source_id: str | None
    target_id: str | None
    kind: str
    """Value of `plan.PlanKind`."""
    queue: str
    state: ItemState
    created_at: datetime
    holds_slot: bool = False
    next_at: datetime | None = None
    closing_month: str | None = None
    pay_month: str | None = None
    approved_digest: str | None = None
    error_code: str | None = None
    name: str = field(default="", repr=False)
    """As the source writes it, for people to recognise."""
    chosen: bool = False
    """Ticked in the preview: what an approval writes."""
    effects: str = ""
    """What of its plan the guard counts (`domain.guard.effects_of`)."""
    detail: str | None = field(default=None, repr=False)
    notes: tuple[NewNote, ...] = ()
    candidates: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    changes: tuple[NewChange, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class ItemRow:
    id: int
    run_id: int
    connection_id: int
    direction: Direction
    position: int
    employee_number: str
    source_id: str | None
    target_id: str | None
    kind: str
    queue: str
    state: ItemState
    holds_slot: bool
    attempt: int
    starts: int
    attempts_failed: int
    lease_until: datetime | None
    lease_by: str | None
    next_at: datetime
    pushed_at: datetime | None
    closing_month: str | None
    pay_month: str | None
    approved_digest: str | None
    error_code: str | None
    notes: list[Any]
    """[{"code", "severity", "key"}]"""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    known: bool = False
    """Ended with the same cause as the time before: no news for a mail."""
    chosen: bool = False
    effects: str = ""
    name: str = field(default="", repr=False)
    detail: str | None = field(default=None, repr=False)
    candidates: tuple[Mapping[str, str], ...] = field(default=(), repr=False)


ClaimedItem = ItemRow
"""An item as its claimer got it: `attempt` is the fencing token for everything that follows."""


@dataclass(frozen=True)
class ChangeRow:
    item_id: int
    key: str
    before: FieldState | None = field(repr=False)
    """None: erased after the retention time."""
    after: FieldState | None = field(repr=False)
    state: ChangeState
    step: Step | None


@dataclass(frozen=True)
class StepRow:
    item_id: int
    attempt: int
    step: Step
    state: StepState
    keys: list[str]
    error_code: str | None
    at: datetime


@dataclass(frozen=True)
class LinkRow:
    id: int
    connection_id: int
    smarthr_id: str
    freee_id: str
    baseline: dict[str, Any]
    """Key of FIELDS → digest of the value both sides agreed on."""
    created_at: datetime
    unlinked_at: datetime | None
    unlinked_why: UnlinkReason | None

    def id_in(self, system: System) -> str:
        return self.smarthr_id if system is System.SMARTHR else self.freee_id


@dataclass(frozen=True)
class OutboxRow:
    id: int
    kind: OutboxKind
    ref_id: int
    attempt: int
    queue: str
    due_at: datetime
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True)
class MailRow:
    id: int
    run_id: int | None
    """None: a notice about a connection."""
    connection_id: int | None
    kind: MailKind
    state: MailState
    message_id: str
    attempts: int
    lease_until: datetime | None
    next_at: datetime
    subject: str | None = field(repr=False)
    error_code: str | None
    created_at: datetime
    sent_at: datetime | None
    to: tuple[str, ...] = field(default=(), repr=False)
    body: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class HistoryRow:
    id: int
    run_id: int
    kind: HistoryKind
    at: datetime
    result: RunState | None


@dataclass(frozen=True)
class PagePosition:
    """How far a survey of one system has come. `complete`: the last page is stored."""

    pages: int
    next_cursor: str | None
    complete: bool


@dataclass(frozen=True)
class PreviewName:
    """Somebody in a preview. `position`: of their item."""

    position: int
    number: str
    name: str = field(repr=False)
    kana: str = field(repr=False)


@dataclass(frozen=True)
class DirectoryEntry:
    employee_number: str
    person_id: str
    schedule: dict[str, Any] | None = None
    """freee: the fields of `people.PaySchedule`."""
    content: str | None = field(default=None, repr=False)
    """Keyed digest of the items this person had; None: not shown."""


@dataclass(frozen=True)
class ConnectionStatus:
    """What ops sees of a connection beside its settings."""

    id: int
    freee_company_name: str | None
    freee_external_cid: str | None
    refresh_state: RefreshState
    freee_refreshed_at: datetime | None
    freee_expires_at: datetime | None


@dataclass(frozen=True)
class PairRow:
    """When the access token of a connection was issued and when it ends."""

    connection_id: int
    issued_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True)
class ConsentRow:
    connection_id: int
    verifier: str = field(repr=False)
    redirect_uri: str
    expires_at: datetime


@dataclass(frozen=True)
class WizardRow:
    """A connection being set up. `connection_id` is there once its company was confirmed."""

    id: int
    key: str
    connection_id: int | None
    name: str
    smarthr_subdomain: str
    seen: Mapping[str, Any] = field(repr=False)
    """What the check of SmartHR's token has shown (`use_cases.attributes`)."""
    mail_to: tuple[str, ...] = field(repr=False)
    freee_company_id: int | None
    freee_company_name: str | None
    freee_external_cid: str | None
    created_at: datetime


@dataclass(frozen=True)
class WizardConsent:
    """freee's answer belongs to this setup."""

    setup: WizardRow
    verifier: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True)
class KeyRow:
    id: int
    name: str
    prefix: str
    digest: str = field(repr=False)
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class UserRow:
    id: int
    login: str = field(repr=False)
    password_hash: str = field(repr=False)
    role: str
    locale: str
    created_at: datetime
    disabled_at: datetime | None
    password_changed_at: datetime | None
    last_sign_in_at: datetime | None


@dataclass(frozen=True)
class SessionRow:
    """With the user it belongs to, because every page needs both."""

    id: int
    user: UserRow
    created_at: datetime
    seen_at: datetime


@dataclass(frozen=True)
class InvitationRow:
    id: int
    mail: str = field(repr=False)
    role: str
    invited_by: int
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class AuditRow:
    id: int
    at: datetime
    actor: str
    action: str
    subject: str = field(repr=False)
    detail: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class IdempotencyRow:
    request_hash: str
    run_id: int


# ── the automatic sync ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class NewDelivery:
    """`dedup` None: cannot be told from a repetition, so it is never taken for one."""

    system: System
    connection_id: int | None
    event: str
    dedup: str | None
    digest: str
    state: DeliveryState
    people: tuple[str, ...]
    received_at: datetime
    triggered_at: datetime | None = None


@dataclass(frozen=True)
class DeliveryRow:
    id: int
    system: System
    connection_id: int | None
    event: str
    dedup: str | None
    digest: str
    state: DeliveryState
    people: list[str]
    received_at: datetime
    triggered_at: datetime | None
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
        """What a delivery may come with."""
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
