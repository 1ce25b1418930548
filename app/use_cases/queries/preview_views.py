"""What the pages of a preview show: plain values, neither encrypted nor tied to a database row."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from app.domain.enums import Direction, System, Trigger
from app.domain.planning.carrying import decision_unit_of
from app.domain.planning.mass_change import MassChangeReason
from app.domain.planning.plan import PlanKind
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import ExportSettings
from app.storage.enums import ChangeState
from app.use_cases.queries.person_tables import TableCut
from app.use_cases.shared.views import ChangeView, ItemView


class Group(StrEnum):
    """What a preview has found out about an employee."""

    NEW = "new"
    CHANGED = "changed"
    EQUAL = "equal"
    REVIEW = "review"
    LEFT_OUT = "left_out"


GROUPS = frozenset(Group)
WRITABLE = frozenset({Group.NEW, Group.CHANGED})
"""The groups whose people a user can choose."""


@dataclass(frozen=True)
class Preview:
    """A run that a person looks at before it writes."""

    id: str
    connection: str
    company: str
    direction: Direction
    trigger: Trigger
    as_of_date: date
    employees: int | None
    """How many employee numbers the request has named; None: the run is about all employees."""
    state: RunState
    approved: bool
    held: bool
    """True: the run was held as a mass change; it is no preview that a user has asked for."""
    error_code: str | None
    next_try: datetime | None
    paused: bool
    needs_consent: bool
    surveyed_at: datetime | None
    can_read_again: bool
    kind: RunKind = RunKind.SYNC
    begins: bool = False
    """The automatic sync of the direction begins with its approval."""
    seconded: bool = False
    """The run waits, or has waited, for a second person."""

    @property
    def to_freee(self) -> bool:
        """Whether the run writes to freee. Only freee keeps one record per month, so only there the pay month and past
        months matter."""
        return self.direction.target is System.FREEE

    @property
    def is_read(self) -> bool:
        return self.state not in (RunState.WAITING, RunState.SURVEYING)


@dataclass(frozen=True)
class Reading:
    """How far a survey has read one system. `expected`: how many people the last listing had, 0 when there was none."""

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
    """Why the run writes nothing for this person (a code of the error catalogue)."""
    codes: tuple[str, ...]
    """What a user should look at besides, as codes of the error catalogue, also where the run writes."""
    has_candidates: bool

    @property
    def choosable(self) -> bool:
        return self.state is ItemState.WAITING


@dataclass(frozen=True)
class PeoplePage:
    """One page of people. `counts`: group → people, of those whom the search finds."""

    preview: Preview
    counts: Mapping[Group, int]
    chosen: int
    choosable: int
    matching_choosable: int
    people: tuple[PersonView, ...]
    cut: TableCut

    def count(self, groups: Collection[Group]) -> int:
        return sum(self.counts[group] for group in groups)


@dataclass(frozen=True)
class HeldUnit:
    """Values of the target that could not be carried, and are overwritten only with a tick: one item, an address, the
    account."""

    changes: tuple[ChangeView, ...]

    @property
    def key(self) -> str:
        return self.changes[0].key

    @property
    def name(self) -> str:
        """ "bank", "home" or "registered" for what is more than one item."""
        return decision_unit_of(self.key)

    @property
    def ticked(self) -> bool:
        return any(change.ticked for change in self.changes)


@dataclass(frozen=True)
class PlannedPerson:
    name: str = field(repr=False)
    position: int
    item: ItemView
    lossy: frozenset[str]
    """Keys of FIELDS whose value loses something when the target takes it."""

    @property
    def planned(self) -> tuple[ChangeView, ...]:
        """What really changes."""
        return tuple(each for each in self.item.changes if each.state != ChangeState.HELD and not each.same)

    @property
    def kept(self) -> tuple[ChangeView, ...]:
        """What is written again as it is, because it belongs to others that change."""
        return tuple(each for each in self.item.changes if each.state != ChangeState.HELD and each.same)

    @property
    def held(self) -> tuple[HeldUnit, ...]:
        units: dict[str, list[ChangeView]] = {}
        for change in self.item.changes:
            if change.state == ChangeState.HELD:
                units.setdefault(decision_unit_of(change.key), []).append(change)
        return tuple(HeldUnit(tuple(changes)) for changes in units.values())


@dataclass(frozen=True)
class PlanPage:
    preview: Preview
    created: int
    updated: int
    left_out: int
    by_key: tuple[tuple[str, int, bool], ...]
    """(key of FIELDS, how many of the updated people it changes for, retroactive), the most frequent first."""
    alarms: tuple[MassChangeReason, ...]
    """Why writing these people would be a mass change; () when it would not be one."""
    export_settings: ExportSettings | None
    """The export settings that freee gets for created employees; None: the run creates no employee at freee."""
    people: tuple[PlannedPerson, ...]
    cut: TableCut

    @property
    def chosen(self) -> int:
        return self.created + self.updated


def group_of(state: ItemState, kind: str) -> Group:
    """The group of an item. An item that failed in the survey is in REVIEW, because a person has to look at it, like
    one that needs a decision."""
    if state is ItemState.WAITING:
        return Group.NEW if kind == PlanKind.CREATE else Group.CHANGED
    return _GROUPS_AT_REST.get(state, Group.REVIEW)


_GROUPS_AT_REST = {ItemState.UNCHANGED: Group.EQUAL, ItemState.LEFT_OUT: Group.LEFT_OUT}
