"""Plans a survey: one item per employee of the run, decided from the lists of both systems without asking them again.
Pure: no transaction and no vendor call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, lru_cache

from app.domain.completeness.unreadable import LIST_INCOMPLETE, UNREADABLE_RECORD, unreadable_notes
from app.domain.employee import EmployeeRecord, PaySchedule, YearMonth
from app.domain.enums import System, Trigger
from app.domain.matching.linking import Candidate, LinkDecision, LinkKind, decide_link
from app.domain.matching.selection import offer
from app.domain.meanwhile import OTHER_ITEMS
from app.domain.planning.declined import CREATION, CREATION_DECLINED
from app.domain.planning.mass_change import Effect, as_text, effects_of
from app.domain.planning.plan import Note, Plan, PlanKind, Severity
from app.domain.planning.seconding import NEEDS_SECOND_PERSON, second_split, with_notes
from app.domain.planning.stopping import Piece, pieces_of
from app.domain.planning.two_persons import covered_by
from app.domain.reading import name_of
from app.domain.runs.dates import closing_month, pay_month, today_in_japan
from app.domain.runs.queues import INTERACTIVE, queue_for
from app.domain.runs.run_state import ItemState
from app.domain.settings.export_settings import complete, settings_for
from app.storage.links.rows import LinkRow
from app.storage.runs.rows import NewChange, NewItem, RunRow
from app.use_cases.planning.plan_employee import Terms, agreed_digests, decide, plan_digest, unsettled_of
from app.use_cases.planning.planned_item import (
    Agreement,
    PlannedItem,
    _candidate,
    held_changes,
    mark_of,
    new_changes,
    new_notes,
    notes_of,
    pair_ids,
    state_of,
    unchanged_code,
)
from app.use_cases.planning.renewal import renewal_of
from app.use_cases.planning.stop_changes import Stops
from app.use_cases.survey.everybody import Everybody as Everybody
from app.use_cases.survey.other_month import Look, OtherMonth, Quiet
from app.use_cases.survey.plan_again import NOBODY, Again, Before
from app.use_cases.survey.unchanged import WITHOUT_A_WORD, Marks

NOTHING: frozenset[str] = frozenset()
_in_words = lru_cache(100)(str)
"""Of a month: one text for all who have it."""


def plan_everybody(
    run: RunRow,
    everybody: Everybody,
    *,
    terms: Terms,
    now: datetime,
    bulk_from: int,
    stops: Stops | None = None,
    before: Before = NOBODY,
) -> list[PlannedItem]:
    """One planned item per employee of the run, in the order of their numbers. `stops` None: a person has approved what
    the run writes, or will. `before`: who may keep the plan they have."""
    planner = SurveyPlanner(run, everybody, terms, now, stops, everybody.is_large, before)
    planned_items = [planner.find(record) for record in planner.chosen()]
    planned_items += [*planner.unknown_numbers(), *planner.incomplete_lists()]
    return in_order(planned_items, bulk_from=bulk_from)


def in_order(planned_items: list[PlannedItem], *, bulk_from: int) -> list[PlannedItem]:
    """The items in the order of employee numbers, each with its position, and with the queue for so many jobs."""
    planned_items.sort(key=lambda planned_item: (planned_item.item.employee_number, planned_item.item.source_id or ""))
    waiting = sum(not planned_item.item.state.is_final for planned_item in planned_items)
    queue = queue_for(waiting, bulk_from=bulk_from)
    for position, planned_item in enumerate(planned_items):
        planned_items[position] = replace(planned_item, item=replace(planned_item.item, position=position, queue=queue))
    return planned_items


@dataclass(frozen=True)
class SurveyPlanner:
    run: RunRow
    everybody: Everybody
    terms: Terms
    now: datetime
    stops: Stops | None = None
    is_large: bool = False
    before: Before = NOBODY

    @cached_property
    def marks(self) -> Marks:
        return Marks(self.terms, self.everybody.declined, self.stops)

    def chosen(self) -> Sequence[EmployeeRecord]:
        """The people of the run: everybody of the source, or those whose numbers the request has named."""
        if self.run.scope is None:
            return self.everybody.in_order()
        named = set(self.run.scope)
        perhaps = bool(self.unknown_numbers())  # whoever shows no readable number may have one of these
        chosen = [
            record
            for record in self.everybody.source
            if record.person.number in named or (perhaps and record.person.unsure_who and not record.person.number)
        ]
        return self.everybody.in_order(chosen)

    def unknown_numbers(self) -> list[PlannedItem]:
        """A failed item (E9) for each number that the request has named and no employee of the source has."""
        sources = self.everybody.sources
        missing = [
            number
            for number in self.run.scope or []
            if all(person.number != number for person in sources.by_number(number))
        ]
        return [
            PlannedItem(self.new_item(ItemState.FAILED, number=number, source_id=None, code="E9")) for number in missing
        ]

    def incomplete_lists(self) -> list[PlannedItem]:
        """An item without an employee for each system whose list could not be read whole: a run that may have missed
        somebody says so. The same for a master with entries that were left out."""
        lists = [
            self._about(
                LIST_INCOMPLETE, system.label, notes=(Note(f"{LIST_INCOMPLETE}_{system.value}", Severity.REVIEW),)
            )
            for system in sorted(self.everybody.incomplete)
        ]
        return lists + (
            [self._about("master_unreadable", OTHER_ITEMS["position"])] if self.everybody.odd_masters else []
        )

    def _about(self, code: str, name: str, *, notes: tuple[Note, ...] = ()) -> PlannedItem:
        """The question that no employee has."""
        item = self.new_item(ItemState.NEEDS_REVIEW, number="", source_id=None, code=code, notes=notes, name=name)
        return PlannedItem(item, trouble_key=f"?{code}:{name}")

    def unreadable(self, source: EmployeeRecord, target: EmployeeRecord | None = None) -> PlannedItem:
        """The question of somebody whose record cannot be read on one of the sides."""
        notes = (*unreadable_notes(source), *(unreadable_notes(target) if target else ()))
        found = self.end(
            source,
            ItemState.NEEDS_REVIEW,
            code=UNREADABLE_RECORD,
            target_id=target.person.id if target else None,
            notes=notes,
        )
        return found if source.person.id else replace(found, trouble_key=f"?{source.person.number}")

    def find(self, source: EmployeeRecord) -> PlannedItem:
        """The planned item of one person of the source, the one from before where it stands. Who is linked takes part
        also before and after the employment; others are left out then, with the reason."""
        return self.before.standing(self, source) or self._planned_anew(source)

    def decision(self, source: EmployeeRecord) -> LinkDecision:
        return decide_link(
            source.person,
            sources=self.everybody.sources,
            targets=self.everybody.targets,
            links=self.everybody.link_index,
            as_of_date=self.run.as_of_date,
        )

    def _planned_anew(self, source: EmployeeRecord) -> PlannedItem:
        person, link = source.person, self.link(source)
        why_not = offer(person, self.run.as_of_date).why_not
        if link is None and why_not is not None:
            return self.end(source, ItemState.LEFT_OUT, code=why_not)
        if source.unreadable:
            return self.unreadable(source)
        decision = self.decision(source)
        if self._may_be_unlisted(decision):
            return self.end(source, ItemState.NEEDS_REVIEW, code=LIST_INCOMPLETE)
        if decision.kind is LinkKind.REVIEW:
            return self.end(source, ItemState.NEEDS_REVIEW, code=decision.code, candidates=decision.candidates)
        if decision.kind is LinkKind.CREATE:
            return self._new(source, decision)
        assert decision.target_id is not None
        target = self.everybody.target_by_id[decision.target_id]
        if target.unreadable:
            return self.unreadable(source, target)
        found = self.pair(source, target, link)
        if isinstance(found, Look):
            return replace(self._left(source, target), look=found.freee_id)
        if isinstance(found, Quiet):
            return self._quiet(source, target, found)
        if any(side.record is None for side in found):
            return self._left(source, target)
        return self.planned(*found, decision)

    def pair(
        self, source: EmployeeRecord, target: EmployeeRecord, link: LinkRow | None
    ) -> tuple[EmployeeRecord, EmployeeRecord] | Look | Quiet:
        careful = self.run.trigger is not Trigger.SCHEDULE
        month = OtherMonth(self.terms, self.run.as_of_date, self.everybody.in_other_months, careful)
        return month.pair(source, target, link)

    def _left(self, source: EmployeeRecord, target: EmployeeRecord) -> PlannedItem:
        return self.end(source, ItemState.NEEDS_REVIEW, code="person_left", target_id=target.person.id)

    def _quiet(self, source: EmployeeRecord, target: EmployeeRecord, found: Quiet) -> PlannedItem:
        code = unchanged_code(Plan(PlanKind.NOTHING, notes=found.notes), self.terms)
        return self.end(source, ItemState.UNCHANGED, code=code, target_id=target.person.id, notes=found.notes)

    def _new(self, source: EmployeeRecord, decision: LinkDecision) -> PlannedItem:
        if source.record is None:
            return self.end(source, ItemState.NEEDS_REVIEW, code="person_left")
        if self.terms.is_automatic and CREATION in self.everybody.declined.get(source.person.id, {}):
            return self.end(source, ItemState.NEEDS_REVIEW, code=CREATION_DECLINED)
        if self.run.direction.target is System.FREEE and not complete(self.everybody.connection.export_settings):
            return self.end(source, ItemState.FAILED, code="export_settings_missing")
        return self.planned(source, None, decision)

    def _may_be_unlisted(self, decision: LinkDecision) -> bool:
        """Whether the decision rests on somebody not being at the target, whose list could not be read whole."""
        rests_on_it = decision.kind is LinkKind.CREATE or decision.code == "E20"
        return rests_on_it and self.run.direction.target in self.everybody.incomplete

    def planned(self, source: EmployeeRecord, target: EmployeeRecord | None, decision: LinkDecision) -> PlannedItem:
        link = self.link(source) if decision.kind is LinkKind.LINKED else None
        mark = self.marks.of(source, target, link)
        if link is not None and mark is not None and link.unchanged(self.run.direction) == mark:
            return PlannedItem(self._item_of(WITHOUT_A_WORD, source, target, ItemState.UNCHANGED))
        declined = self.everybody.declined.get(source.person.id, {})
        unsettled = unsettled_of(link, self.run.direction, declined=declined)
        decided = decide(self.terms, source, target, link.baseline if link else {}, unsettled)
        plan, second = self._seconded(decided.plan, source, target)
        plan, waiting_pieces, counted = self._divided(plan, source, target)
        state, code = state_of(plan, preview=self.run.dry_run)
        if state is ItemState.UNCHANGED:
            code = unchanged_code(plan, self.terms)
        item = self._item_of(plan, source, target, state, code, counted)
        waiting = not state.is_final
        renewal = renewal_of(self.run.direction, source, target, decided, link, self.terms.fingerprint, self.stops)
        told = PlannedItem(item, waiting=waiting_pieces, second=second, renewal=renewal)
        if target is None or waiting:
            return told
        smarthr_id, freee_id = pair_ids(self.terms, source.person.id, target.person.id)
        digests = agreed_digests(decided, None)
        if link is not None and link.baseline == digests and not decided.settled:
            if mark is not None and decided.plan == WITHOUT_A_WORD:
                return replace(told, unchanged=(link.id, mark))
            return told  # nothing to store: of most people of a large company this is all there is to keep
        compared = Again(self, source.person.id, target.person.id) if self.is_large else lambda _: digests
        link_id, seen = (link.id, mark_of(link.baseline)) if link else (None, 0)
        settled = decided.settled or NOTHING
        return replace(told, agreement=Agreement(smarthr_id, freee_id, compared, link_id, seen, settled))

    def _item_of(
        self,
        plan: Plan,
        source: EmployeeRecord,
        target: EmployeeRecord | None,
        state: ItemState,
        code: str | None = None,
        counted: frozenset[Effect] = frozenset(),
    ) -> NewItem:
        closing, paid = self._months(source, target)
        waiting = not state.is_final
        keeps = waiting and self.run.dry_run
        return self.new_item(
            state,
            number=source.person.number,
            source_id=source.person.id,
            target_id=target.person.id if target else None,
            kind=plan.kind,
            code=code,
            notes=notes_of(plan),
            closing_month=_in_words(closing) if closing else None,
            pay_month=_in_words(paid) if paid else None,
            approved_digest=plan_digest(self.terms, plan) if keeps else None,
            changes=(*new_changes(plan), *held_changes(plan)) if keeps else (),
            name=name_of(source),
            effects=as_text(counted) if waiting else "",
        )

    def _seconded(
        self, plan: Plan, source: EmployeeRecord, target: EmployeeRecord | None
    ) -> tuple[Plan, tuple[Piece, ...]]:
        """(the plan without what waits for a second person, the pieces that wait). A preview shows the whole plan and
        says so; the jobs of an approved run divide theirs."""
        covered = covered_by(self.everybody.connection.two_persons)
        if self.run.dry_run:
            return with_notes(plan, covered, NEEDS_SECOND_PERSON, Severity.INFO), ()
        if self.stops is None:
            return plan, ()
        split = second_split(
            plan,
            pieces_of(plan, today=self.stops.today, fingerprint=self.stops.fingerprint),
            known=self.stops.known(source.person.id, target.person.id if target else None),
            covered=covered,
            target=self.run.direction.target,
            is_automatic=self.run.trigger.is_automatic,
        )
        return split.plan, split.waiting

    def _divided(
        self, plan: Plan, source: EmployeeRecord, target: EmployeeRecord | None
    ) -> tuple[Plan, tuple[Piece, ...], frozenset[Effect]]:
        """(what of the plan this run may write, what of it waits for a person, the effects that count for a mass
        change)."""
        if self.stops is None:
            return plan, (), effects_of(plan, today=today_in_japan(self.now))
        split = self.stops.split(plan, source.person.id, target.person.id if target else None)
        return split.plan, split.waiting, split.counted

    def link(self, source: EmployeeRecord) -> LinkRow | None:
        return self.everybody.link_of(source)

    def _months(
        self, source: EmployeeRecord, target: EmployeeRecord | None
    ) -> tuple[YearMonth | None, YearMonth | None]:
        """(closing month, pay month) of the record that freee holds, or will hold, for this person."""
        in_freee = source if source.person.system is System.FREEE else target
        schedule: PaySchedule | None
        if in_freee is not None and in_freee.month is not None:
            return in_freee.month, pay_month(in_freee.month, in_freee.person.pay_schedule)
        if in_freee is not None:
            schedule = in_freee.person.pay_schedule
        else:
            settings = settings_for(self.everybody.connection, source)
            schedule = self.everybody.connection.pay_schedules.get(settings.pay_schedule_name) if settings else None
        closing = closing_month(self.run.as_of_date, schedule)
        return closing, pay_month(closing, schedule)

    def end(
        self,
        source: EmployeeRecord,
        state: ItemState,
        *,
        code: str | None,
        candidates: tuple[Candidate, ...] = (),
        target_id: str | None = None,
        notes: tuple[Note, ...] = (),
    ) -> PlannedItem:
        return PlannedItem(
            self.new_item(
                state,
                number=source.person.number,
                source_id=source.person.id or None,
                target_id=target_id,
                code=code,
                notes=notes,
                candidates=candidates,
                name=name_of(source),
            )
        )

    def new_item(
        self,
        state: ItemState,
        *,
        number: str,
        source_id: str | None,
        code: str | None,
        kind: PlanKind = PlanKind.NOTHING,
        target_id: str | None = None,
        notes: tuple[Note, ...] = (),
        candidates: tuple[Candidate, ...] = (),
        closing_month: str | None = None,
        pay_month: str | None = None,
        approved_digest: str | None = None,
        changes: tuple[NewChange, ...] = (),
        name: str = "",
        effects: str = "",
    ) -> NewItem:
        """One item. An item that waits holds the slot of its employee and direction, so that no second job for them
        runs at the same time; in a preview it is chosen instead."""
        waiting = not state.is_final
        return NewItem(
            run_id=self.run.id,
            connection_id=self.run.connection_id,
            direction=self.run.direction,
            position=0,
            employee_number=number,
            source_id=source_id,
            target_id=target_id,
            kind=kind.value,
            queue=INTERACTIVE,
            state=state,
            created_at=self.now,
            holds_slot=waiting and not self.run.dry_run,
            closing_month=closing_month,
            pay_month=pay_month,
            approved_digest=approved_digest,
            error_code=code,
            notes=new_notes(notes),
            candidates=tuple(_candidate(candidate) for candidate in candidates),
            changes=changes,
            name=name,
            chosen=waiting and self.run.dry_run,
            effects=effects,
        )
