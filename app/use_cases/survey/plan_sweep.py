"""Plans a sweep: decides as every survey does, but leaves out what people do not need to read every hour.

Employees found equal, or left out of the comparison, are counted and get no item. Employees in quarantine are left
alone, and counted as left out, until one of the two sides, or the cause, has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.employee import EmployeeRecord
from app.domain.enums import System
from app.domain.planning.content import content_digest
from app.domain.planning.keyed import Fingerprint, as_made, is_comparable
from app.domain.planning.plan import Plan, PlanKind
from app.domain.planning.rule_version import is_by_these_rows, of_all_items
from app.domain.reading import take_snapshot
from app.domain.runs.run_state import BAD_ITEM_STATES, ItemState
from app.storage.automatic.rows import TroubleRow
from app.storage.links.rows import LinkRow
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.planning.plan_employee import Terms, plan_digest
from app.use_cases.planning.planned_item import PlannedItem
from app.use_cases.planning.stop_changes import Stops
from app.use_cases.shared.repeated_trouble import note_trouble
from app.use_cases.survey.healing import Healing
from app.use_cases.survey.plan_again import NOBODY, Before
from app.use_cases.survey.plan_survey import Everybody, SurveyPlanner, in_order

_FEW_UNPLANNED = 3
ONLY_COUNTED = frozenset({ItemState.UNCHANGED, ItemState.LEFT_OUT})


def compare_everybody(
    run: RunRow,
    everybody: Everybody,
    *,
    terms: Terms,
    now: datetime,
    bulk_from: int,
    troubles: Mapping[str, TroubleRow],
    stops: Stops | None = None,
    before: Before = NOBODY,
    healing: Healing | None = None,
) -> list[PlannedItem]:
    """The planned items of a sweep, in the order of employee numbers: one per employee of the source, and one per link
    whose person the source no longer lists. `troubles`: source id → trouble. `before`: who may keep the plan they
    have. `healing`: what is known of those who wait for somebody."""
    planner = SurveyPlanner(run, everybody, terms, now, stops, everybody.is_large, before)
    comparison = _Comparison(planner, troubles, None if run.dry_run else healing)
    planned_items = [*(comparison.find(source) for source in everybody.in_order()), *comparison.vanished()]
    planned_items += comparison.planner.incomplete_lists()
    return in_order(_without_surprises(planned_items, run, terms), bulk_from=bulk_from)


def _without_surprises(planned_items: list[PlannedItem], run: RunRow, terms: Terms) -> list[PlannedItem]:
    """Keep jobs whose plan is not known yet from writing, where their writes could surprise.

    An employee whose link has lost one side gets a job that looks for the missing person, so the survey has no plan for
    them that it could weigh. When there are many of these (a list that came in half), or when a person approves what
    the run shows, their jobs may find out what happened but write nothing: they get the digest of an empty plan.
    """
    unplanned = [found for found in planned_items if found.waits and found.item.kind == PlanKind.NOTHING.value]
    if not run.dry_run and len(unplanned) <= _FEW_UNPLANNED:
        return planned_items
    nothing = plan_digest(terms, Plan(PlanKind.NOTHING))
    ids = {found.item.source_id for found in unplanned}
    return [
        replace(found, item=replace(found.item, approved_digest=nothing)) if found.item.source_id in ids else found
        for found in planned_items
    ]


def remember_troubles(
    ctx: Context,
    uow: UnitOfWork,
    run: RunRow,
    stored: Sequence[tuple[int, PlannedItem]],
    *,
    planned_items: Sequence[PlannedItem],
    troubles: Mapping[str, TroubleRow],
) -> None:
    """Bring the stored troubles up to date with a sweep: forget those of employees who are equal again or gone, store
    the present content of those still in trouble, and note employees whose item the sweep itself has ended badly."""
    equal = [found.item.source_id for found in planned_items if found.item.state is ItemState.UNCHANGED]
    uow.beginnings.forget_declined(run.connection_id, run.direction, [each for each in equal if each is not None])
    unwell = {
        found.item.source_id or found.trouble_key for found in planned_items if found.item.state not in ONLY_COUNTED
    }
    if resolved := sorted(source_id for source_id in troubles if source_id not in unwell):
        uow.troubles.resolve(run.connection_id, run.direction, resolved)
    for found in planned_items:
        if found.content is not None and found.item.source_id is not None:
            uow.troubles.set_content(run.connection_id, run.direction, found.item.source_id, found.content)
    for item_id, found in stored:
        item = found.item
        known_by = item.source_id or found.trouble_key
        if known_by is not None and item.state in BAD_ITEM_STATES:
            of = replace(item, source_id=known_by)
            note_trouble(ctx, uow, of, item_id, number=item.employee_number, code=item.error_code)


@dataclass(frozen=True)
class _Comparison:
    planner: SurveyPlanner
    troubles: Mapping[str, TroubleRow]
    healing: Healing | None = None

    def find(self, source: EmployeeRecord) -> PlannedItem:
        """The planned item of one person of the source."""
        if (stands := self.planner.before.standing(self.planner, source)) is not None:
            return stands
        planned_item = self._found(source)
        if planned_item.look is not None or planned_item.item.state in ONLY_COUNTED:
            return replace(planned_item, has_item=False)
        trouble = self.troubles.get(source.person.id)
        if trouble is None:
            return replace(planned_item, has_item=not self._is_blind(planned_item))
        quarantined = trouble.quarantined_at is not None and not self._is_news(trouble.content, source, planned_item)
        left_alone = (quarantined and not self._is_mended(planned_item)) or self._is_blind(planned_item)
        content = self._content(source, planned_item, self.planner.terms.fingerprint)
        return replace(planned_item, content=content, has_item=not left_alone)

    def _is_mended(self, planned_item: PlannedItem) -> bool:
        return self.healing is not None and bool(self.healing.changed(planned_item.item))

    def _is_blind(self, planned_item: PlannedItem) -> bool:
        """Whether the job would only repeat a write that was refused, of a person of whom nothing has changed."""
        return self.healing is not None and planned_item.waits and self.healing.is_blind(planned_item.item)

    def _is_news(self, before: str | None, source: EmployeeRecord, planned_item: PlannedItem) -> bool:
        """Whether the employee is found otherwise than before. The digest of an older release, by other rules or of
        other items, cannot tell."""
        fingerprint = self.planner.terms.fingerprint
        if before is None or not (is_comparable(before, fingerprint) and is_by_these_rows(before)):
            return False
        return before != self._content(source, planned_item, as_made(before, fingerprint))

    def _found(self, source: EmployeeRecord) -> PlannedItem:
        if source.unreadable:
            return self.planner.find(source)
        link = self.planner.link(source)
        other: System = self.planner.run.direction.target
        if link is not None and link.id_in(other) not in self.planner.everybody.target_by_id:
            return self._looked_at(source.person.number, source.person.id, link)
        return self.planner.find(source)

    # ── deletions ─────────────────────────────────────────────────────────────────────────────────────────────────

    def vanished(self) -> list[PlannedItem]:
        """An item for each link whose person the source's list does not contain. Pages shift while a list is read
        and people are added or removed, so a job asks for this person before Awase takes the link for broken."""
        source, everybody = self.planner.run.direction.source, self.planner.everybody
        gone = [each for each in everybody.links if self._id_at(source, each) not in everybody.source_by_id]
        links = filter(None, (everybody.links.of(each) for each in gone))
        return [self._looked_at("", link.id_in(source), link) for link in links]

    def _id_at(self, system: System, smarthr_id: str) -> str | None:
        if system is System.SMARTHR:
            return smarthr_id
        return self.planner.everybody.link_index.partner(System.SMARTHR, smarthr_id)

    def _looked_at(self, number: str, source_id: str, link: LinkRow) -> PlannedItem:
        item = self.planner.new_item(
            ItemState.WAITING,
            number=number,
            source_id=source_id,
            target_id=link.id_in(self.planner.run.direction.target),
            code=None,
        )
        return PlannedItem(item)

    def _content(self, source: EmployeeRecord, planned_item: PlannedItem, fingerprint: Fingerprint) -> str:
        """Digest of both sides, and of the state and code of the item. State and code belong to it, because a
        person's answer to a question must lift the quarantine although neither side has changed."""
        terms = self.planner.terms
        target = self.planner.everybody.target_by_id.get(planned_item.item.target_id or "")
        sides = [content_digest(take_snapshot(side, terms.options), fingerprint) for side in (source, target) if side]
        ended = [planned_item.item.state.value, planned_item.item.error_code or ""]
        return of_all_items(fingerprint("trouble", " ".join([*sides, *ended])))
