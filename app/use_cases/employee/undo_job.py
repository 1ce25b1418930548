"""One attempt at taking back what a run wrote to one employee.

The job reads the target, plans by the same rule as the preview, writes step by step and records the outcome. It neither
reads nor writes the source. Values go back as they stood there, character for character. A vendor may refuse what it
once held (half-width kana that somebody typed on its screen); then the other items still go back, and that one in the
form the vendor takes, when there is one that means the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.domain.employee import EmployeeRecord
from app.domain.errors import ItemError
from app.domain.meanwhile import notes_of_lost_answer
from app.domain.planning import unsettled as unsettled_writes
from app.domain.planning.plan import Change, Note, Plan, Severity
from app.domain.planning.undoing import Written, undone
from app.domain.planning.unsettled import Comparison
from app.domain.runs.run_state import BAD_ITEM_STATES, ItemState
from app.domain.snapshot import Snapshot, Unconvertible
from app.domain.vendors.answer import packed
from app.storage.links.rows import LinkRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.employee.attempt import Attempt
from app.use_cases.employee.fresh_write import FreshWriter, MovedSince
from app.use_cases.employee.outcome import (
    ItemOutcome,
    Job,
    ended_by,
    outcome_of_write,
    record_outcome,
    unreadable_outcome,
    with_notes,
)
from app.use_cases.employee.step_log import StepLog
from app.use_cases.planning.plan_employee import Unsettled, take_target, unsettled_of
from app.use_cases.planning.plan_reversal import (
    not_quite_back,
    plan_back,
    read_in_its_month,
    terms_of_undo,
    things,
    undone_by,
)
from app.use_cases.planning.planned_item import new_changes
from app.use_cases.planning.proof import Prover, hoping, in_doubt, without
from app.use_cases.shared.call_counter import counted
from app.use_cases.shared.lease import Lease


class UndoJob:
    """`do()` puts back the values that are still as the run wrote them, and stores the outcome. Raises the gateways'
    errors, LeaseLost."""

    def __init__(self, job: Job, lease: Lease) -> None:
        self._job, self._ctx, self._item, self._run = job, job.ctx, job.item, job.run
        self._target = job.ctx.gateway(job.connection, job.run.direction.target)
        self._steps = StepLog(job, lease)
        self._writer = FreshWriter(self._target, self._steps)
        self._terms = hoping(terms_of_undo(job.ctx, job.run, job.connection), job.connection)
        self._attempt = Attempt(job, self._terms.fingerprint)

    def do(self) -> ItemOutcome:
        with counted(self._ctx, self._run.id, self._target, ledger=self._job.ledger):
            try:
                outcome = with_notes(self._take_back(), self._writer.notes)
            except ItemError as error:
                if not self._writer.notes:
                    raise
                return ended_by(self._job, error, self._writer.notes)
        refused = packed(self._steps.answers) if outcome.state in BAD_ITEM_STATES else None
        record_outcome(self._job, outcome, detail=refused)
        return outcome

    def _take_back(self) -> ItemOutcome:
        written = self._written()
        if written is None:
            return ItemOutcome(ItemState.NEEDS_REVIEW, "cannot_restore")
        target = read_in_its_month(self._target, self._run, self._item)
        if target is None:
            return ItemOutcome(ItemState.NEEDS_REVIEW, "E20")
        if target.record is None and not target.unreadable:
            return ItemOutcome(ItemState.NEEDS_REVIEW, "person_left")
        return self._write(written, target)

    def _write(self, written: tuple[Written, ...], target: EmployeeRecord) -> ItemOutcome:
        if target.unreadable:
            return unreadable_outcome(target)
        self._job.ledger.store_seen()  # what this attempt has written before belongs to what is decided now
        plan = self._planned(written, target, None)
        carried_out = self._attempt.settle(plan, ())
        self._writer.notes += notes_of_lost_answer(self._target.system, carried_out)
        plan = replace(plan, changes=self._writer.still_to_do(plan.changes))
        if self._attempt.approval_is_void(plan):
            return ItemOutcome(ItemState.NEEDS_REVIEW, "approved_plan_changed", plan)
        link = self._link()
        unsettled = unsettled_of(link, self._run.direction, item=self._item.id)
        plan = self._planned(written, target, unsettled)
        plan = replace(plan, changes=self._writer.still_to_do(plan.changes))
        if not plan.changes:
            self._writer.end()
            return self._attempt.outcome_without_write(plan)
        self._keep(plan, link, take_target(target, self._terms))
        try:
            after, refused = self._put_back(plan, written, target, unsettled)
        except MovedSince as moved:
            self._writer.count_move()
            return self._write(written, moved.target)
        plan = replace(
            plan, changes=tuple({each.key: each for each in (*self._writer.written, *plan.changes)}.values())
        )
        self._note_shown(plan, link, take_target(after, self._terms))
        besides = {note.key for note in refused}
        return outcome_of_write(
            plan, (*plan.notes, *refused, *not_quite_back(self._terms, plan, after, besides=besides))
        )

    def _planned(self, written: tuple[Written, ...], target: EmployeeRecord, unsettled: Unsettled | None) -> Plan:
        """The plan, with every null proved that it would write over: another value may be hidden behind it."""
        plan = plan_back(self._terms, written, target, unsettled)
        names = in_doubt(plan, target, is_source=False)
        if names and (hidden := Prover(self._job.connection, self._target).unproven(names, target)):
            self._terms = without(self._terms, self._target.system, hidden)
            return plan_back(self._terms, written, target, unsettled)
        return plan

    def _put_back(
        self, plan: Plan, written: tuple[Written, ...], target: EmployeeRecord, unsettled: Unsettled
    ) -> tuple[EmployeeRecord, list[Note]]:
        """Write the plan; when the vendor refuses a value, thing by thing. Raises ItemError when it refuses all, and
        MovedSince."""

        def replan(now: EmployeeRecord) -> Sequence[Change]:
            return plan_back(self._terms, written, now, unsettled).changes

        try:
            return self._writer.write(plan.changes, target, replan, options=self._terms.options), []
        except ItemError as error:
            now = read_in_its_month(self._target, self._run, self._item)
            if now is None or now.record is None or not any(change.exact for change in plan.changes):
                raise
            after, refused = self._one_by_one(plan_back(self._terms, written, now).changes, written, now)
            if len({note.key for note in refused}) == len(things(plan.changes)):
                raise error from None
            return after, refused

    def _one_by_one(
        self, changes: Sequence[Change], written: tuple[Written, ...], now: EmployeeRecord
    ) -> tuple[EmployeeRecord, list[Note]]:
        refused = []
        for thing in things(changes):
            try:
                now = self._thing(thing, written, now)
            except MovedSince as moved:
                now = moved.target
                refused.append(Note("changed_since", Severity.REVIEW, thing[0].key))
            except ItemError as error:
                refused.append(Note(error.code, Severity.REVIEW, thing[0].key))
        return now, refused

    def _thing(self, thing: Sequence[Change], written: tuple[Written, ...], now: EmployeeRecord) -> EmployeeRecord:
        """Put one thing back as it was, else in the vendor's usual form. Raises ItemError, MovedSince."""
        try:
            return self._apply(thing, written, now)
        except ItemError:
            if any(isinstance(change.after, Unconvertible) for change in thing):
                raise
            return self._apply([replace(change, exact=None) for change in thing], written, now)

    def _apply(self, changes: Sequence[Change], written: tuple[Written, ...], now: EmployeeRecord) -> EmployeeRecord:
        keys = {change.key for change in changes}

        def replan(seen: EmployeeRecord) -> Sequence[Change]:
            return [each for each in plan_back(self._terms, written, seen).changes if each.key in keys]

        writer = FreshWriter(self._target, self._steps)
        try:
            return writer.write(changes, now, replan, options=self._terms.options)
        finally:
            self._writer.notes += writer.notes

    def _link(self) -> LinkRow | None:
        with self._ctx.unit_of_work().reading() as uow:
            return uow.links.by_source(self._item.connection_id, self._target.system, self._item.target_id or "")

    def _keep(self, plan: Plan, link: LinkRow | None, target: Snapshot) -> None:
        """Store the plan, and mark its items as undone in the link's baseline. The mark ends what both sides had agreed
        on. Both happen in one transaction before the first request, because the sides differ as soon as it has left."""

        def store(uow: UnitOfWork) -> None:
            uow.changes.replace(self._item.id, new_changes(plan))
            if link is not None:
                uow.links.set_baseline(link.id, undone(link.baseline, [change.key for change in plan.changes]))

        self._job.ledger.planned("plan", store)
        if link is not None:
            compared = Comparison(target, plan.changes, self._terms.fingerprint)
            self._steps.remember_at(link.id, self._run.direction, compared)

    def _note_shown(self, plan: Plan, link: LinkRow | None, now: Snapshot) -> None:
        if link is not None:
            fingerprint, direction = self._terms.fingerprint, self._run.direction
            self._job.ledger.learned(
                link.id,
                lambda state: state.remember(
                    direction, lambda memory: unsettled_writes.shown(memory, plan.changes, now, fingerprint)
                ),
            )

    def _written(self) -> tuple[Written, ...] | None:
        """What the run that is taken back wrote to this employee. None: the retention has erased the values."""
        assert self._run.undone_run_id is not None
        with self._ctx.unit_of_work().reading() as uow:
            original = uow.items.at(self._run.undone_run_id, self._item.position)
            if original is None:
                return None
            changes, steps = uow.changes.of_items([original.id]), uow.steps.of_items([original.id])
        return undone_by(changes[original.id], steps[original.id], original).written
