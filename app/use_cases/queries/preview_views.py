"""What the pages of a preview show: plain values, nothing that is still encrypted or belongs to a row."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from app.domain.enums import Direction, System, Trigger
from app.domain.planning.mass_change import MassChangeReason
from app.domain.planning.plan import PlanKind
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import ExportSettings
from app.use_cases.shared.views import ItemView


class Group(StrEnum):
    """What a preview has found of somebody."""

    NEW = "new"
    CHANGED = "changed"
    EQUAL = "equal"
    REVIEW = "review"


GROUPS = frozenset(Group)
WRITABLE = frozenset({Group.NEW, Group.CHANGED})
"""Those who can be chosen."""


@dataclass(frozen=True)
class Preview:
    """A run that somebody looks at before it writes."""

    id: str
    connection: str
    company: str
    direction: Direction
    trigger: Trigger
    as_of_date: date
    employees: int | None
    """How many numbers were named; None: everybody."""
    state: RunState
    approved: bool
    held: bool
    """An automatic run that was held as a mass change: nobody asked for a preview."""
    error_code: str | None
    next_try: datetime | None
    paused: bool
    needs_consent: bool
    surveyed_at: datetime | None
    can_read_again: bool

    @property
    def to_freee(self) -> bool:
        """Only freee keeps one copy a month, so only there a pay month and past months matter."""
        return self.direction.target is System.FREEE

    @property
    def is_read(self) -> bool:
        return self.state not in (RunState.WAITING, RunState.SURVEYING)


@dataclass(frozen=True)
class Reading:
    """How far one system has been read. `expected`: people as listed the time before, 0 when never."""

    system: System
    people: int
    expected: int
    complete: bool


@dataclass(frozen=True)
class PersonView:
    position: int
    number: str
    name: str = field(repr=False)
    group: Group
    state: ItemState
    items: int
    pay_month: str | None
    chosen: bool
    retroactive: bool
    lossy: bool
    code: str | None
    """Why nothing is written (error catalogue)."""
    codes: tuple[str, ...]
    """What a person should look at although something is written."""
    has_candidates: bool

    @property
    def choosable(self) -> bool:
        return self.state is ItemState.WAITING


@dataclass(frozen=True)
class PeoplePage:
    """`counts`: of those the search finds. `before`, `after`: positions for the neighbouring pages, None at an end."""

    preview: Preview
    counts: Mapping[Group, int]
    chosen: int
    choosable: int
    matching_choosable: int
    people: tuple[PersonView, ...]
    before: int | None
    after: int | None

    def count(self, groups: Collection[Group]) -> int:
        return sum(self.counts[group] for group in groups)


@dataclass(frozen=True)
class PlannedPerson:
    name: str = field(repr=False)
    position: int
    item: ItemView
    lossy: frozenset[str]
    """Keys of FIELDS whose value loses something on the way."""


@dataclass(frozen=True)
class PlanPage:
    preview: Preview
    created: int
    updated: int
    left_out: int
    by_key: tuple[tuple[str, int, bool], ...]
    """(key of FIELDS, people whom it changes, retroactive), of those who are updated, the most frequent first."""
    alarms: tuple[MassChangeReason, ...]
    """Why these people need a second look."""
    export_settings: ExportSettings | None
    """What freee gets for those who are created; None: nobody is created there."""
    people: tuple[PlannedPerson, ...]
    before: int | None
    after: int | None

    @property
    def chosen(self) -> int:
        return self.created + self.updated


def group_of(state: ItemState, kind: str) -> Group:
    """Those who failed in the survey are for a person to look at, like those who need a decision."""
    if state is ItemState.WAITING:
        return Group.NEW if kind == PlanKind.CREATE else Group.CHANGED
    return Group.EQUAL if state is ItemState.UNCHANGED else Group.REVIEW
