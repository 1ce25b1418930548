"""Plans a sweep. It decides as every survey does, and keeps quiet about what nobody has to know every hour: people
found equal are counted and get no item, leavers take part only while something of them still differs, and who is in
quarantine is left alone until either side, or the cause, is another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.employee import EmployeeRecord
from app.domain.enums import System
from app.domain.mapping import BY_KEY
from app.domain.matching.linking import LinkDecision, LinkKind
from app.domain.matching.selection import offer
from app.domain.planning.content import content_digest
from app.domain.planning.mass_change import HARMLESS_PEOPLE, as_text, effects_of
from app.domain.planning.plan import Change, Plan, PlanKind
from app.domain.planning.three_way import Baseline, Ruling, rule
from app.domain.reading import take_snapshot
from app.domain.runs.dates import closing_month, pay_month, today_in_japan
from app.domain.runs.run_state import BAD_ITEM_STATES, ItemState
from app.domain.settings.connection_settings import Automatic
from app.domain.snapshot import ABSENT, BLANK, FieldState
from app.storage.automatic.rows import TroubleRow
from app.storage.links.rows import LinkRow
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.planning.plan_employee import Terms, plan_digest
from app.use_cases.planning.planned_item import PlannedItem, new_changes
from app.use_cases.shared.repeated_trouble import note_trouble
from app.use_cases.survey.plan_survey import Everybody, SurveyPlanner, in_order

_TARGET_IS_RIGHT = frozenset({Ruling.TARGET_NEWER, Ruling.TARGET_WINS})


def compare_everybody(
    run: RunRow,
    everybody: Everybody,
    *,
    terms: Terms,
    now: datetime,
    bulk_from: int,
    troubles: Mapping[str, TroubleRow],
) -> list[PlannedItem]:
    """One planned item per employee who is there on the day, per leaver of whom something still differs, and per link
    whose source is in no list any more, in the order of their numbers. `troubles`: by source id."""
    comparison = _Comparison(SurveyPlanner(run, everybody, terms, now), troubles)
    found = [*(comparison.find(source) for source in everybody.source), *comparison.vanished()]
    planned_items = [planned_item for planned_item in found if planned_item is not None]
    return in_order(_without_surprises(planned_items, run, terms), bulk_from=bulk_from)


def _without_surprises(planned_items: list[PlannedItem], run: RunRow, terms: Terms) -> list[PlannedItem]:
    """Somebody who is only looked at has no plan that could have been weighed. When they are many (a list that came in
    half), or when a person approves what is shown of the run, their jobs may find out but write nothing."""
    unplanned = [found for found in planned_items if found.waits and found.item.kind == PlanKind.NOTHING.value]
    if not run.dry_run and len(unplanned) <= HARMLESS_PEOPLE:
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
    """Whom the comparison itself has ended badly, who is well again or gone, and what those in trouble have now."""
    unwell = {found.item.source_id for found in planned_items if found.item.state is not ItemState.UNCHANGED}
    if resolved := sorted(source_id for source_id in troubles if source_id not in unwell):
        uow.troubles.resolve(run.connection_id, run.direction, resolved)
    for found in planned_items:
        if found.content is not None and found.item.source_id is not None:
            uow.troubles.set_content(run.connection_id, run.direction, found.item.source_id, found.content)
    for item_id, found in stored:
        item = found.item
        if item.source_id is not None and item.state in BAD_ITEM_STATES:
            note_trouble(ctx, uow, item, item_id, number=item.employee_number, code=item.error_code)


@dataclass(frozen=True)
class _Comparison:
    planner: SurveyPlanner
    troubles: Mapping[str, TroubleRow]

    def find(self, source: EmployeeRecord) -> PlannedItem | None:
        """None: not there yet, or gone and nothing to do."""
        planned_item = self._found(source)
        if planned_item is None or planned_item.item.state is ItemState.UNCHANGED:
            return planned_item and replace(planned_item, has_item=False)
        trouble = self.troubles.get(source.person.id)
        if trouble is None:
            return planned_item
        content = self._content(source, planned_item)
        left_alone = trouble.quarantined_at is not None and trouble.content in (None, content)
        return replace(planned_item, content=content, has_item=not left_alone)

    def _found(self, source: EmployeeRecord) -> PlannedItem | None:
        person, on = source.person, self.planner.run.as_of_date
        if person.resigned_on is not None and person.resigned_on < on:
            return self._leaver(source)
        if not offer(person, on).offered or self._is_for_the_way_back(source):
            return None
        planned_item = self.planner.find(source)
        link, target = self._partner(source)
        if link is not None and target is None:
            return self._looked_at(source.person.number, source.person.id, link)
        return planned_item

    # ── deletions ─────────────────────────────────────────────────────────────────────────────────────────────────

    def vanished(self) -> list[PlannedItem]:
        """Links whose source nobody has listed. Pages shift while a list is read (smarthr-api.md trap 20), so a job
        asks for the person before the link is taken for broken."""
        source = self.planner.run.direction.source
        listed = {record.person.id for record in self.planner.everybody.source}
        links = self.planner.everybody.link_by_smarthr.values()
        gone = [link for link in links if link.id_in(source) not in listed]
        return [self._looked_at("", link.id_in(source), link) for link in gone]

    def _looked_at(self, number: str, source_id: str, link: LinkRow) -> PlannedItem:
        item = self.planner.new_item(
            ItemState.WAITING,
            number=number,
            source_id=source_id,
            target_id=link.id_in(self.planner.run.direction.target),
            code=None,
        )
        return PlannedItem(item)

    def _content(self, source: EmployeeRecord, planned_item: PlannedItem) -> str:
        """Both sides and how they were found: an answered question lifts a quarantine although neither side moved."""
        terms = self.planner.terms
        target = self.planner.everybody.target_by_id.get(planned_item.item.target_id or "")
        sides = [
            content_digest(take_snapshot(side, terms.options), terms.fingerprint) for side in (source, target) if side
        ]
        ended = [planned_item.item.state.value, planned_item.item.error_code or ""]
        return terms.fingerprint("trouble", " ".join([*sides, *ended]))

    # ── leavers ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _leaver(self, source: EmployeeRecord) -> PlannedItem | None:
        """Somebody who left before the day, linked and still shown by the target: what differs is brought over."""
        link, target = self._partner(source)
        if link is None or target is None or target.record is None:
            return None
        if source.record is None:
            return self._from_the_month_of_leaving(source, target, link)
        planned_item = self.planner.planned(source, target, LinkDecision(LinkKind.LINKED, target.person.id))
        quiet = planned_item.item.state in (ItemState.UNCHANGED, ItemState.NEEDS_REVIEW)
        return None if quiet else planned_item

    def _from_the_month_of_leaving(
        self, source: EmployeeRecord, target: EmployeeRecord, link: LinkRow
    ) -> PlannedItem | None:
        """freee hides leavers once their month is over. A 退職年月日 entered later than that still has to arrive: the
        job reads the last month that shows them. Should more of them differ there, an approval does not cover it."""
        left, schedule = source.person.resigned_on, source.person.pay_schedule
        there = take_snapshot(target, self.planner.terms.options)["resigned_on"]
        if left is None or there is ABSENT or there == left:
            return None
        if self._ruling(link, source=left, target=there) in _TARGET_IS_RIGHT:
            return None
        month = closing_month(left, schedule)
        plan = Plan(PlanKind.UPDATE, (Change("resigned_on", there, left),))
        keeps = self.planner.run.dry_run
        item = self.planner.new_item(
            ItemState.WAITING,
            number=source.person.number,
            source_id=source.person.id,
            target_id=target.person.id,
            kind=PlanKind.UPDATE,
            code=None,
            closing_month=str(month),
            pay_month=str(pay_month(month, schedule)),
            approved_digest=plan_digest(self.planner.terms, plan) if keeps else None,
            changes=new_changes(plan) if keeps else (),
            effects=as_text(effects_of(plan, today=today_in_japan(self.planner.now))),
        )
        return PlannedItem(item)

    def _is_for_the_way_back(self, source: EmployeeRecord) -> bool:
        """The target has hidden its leaver and is right about the 退職年月日: with both directions on, the other
        comparison of this sweep brings it here."""
        if self.planner.everybody.connection.automatic is not Automatic.BOTH or source.record is None:
            return False
        link, target = self._partner(source)
        if link is None or target is None or target.record is not None or target.person.resigned_on is None:
            return False
        here = take_snapshot(source, self.planner.terms.options)["resigned_on"]
        return self._ruling(link, source=here, target=target.person.resigned_on) in _TARGET_IS_RIGHT

    def _ruling(self, link: LinkRow, *, source: FieldState, target: FieldState) -> Ruling:
        terms, row = self.planner.terms, BY_KEY["resigned_on"]
        return rule(
            [row],
            sources=[BLANK if source is ABSENT else source],
            targets=[target],
            baseline=Baseline(link.baseline, terms.fingerprint),
            policy=terms.policies.get(row.key, terms.policy),
            direction=terms.direction,
        )

    def _partner(self, source: EmployeeRecord) -> tuple[LinkRow | None, EmployeeRecord | None]:
        link = self.planner.link(source)
        if link is None:
            return None, None
        other: System = self.planner.run.direction.target
        return link, self.planner.everybody.target_by_id.get(link.id_in(other))
