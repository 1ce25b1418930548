"""One attempt at taking back what a run wrote to one employee.

The job reads the target, plans by the same rule as the preview, writes step by step and records the outcome. It neither
reads nor writes the source.
"""

from __future__ import annotations

from app.domain.employee import EmployeeRecord
from app.domain.planning import unsettled as unsettled_writes
from app.domain.planning.plan import Plan, PlanKind
from app.domain.planning.undoing import Written, undone
from app.domain.planning.unsettled import Comparison
from app.domain.reading import take_snapshot
from app.domain.runs.run_state import ItemState
from app.domain.snapshot import Snapshot
from app.storage.links.rows import LinkRow
from app.use_cases.employee.attempt import Attempt
from app.use_cases.employee.outcome import ItemOutcome, Job, outcome_with_write, record_outcome
from app.use_cases.employee.step_log import StepLog
from app.use_cases.planning.plan_employee import unsettled_of
from app.use_cases.planning.plan_reversal import plan_back, read_in_its_month, terms_of_undo, undone_by
from app.use_cases.planning.planned_item import new_changes
from app.use_cases.shared.call_counter import counted
from app.use_cases.shared.lease import Lease


class UndoJob:
    """`do()` puts back the values that are still as the run wrote them, and stores the outcome. Raises the gateways'
    errors, LeaseLost."""

    def __init__(self, job: Job, lease: Lease) -> None:
        self._job, self._ctx, self._item, self._run = job, job.ctx, job.item, job.run
        self._target = job.ctx.gateway(job.connection, job.run.direction.target)
        self._steps = StepLog(job.ctx, job.item, lease)
        self._terms = terms_of_undo(job.ctx, job.run, job.connection)
        self._attempt = Attempt(job, self._terms.fingerprint)

    def do(self) -> ItemOutcome:
        with counted(self._ctx, self._run.id, self._target):
            outcome = self._take_back()
        record_outcome(self._job, outcome)
        return outcome

    def _take_back(self) -> ItemOutcome:
        written = self._written()
        if written is None:
            return ItemOutcome(ItemState.NEEDS_REVIEW, "cannot_restore")
        target = read_in_its_month(self._target, self._run, self._item)
        if target is None:
            return ItemOutcome(ItemState.NEEDS_REVIEW, "E20")
        if target.record is None:
            return ItemOutcome(ItemState.NEEDS_REVIEW, "person_left")
        return self._write(written, target)

    def _write(self, written: tuple[Written, ...], target: EmployeeRecord) -> ItemOutcome:
        plan = plan_back(self._terms, written, target)
        self._attempt.settle(plan, ())
        if self._attempt.approval_is_void(plan):
            return ItemOutcome(ItemState.NEEDS_REVIEW, "approved_plan_changed", plan)
        link = self._link()
        unsettled = unsettled_of(link, self._run.direction, item=self._item.id)
        plan = plan_back(self._terms, written, target, unsettled)
        if not plan.changes:
            return self._attempt.outcome_without_write(plan)
        self._keep(plan, link, take_snapshot(target, self._terms.options))
        after = self._target.apply(plan.changes, target, options=self._terms.options, steps=self._steps)
        shown = take_snapshot(after, self._terms.options)
        self._note_shown(plan, link, shown)
        return outcome_with_write(plan, Plan(PlanKind.NOTHING), shown)

    def _link(self) -> LinkRow | None:
        with self._ctx.unit_of_work().reading() as uow:
            return uow.links.by_source(self._item.connection_id, self._target.system, self._item.target_id or "")

    def _keep(self, plan: Plan, link: LinkRow | None, target: Snapshot) -> None:
        """Store the plan, and mark its items as undone in the link's baseline. The mark ends what both sides had agreed
        on. Both happen in one transaction before the first request, because the sides differ as soon as it has left."""
        with self._ctx.unit_of_work() as uow:
            uow.changes.replace(self._item.id, new_changes(plan))
            if link is not None:
                uow.links.set_baseline(link.id, undone(link.baseline, [change.key for change in plan.changes]))
        if link is not None:
            compared = Comparison(target, plan.changes, self._terms.fingerprint)
            self._steps.remember_at(link.id, self._run.direction, compared)

    def _note_shown(self, plan: Plan, link: LinkRow | None, now: Snapshot) -> None:
        if link is not None:
            with self._ctx.unit_of_work() as uow:
                uow.links.change_unsettled(
                    link.id,
                    self._run.direction,
                    lambda memory: unsettled_writes.shown(memory, plan.changes, now, self._terms.fingerprint),
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
