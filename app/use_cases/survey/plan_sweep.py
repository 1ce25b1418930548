"""Plans a sweep: decides as every survey does, but leaves out what people do not need to read every hour.

Employees found equal are counted and get no item. Leavers take part only while one of their items still differs.
Employees in quarantine are left alone until one of the two sides, or the cause, has changed.
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
from app.domain.planning.mass_change import as_text, effects_of
from app.domain.planning.plan import Change, Plan, PlanKind
from app.domain.planning.rule_version import version_of
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
from app.use_cases.planning.plan_employee import Terms, plan_digest, take_target
from app.use_cases.planning.planned_item import PlannedItem, new_changes
from app.use_cases.planning.stop_changes import Stops
from app.use_cases.shared.repeated_trouble import note_trouble
from app.use_cases.survey.plan_survey import Everybody, SurveyPlanner, in_order

_FEW_UNPLANNED = 3
_TARGET_IS_RIGHT = frozenset({Ruling.TARGET_NEWER, Ruling.TARGET_WINS})


def compare_everybody(
    run: RunRow,
    everybody: Everybody,
    *,
    terms: Terms,
    now: datetime,
    bulk_from: int,
    troubles: Mapping[str, TroubleRow],
    stops: Stops | None = None,
) -> list[PlannedItem]:
    """The planned items of a sweep, in the order of employee numbers: one per employee who is employed on the day, one
    per leaver with an item that still differs, and one per link whose person the source no longer lists. `troubles`:
    source id → trouble."""
    comparison = _Comparison(SurveyPlanner(run, everybody, terms, now, stops), troubles)
    found = [*(comparison.find(source) for source in everybody.source), *comparison.vanished()]
    planned_items = [planned_item for planned_item in found if planned_item is not None]
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
        """The planned item of one person of the source. None: the person has not joined yet, or has left and there is
        nothing to do."""
        planned_item = self._found(source)
        if planned_item is None or planned_item.item.state is ItemState.UNCHANGED:
            return planned_item and replace(planned_item, has_item=False)
        trouble = self.troubles.get(source.person.id)
        if trouble is None:
            return planned_item
        content = self._content(source, planned_item)
        left_alone = trouble.quarantined_at is not None and not _is_news(trouble.content, content)
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
        """An item for each link whose person the source's list does not contain. Pages shift while a list is read
        (smarthr-api.md trap 20), so a job asks for this person before Awase takes the link for broken."""
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
        """Digest of both sides, and of the state and code of the item. State and code belong to it, because a
        person's answer to a question must lift the quarantine although neither side has changed."""
        terms = self.planner.terms
        target = self.planner.everybody.target_by_id.get(planned_item.item.target_id or "")
        sides = [
            content_digest(take_snapshot(side, terms.options), terms.fingerprint) for side in (source, target) if side
        ]
        ended = [planned_item.item.state.value, planned_item.item.error_code or ""]
        return terms.fingerprint("trouble", " ".join([*sides, *ended]))

    # ── leavers ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _leaver(self, source: EmployeeRecord) -> PlannedItem | None:
        """The item of an employee who left before the day, to bring over what differs. None: the employee is not
        linked, the target no longer shows them, or there is nothing to write."""
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
        """The item of a leaver whom freee, the source, hides because their month is over. A 退職年月日 that was entered
        after that still has to reach the target, so the job reads the last month in which freee shows the leaver.
        Should other items differ in that month, an approval of this plan does not cover them."""
        left, schedule = source.person.resigned_on, source.person.pay_schedule
        there = take_target(target, self.planner.terms)["resigned_on"]
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
        """Whether the run of the other direction handles this leaver: the target hides the leaver and has the right
        退職年月日. With both directions on, the sweep's run in the other direction brings that date here."""
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


def _is_news(before: str | None, now: str) -> bool:
    """Whether the employee is found otherwise than before. The digest of an older release cannot tell."""
    return before is not None and version_of(before) == version_of(now) and before != now
