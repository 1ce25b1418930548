"""Planning a survey's people once more, after something was learned that concerns few of them: whoever it cannot
concern keeps the plan they have, because planning everybody is most of the work of a survey."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Protocol

from app.domain.employee import EmployeeRecord
from app.domain.matching.linking import LinkDecision
from app.domain.planning.mass_change import Effect, from_text
from app.domain.planning.plan import PlanKind
from app.storage.links.rows import LinkRow
from app.use_cases.planning.plan_employee import Terms, agreed_by
from app.use_cases.planning.planned_item import Baseline, PlannedItem
from app.use_cases.survey.everybody import Everybody
from app.use_cases.survey.other_month import Look, Quiet

Pair = tuple[EmployeeRecord, EmployeeRecord]


class Planner(Protocol):
    """A survey's planner (`plan_survey`), as far as it is asked here."""

    @property
    def everybody(self) -> Everybody: ...

    @property
    def terms(self) -> Terms: ...

    def decision(self, source: EmployeeRecord) -> LinkDecision:
        """Who on the other side this person is."""

    def pair(self, source: EmployeeRecord, target: EmployeeRecord, link: LinkRow | None) -> Pair | Look | Quiet:
        """Both as they are to be compared."""


Stands = Callable[[Planner, EmployeeRecord, PlannedItem], bool]
"""(the planner that knows more, a person of the source, their plan from before) → whether that plan still stands."""


class Before:
    """What was planned of each person, until somebody asks for it."""

    def __init__(self, planned_items: list[PlannedItem], stands: Stands) -> None:
        """Takes the items out of the list: everybody planned anew and as before would be in memory twice."""
        self._stands = stands
        self._of = {found.item.source_id: found for found in planned_items if found.item.source_id}
        planned_items.clear()

    def standing(self, planner: Planner, source: EmployeeRecord) -> PlannedItem | None:
        """The plan of this person, if it stands. A job without a plan is never kept: how many there are decides what
        they may write."""
        found = self._of.pop(source.person.id, None)
        if found is None or (found.waits and found.item.kind == PlanKind.NOTHING.value):
            return None
        return _by(planner, found) if self._stands(planner, source, found) else None


NOBODY = Before([], lambda *_: False)


def needed_no_other_month(_planner: Planner, _source: EmployeeRecord, found: PlannedItem) -> bool:
    """After people were read in a month of their employment."""
    return found.look is None


def is_the_same_pair(planner: Planner, source: EmployeeRecord, found: PlannedItem) -> bool:
    """After it was learned who the hidden people of the target are: that may make another pair, but changes no record,
    and so no plan of a pair."""
    return found.item.target_id is not None and planner.decision(source).target_id == found.item.target_id


def without(closed: Collection[Effect]) -> Stands:
    """After it was counted that the day has no room for these effects."""
    return lambda _planner, _source, found: not from_text(found.item.effects) & frozenset(closed)


@dataclass(frozen=True, slots=True)
class Again:
    """Reads a pair once more for what it agrees on: a company that is linked for the first time, or after a change of
    the rules, has too many digests at once."""

    planner: Planner
    source_id: str
    target_id: str

    def __call__(self, baseline: Baseline) -> Baseline:
        everybody = self.planner.everybody
        source, target = everybody.source_by_id[self.source_id], everybody.target_by_id[self.target_id]
        found = self.planner.pair(source, target, None)
        assert not isinstance(found, Look | Quiet), "whoever agrees was compared"
        return agreed_by(self.planner.terms, *found, baseline)


def _by(planner: Planner, found: PlannedItem) -> PlannedItem:
    """The plan as this planner has made it: all that the one before knew would stay in memory with it."""
    agreement = found.agreement
    if agreement is None or not isinstance(agreement.compared, Again):
        return found
    return replace(found, agreement=replace(agreement, compared=replace(agreement.compared, planner=planner)))
