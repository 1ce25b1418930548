"""What the repositories of runs hand out: frozen rows whose repr hides secrets and personal values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from app.domain.enums import Direction, Step, Trigger
from app.domain.planning.plan import Trace
from app.domain.runs.kinds import RunKind, kind_of
from app.domain.runs.run_state import ItemState, RunState
from app.domain.snapshot import FieldState
from app.storage.enums import ChangeState, HistoryKind, MassChangeCheck, StepState
from app.storage.runs.traces import SealedTrace


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run as it is asked for."""

    public_id: str
    connection_id: int
    direction: Direction
    trigger: Trigger
    as_of_date: date
    dry_run: bool
    scope: Sequence[str] | None
    """Employee numbers, or None for all employees."""
    queue: str
    started_by: str
    created_at: datetime
    deadline_at: datetime
    retried_run_id: int | None = None
    undone_run_id: int | None = None
    """The run that this one takes back."""
    gather_until: datetime | None = None
    """For a run that webhooks fill: until then it takes in more employees."""
    acknowledged: bool = False
    """The user or program that started the run has said beforehand that a mass change is intended."""
    asked_as: str | None = field(default=None, repr=False)
    trial: dict[str, Any] | None = field(default=None, repr=False)
    """For a trial of settings that are not saved: see `use_cases.connections.trial_settings`. It is never approved."""


@dataclass(frozen=True, kw_only=True)
class RunRow(NewRun):
    """A run as it is kept."""

    id: int
    state: RunState
    ends_as: RunState | None
    """Set once the run is failed or cancelled as a whole: it closes with this when its running items have ended."""
    total: int | None
    equal: int
    """How many employees a scheduled comparison found equal: they count, but have no item of their own."""
    left_out: dict[str, Any] | None = field(repr=False)
    """For a scheduled comparison: {catalogue code: people} of those whom it has left out and who have no item."""
    looked_at: dict[str, Any] | None = field(repr=False)
    """For a run that began with an approval: {item state: people} of those who were only looked at, and do not count in
    the run; "waiting": they were not chosen, and have no item any more. None: everybody of the run counts."""
    only_target_changed: int
    """Of the employees without an item, how many differ by what only the target has changed and no run mends; in a
    finished run, of all."""
    missed: list[Any] | None
    """For a scheduled comparison: [{"system", "id"}] of people who had changed without a webhook telling of it."""
    survey_attempt: int
    survey_starts: int
    survey_failures: int
    survey_lease_until: datetime | None
    survey_next_at: datetime | None
    smarthr_calls: int
    freee_calls: int
    error_code: str | None
    surveyed_at: datetime | None
    """When the lists from which the plans come were complete."""
    alarms: list[Any] | None
    """Why a run waits for a person although it was not started as a preview: [{"code", "count", "limit"}]."""
    first_by: list[str] | None
    """For a run of changes that other runs have stopped: the actors who asked for them."""
    decide_until: datetime | None
    """For a run that waits for a second person: until then."""
    stopped: dict[str, Any] | None
    """What the run has left for a person to decide: {"run": public id of the run that shows it, "alarms": reasons}."""
    gate: MassChangeCheck | None
    """For a gathered run of many people: whether its items may write yet. None: the run has no such gate."""
    counts: dict[str, Any] | None
    """For a finished run: {item state: people}, so that a list of runs need not count items."""
    started_at: datetime | None
    approved_at: datetime | None
    approved_by: str | None
    finished_at: datetime | None
    erased_at: datetime | None
    """When the personal values of the run's people were erased."""

    @property
    def shows_first(self) -> bool:
        """Whether the run writes nothing before a person approves it."""
        return self.dry_run or self.trigger is Trigger.HELD or bool(self.alarms)

    @property
    def beside(self) -> dict[ItemState, int]:
        """State → people who were only looked at; {} when everybody of the run counts."""
        return {ItemState(state): people for state, people in (self.looked_at or {}).items() if people}

    @property
    def only_chosen(self) -> Literal[True] | None:
        """True: only the chosen items count. None: every item does."""
        return None if self.looked_at is None else True

    @property
    def kind(self) -> RunKind:
        """What the run is for people."""
        return kind_of(self.trigger, second=self.decide_until is not None, begins=self.is_beginning)

    @property
    def is_beginning(self) -> bool:
        """The preview with which the automatic sync of a direction begins."""
        return self.trigger is Trigger.SCHEDULE and self.dry_run

    def reasons_left_out(self, items: Mapping[str, int]) -> dict[str, int]:
        """Catalogue code → people whom the run has left out, the most frequent reason first; `items`: of those who have
        an item."""
        return dict((Counter(items) + Counter(self.left_out or {})).most_common())


@dataclass(frozen=True)
class WithoutItem:
    """People of a scheduled comparison who are only counted. `left_out`: catalogue code → people."""

    equal: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    only_target_changed: int = 0


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
    raw: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the target held before, in the vendor's own form."""
    held: bool = False
    trace: Trace | SealedTrace | None = field(default=None, repr=False)
    """How the source's value became the target's; None: nobody has followed it."""
    exact: bool = False
    """What an undo puts back character for character, also where it reads like what stands there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """What is known of a run's employee from the beginning. `candidates`: [{"system", "id", "number", "reason"}]."""

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
    closing_month: str | None = None
    pay_month: str | None = None
    approved_digest: str | None = None
    error_code: str | None = None
    name: str = field(default="", repr=False)
    """The name as the source writes it, so that people recognise the employee."""
    chosen: bool = False
    """Ticked in the preview: an approval writes the ticked employees."""
    effects: str = ""
    """The effects of its plan that count for a mass change (`domain.planning.mass_change.effects_of`)."""
    detail: str | None = field(default=None, repr=False)
    candidates: tuple[Mapping[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem(_Item):
    """An employee as the survey adds them. `state` is WAITING, or final when the survey already knows the end.

    `holds_slot`: take the one slot per employee and direction, if free; otherwise the claim takes it. False for the
    items of a preview. `next_at` None means now.
    """

    next_at: datetime | None = None
    notes: tuple[NewNote, ...] = ()
    changes: tuple[NewChange, ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True)
class ItemRow(_Item):
    """An employee of a run as they are kept."""

    id: int
    attempt: int
    starts: int
    attempts_failed: int
    lease_until: datetime | None
    lease_by: str | None
    next_at: datetime
    pushed_at: datetime | None
    notes: list[Any]
    """[{"code", "severity", "key"}]"""
    started_at: datetime | None
    finished_at: datetime | None
    known: bool = False
    """The item ended with the same cause as the time before, which is no news for a mail."""
    ticked: list[str] | None = None
    """Keys of the held changes that a person has ticked in the preview."""


ClaimedItem = ItemRow
"""An item as the worker that claimed it got it: `attempt` is the fencing token for everything that follows."""


@dataclass(frozen=True)
class ChangeRow:
    item_id: int
    key: str
    before: FieldState | None = field(repr=False)
    """None: erased after the retention time."""
    after: FieldState | None = field(repr=False)
    state: ChangeState
    step: Step | None
    raw: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the target held before, in the vendor's own form. None: not kept (older runs), or erased."""
    same: bool = False
    """The target holds this very value already: it is written because it belongs to others that change."""
    as_it_is: bool = False
    """The value was carried as it stands, so that there is no trace to keep."""
    trace: SealedTrace | None = field(default=None, repr=False)


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
class IdempotencyRow:
    request_hash: str
    run_id: int
