"""One attempt at one employee: read both sides, plan, write step by step, record the outcome.

A repetition plans again: a value that the last attempt wrote is no longer a difference, so the repetition goes on where
the last attempt stopped. The attempt number of the claim is the fence: every commit of this job names it, and a job
that has lost its lease stops before its next request.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from app.domain.employee import EmployeeRecord, Person
from app.domain.enums import Step, System
from app.domain.errors import ItemError, QuestionError
from app.domain.mapping import FIELDS
from app.domain.matching.linking import LinkIndex
from app.domain.matching.marks import marks_of
from app.domain.meanwhile import notes_of_lost_answer
from app.domain.planning.declined import CREATION, CREATION_DECLINED
from app.domain.planning.plan import Change, Plan
from app.domain.planning.stopping import equal_units
from app.domain.planning.unsettled import Comparison, altered, shown
from app.domain.ports import CreateRequest
from app.domain.reading import name_of
from app.domain.runs.run_state import ItemState
from app.domain.settings.export_settings import settings_for
from app.domain.snapshot import BLANK, Snapshot
from app.storage.links.rows import Identity, KnownPerson, LinkRow, LinkState
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.employee.attempt import Attempt
from app.use_cases.employee.before_create import BeforeCreate
from app.use_cases.employee.create_turn import turn_to_create
from app.use_cases.employee.fresh_write import FreshWriter, MovedSince
from app.use_cases.employee.outcome import (
    ItemOutcome,
    Job,
    ended_by,
    outcome_with_write,
    record_outcome,
    unreadable_outcome,
    with_notes,
)
from app.use_cases.employee.passing import Known, Passing
from app.use_cases.employee.read_pair import EmployeePair, PairReader
from app.use_cases.employee.seconding import Seconding
from app.use_cases.employee.step_log import StepLog
from app.use_cases.employee.taken_number import NUMBER, TakenNumber, why_taken
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.planning.hidden_people import listed_digest
from app.use_cases.planning.plan_employee import (
    Decided,
    Terms,
    agreed_digests,
    decide,
    fingerprint_of,
    take_target,
    terms_of_run,
    unsettled_of,
)
from app.use_cases.planning.planned_item import new_changes, pair_ids, state_without_write
from app.use_cases.planning.proof import Prover, hoping, in_doubt, in_doubt_of_new, without
from app.use_cases.shared.call_counter import counted
from app.use_cases.shared.lease import Lease, LeaseLost


class EmployeeJob:
    """`do()` brings the employee into line and stores the outcome. Raises the gateways' errors, LeaseLost and
    Parked."""

    def __init__(self, job: Job, lease: Lease) -> None:
        ctx, run, connection = job.ctx, job.run, job.connection
        self._job, self._ctx, self._item, self._run, self._connection = job, ctx, job.item, run, connection
        self._source = ctx.gateway(connection, run.direction.source)
        self._target = ctx.gateway(connection, run.direction.target)
        self._pair_reader = PairReader(job, self._source, self._target, lease)
        self._number = self._name = ""
        self._target_id: str | None = None
        self._steps = StepLog(job, lease)
        self._writer = FreshWriter(self._target, self._steps, source=self._source)
        terms = terms_of_run(
            connection,
            direction=run.direction,
            trigger=run.trigger,
            as_of_date=run.as_of_date,
            signing=ctx.keys.signing,
            municipalities=ctx.municipalities,
        )
        self._terms: Terms = hoping(terms, connection)
        self._attempt = Attempt(job, self._terms.fingerprint)
        self._created: Sequence[Change] = ()
        self._passing = Passing(job, self._terms.fingerprint)
        self._seconding = Seconding(job, self._terms.fingerprint)
        self._declined: Mapping[str, str] = {}
        if self._terms.is_automatic:  # a run that a person has started writes what was declined as well
            with ctx.unit_of_work().reading() as uow:
                self._declined = uow.beginnings.declined_of(connection.id, run.direction, job.item.source_id or "")
        self._taken: TakenNumber | None = None
        self._proven: dict[System, frozenset[str]] = dict.fromkeys(System, frozenset())

    def do(self) -> ItemOutcome:
        with counted(self._ctx, self._run.id, self._source, self._target, ledger=self._job.ledger):
            try:
                outcome = with_notes(self._bring_into_line(), self._writer.notes)
            except ItemError as error:
                self._job.sides[1:] = self._writer.shown or self._job.sides[1:]
                if not self._writer.notes:
                    raise
                return ended_by(self._job, error, self._writer.notes)
        record_outcome(self._job, outcome, number=self._number, name=self._name, target_id=self._target_id)
        return outcome

    # ── deciding ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _bring_into_line(self) -> ItemOutcome:
        pair = self._pair_reader.read()
        if isinstance(pair, ItemOutcome):
            return pair
        self._writer.has_read()
        person = pair.source.person
        self._number, self._name = person.number, name_of(pair.source)
        self._job.sides[:] = [pair.source]
        return self._with(pair)

    def _with(self, pair: EmployeePair) -> ItemOutcome:
        if pair.target is None:
            return self._create(pair.source)
        self._target_id = pair.target.person.id
        self._pair_reader.keep_months(pair.target, pair.source)
        try:
            return self._write(pair.source, pair.target, pair.link)
        except ItemError as error:
            return self._without_number(pair, error)

    def _without_number(self, pair: EmployeePair, error: ItemError) -> ItemOutcome:
        """Write all but a 社員番号 that somebody else still holds, from a new reading, because other requests of the
        plan may have gone through. Raises `error` when it is about something else, and TemporaryError."""
        if self._taken is not None:
            raise error
        self._taken = why_taken(self._job, pair, error, source=self._source, target=self._target)
        self._writer = self._writer.anew()
        self._job.ledger.store_seen()
        again = self._pair_reader.read()
        if isinstance(again, ItemOutcome):
            return again
        self._writer.has_read()
        outcome = self._with(again)
        return replace(outcome, state=self._taken.state, code=self._taken.code, detail=self._taken.detail)

    def _write(
        self, source: EmployeeRecord, target: EmployeeRecord, link: LinkRow | None, *, just_created: bool = False
    ) -> ItemOutcome:
        """`just_created`: the target is the answer to our own create, which proves nothing about what stays."""
        self._job.sides[:] = (source, target)
        if target.unreadable:
            return unreadable_outcome(target)
        self._job.ledger.store_seen()  # what this attempt has written before belongs to what is decided now
        ticked = self._item.ticked or ()
        decided = self._proved(source, target, link, ticked)
        decided = replace(decided, settled=frozenset()) if just_created else decided
        if self._taken is not None:
            resting = decided.resting | {NUMBER}
            decided = replace(decided, plan=self._taken.left_out_of(decided.plan), resting=resting)
        plan = replace(decided.plan, changes=self._writer.still_to_do(decided.plan.changes))
        decided = replace(decided, plan=plan)
        carried_out = self._attempt.settle(plan, decided.resting)
        self._writer.notes += notes_of_lost_answer(self._target.system, carried_out)
        approved = self._decided(source, target, link, ()).plan if ticked else plan
        assert decided.target is not None
        sides = (decided.source, decided.target)
        if self._taken is None and self._attempt.approval_is_void(plan, approved=approved, sides=sides):
            return ItemOutcome(ItemState.NEEDS_REVIEW, "approved_plan_changed", plan)
        if plan.stops:
            return ItemOutcome(ItemState.FAILED, plan.stops[0].code, plan)
        decided, plan = self._passed(decided, just_created=just_created)
        link = link or self._store_link(source, target)
        if not plan.changes:
            self._writer.end()
            self._agree(link, decided, None)
            self._forget_stopped(decided, decided.target)
            return self._and_on(source, target, self._attempt.outcome_without_write(plan, self._terms))
        self._plan_stored(plan)
        compared = Comparison(sides[1], plan.changes, self._terms.fingerprint)
        self._steps.remember_at(link.id, self._run.direction, compared)

        def replan(now: EmployeeRecord) -> Sequence[Change]:
            changes = self._decided(source, now, link, ticked).plan.changes
            return [change for change in changes if change.key not in decided.resting]

        try:
            after = self._writer.write(plan.changes, target, replan, options=self._terms.options)
        except MovedSince as moved:
            self._writer.count_move()
            return self._write(source, moved.target, link)
        self._job.sides[:] = (source, after)
        decided = replace(decided, plan=replace(plan, changes=tuple(self._writer.written)))
        now = take_target(after, self._terms)
        self._agree(link, decided, now)
        self._forget_stopped(decided, now)
        outcome = self._ended_with_write(source, after, decided, altered(link.memory(self._run.direction)))
        return self._and_on(source, after, outcome)

    def _and_on(self, source: EmployeeRecord, after: EmployeeRecord, outcome: ItemOutcome) -> ItemOutcome:
        """Go on in the month of the run when the write of a date has brought it into the employment (a leaving was
        revoked). Whoever approved a plan has seen no more of it than that date: the next run brings the rest."""
        if not after.once_only or self._item.approved_digest is not None:
            return outcome
        shown_now = self._pair_reader.read_on(source, after)
        if shown_now is None:
            return outcome
        self._pair_reader.keep_months(shown_now, source)
        self._job.ledger.store_seen()
        further = self._write(source, shown_now, self._pair_reader.link())
        return outcome if further.state is ItemState.UNCHANGED else further

    def _proved(
        self, source: EmployeeRecord, target: EmployeeRecord, link: LinkRow | None, ticked: Collection[str]
    ) -> Decided:
        """Decide, and prove every null that the plan takes for a blank. What nobody proves is left alone from here on
        (`_terms`)."""
        hoped, decided = self._terms, self._decided(source, target, link, ticked)
        for side, gateway in ((source, self._source), (target, self._target)):
            names = in_doubt(decided.plan, side, is_source=side is source) - self._proven[gateway.system]
            self._proven[gateway.system] |= names
            if names and (hidden := Prover(self._connection, gateway).unproven(names, side)):
                self._terms = without(self._terms, gateway.system, hidden)
        return decided if self._terms is hoped else self._decided(source, target, link, ticked)

    def _decided(
        self, source: EmployeeRecord, target: EmployeeRecord, link: LinkRow | None, ticked: Collection[str]
    ) -> Decided:
        unsettled = unsettled_of(link, self._run.direction, item=self._item.id, declined=self._declined)
        return decide(self._terms, source, target, link.baseline if link else {}, unsettled, ticked=ticked)

    def _ended_with_write(
        self, source: EmployeeRecord, after: EmployeeRecord, decided: Decided, altered_before: frozenset[str]
    ) -> ItemOutcome:
        left = decide(self._terms, source, after, decided.baseline.digests, ticked=self._item.ticked or ())
        assert left.target is not None
        told = {change.key for change in decided.plan.changes} | decided.resting
        others = tuple(change for change in left.plan.changes if change.key not in told)
        left_over, moved = replace(left.plan, changes=others), {note.key for note in self._writer.notes}
        return outcome_with_write(decided.plan, left_over, left.target, altered_before, moved)

    def _passed(self, decided: Decided, *, just_created: bool = False) -> tuple[Decided, Plan]:
        """What is decided, with the part of the plan that this run may write. Raises Parked. `just_created`: the
        employee was weighed as a whole, but what waits for a second person waits all the same."""
        known = Known(self._number, self._name, self._target_id)
        remembered = self._passing.remembered(known)
        split = self._seconding.split(decided.plan, known, remembered)
        removed = split.removed
        if not just_created:
            remembered = self._passing.remembered(known) if split.waiting else remembered
            split = self._passing.split(split.plan, known, remembered)
        return replace(decided, plan=split.plan, resting=decided.resting | removed | split.removed), split.plan

    def _forget_stopped(self, decided: Decided, target: Snapshot | None) -> None:
        """Forget the stopped changes of this pair that are no difference any more."""
        units = {row.unit for row in self._passing.rows}
        if units:
            for run_id in self._passing.forget(equal_units(units, decided.source, target)):
                close_run_if_done(self._ctx, run_id)

    # ── creating ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _create(self, source: EmployeeRecord) -> ItemOutcome:
        if self._terms.is_automatic and CREATION in self._declined:
            return ItemOutcome(ItemState.NEEDS_REVIEW, CREATION_DECLINED)
        self._prove_decisive(source)
        decided = decide(self._terms, source, None, {})
        plan = decided.plan
        if self._attempt.approval_is_void(plan):
            return ItemOutcome(ItemState.NEEDS_REVIEW, "approved_plan_changed", plan)
        if plan.stops:
            return ItemOutcome(ItemState.FAILED, plan.stops[0].code, plan)
        plan = self._passed(decided)[1]
        if not plan.changes:  # the plan holds all back, for instance because of 未選択 in a required field
            return ItemOutcome(*state_without_write(plan), plan)
        with turn_to_create(self._ctx, self._connection, self._target.system) as turn:
            found = BeforeCreate(self._job, self._pair_reader, self._target).look(source)
            if isinstance(found, ItemOutcome):
                return found
            if found is None:
                turn.check()
                self._plan_stored(plan)
                created = self._target.create(self._create_request(source, plan), self._steps)
                self._writer.has_read()
                self._created = plan.changes
                link = self._store_link(source, created)
        if found is not None:
            return self._with(found)
        self._target_id = created.person.id
        outcome = self._write(source, created, link, just_created=True)
        if outcome.state is ItemState.UNCHANGED:
            return ItemOutcome(ItemState.SUCCEEDED, None, plan)
        return ItemOutcome(outcome.state, outcome.code, plan, outcome.notes)

    def _prove_decisive(self, source: EmployeeRecord) -> None:
        """Prove the nulls that would decide a creation, such as that of 退職年月日. The survey of the run has just done
        so; an item of a webhook, and one that has waited long, asks."""
        prover, names = Prover(self._connection, self._source), in_doubt_of_new(source, self._terms)
        if not self._pair_reader.is_gathered:
            names = prover.stale(names, self._ctx.clock.now())
        if names and (hidden := prover.unproven(names, source)):
            self._terms = without(self._terms, source.person.system, hidden, gone=True)

    def _create_request(self, source: EmployeeRecord, plan: Plan) -> CreateRequest:
        return CreateRequest(
            changes=plan.changes,
            as_of_date=self._run.as_of_date,
            options=self._terms.options,
            export_settings=settings_for(self._connection, source),
            pay_schedules=self._connection.pay_schedules,
        )

    # ── reading and keeping ───────────────────────────────────────────────────────────────────────────────────────

    def _store_link(self, source: EmployeeRecord, target: EmployeeRecord) -> LinkRow:
        """Store the link of a pair. After a create, the same transaction marks the create as done, so that it counts as
        carried out only together with its link."""
        self._pair_reader.keep_months(target, source)
        try:
            return self._stored_link(source, target)
        except IntegrityError:  # a survey linked these two just now (PostgreSQL): the repetition sees it
            return self._stored_link(source, target)

    def _stored_link(self, source: EmployeeRecord, target: EmployeeRecord) -> LinkRow:
        smarthr_id, freee_id = pair_ids(self._terms, source.person.id, target.person.id)
        now = self._ctx.clock.now()
        with self._job.ledger.commit() as uow:
            if not uow.items.set_target(self._item.id, self._item.attempt, target.person.id):
                raise LeaseLost
            link = self._linked_meanwhile(uow, source, target) or uow.links.create(
                self._connection.id, smarthr_id, freee_id, now=now
            )
            if self._steps.created_keys is not None:
                uow.steps.done(self._item.id, self._item.attempt, Step.CREATE, now=now)
                uow.changes.mark_written(self._item.id, self._steps.created_keys, step=Step.CREATE)
                self._note_created(uow, source.person, target.person, now)
                link = self._remember_create(uow, link, self._steps.created_keys)
        return link

    def _remember_create(self, uow: UnitOfWork, link: LinkRow, keys: Sequence[str]) -> LinkRow:
        """Count the create as the first write of its items. Returns the link with that memory."""
        nothing = Snapshot({row.key: BLANK for row in FIELDS})
        compared = Comparison(nothing, self._created, self._terms.fingerprint)
        self._steps.remember_at(link.id, self._run.direction, compared)
        self._steps.note_created(uow, keys)
        return uow.links.by_source(self._connection.id, System.SMARTHR, link.smarthr_id) or link

    def _note_created(self, uow: UnitOfWork, source: Person, created: Person, now: datetime) -> None:
        """Tell the other connections to the same target whom Awase has created there, with the source's kana and birth
        date, as these were sent."""
        identity = Identity(source.last_name_kana, source.first_name_kana, source.birth_date)
        listed = listed_digest(self._ctx, created)
        marks = marks_of(replace(source, number=created.number), fingerprint_of(self._ctx.keys.signing))
        known = KnownPerson(created.id, created.number, listed, identity, read_at=now, made_at=now, marks=marks)
        system = created.system
        uow.known_people.keep(self._connection.id, system, self._connection.tenant_of(system), [known])

    def _linked_meanwhile(self, uow: UnitOfWork, source: EmployeeRecord, target: EmployeeRecord) -> LinkRow | None:
        """The link between just these two people that another run has stored, or None. Raises QuestionError when one of
        them is linked to another person."""
        sides = (source.person, target.person)
        elsewhere = LinkIndex((), elsewhere=uow.links.elsewhere(self._connection.id, target.person.id))
        if elsewhere.is_taken_elsewhere(target.person, source.person):
            raise QuestionError("linked_elsewhere")
        links = [uow.links.by_source(self._connection.id, person.system, person.id) for person in sides]
        if links[0] != links[1]:
            raise QuestionError("E7")
        return links[0]

    def _agree(self, link: LinkRow, decided: Decided, now: Snapshot | None) -> None:
        """Store what both sides agree on now, and what the answers of the writes show. `now`: the target as these
        answers show it; None: nothing was written."""
        digests = agreed_digests(decided, now)
        if digests == link.baseline and not decided.settled and now is None:
            return

        fingerprint = self._terms.fingerprint

        def learned(state: LinkState) -> None:
            if digests != link.baseline:
                state.move_baseline(digests, seen=link.baseline)
            state.settle(decided.settled)
            if now is not None:
                state.remember(
                    self._run.direction, lambda memory: shown(memory, decided.plan.changes, now, fingerprint)
                )

        self._job.ledger.learned(link.id, learned)

    def _plan_stored(self, plan: Plan) -> None:
        self._job.ledger.planned("plan", lambda uow: uow.changes.replace(self._item.id, new_changes(plan)))
