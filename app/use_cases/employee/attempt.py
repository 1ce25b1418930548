"""What every attempt at an item does around its plan, in a sync as in an undo: settle the requests that an earlier
attempt left open, compare the plan with the approved one, and name the outcome."""

from __future__ import annotations

from collections.abc import Collection

from app.domain.enums import Trigger
from app.domain.mapping import BY_KEY
from app.domain.planning.keyed import Fingerprint, as_made
from app.domain.planning.plan import Plan
from app.domain.planning.three_way import as_target, same
from app.domain.runs.run_state import ItemState
from app.domain.snapshot import ABSENT, FieldState, Snapshot
from app.storage.enums import ChangeState
from app.use_cases.employee.outcome import ItemOutcome, Job
from app.use_cases.planning.plan_employee import Terms, digest_of
from app.use_cases.planning.planned_item import state_without_write, unchanged_code


class Attempt:
    def __init__(self, job: Job, fingerprint: Fingerprint) -> None:
        self._ctx, self._item, self._fingerprint = job.ctx, job.item, fingerprint
        self._is_held_run = job.run.trigger is Trigger.HELD

    def settle(self, plan: Plan, resting: Collection[str]) -> Collection[str]:
        """Settle the requests that an earlier attempt sent without hearing the answer: the plan, made from the records
        just read, says whether the vendor carried them out. `resting`: keys that differ beside the plan's changes.
        Returns the keys of what was carried out."""
        if self._item.attempt == 1:
            return ()
        with self._ctx.unit_of_work() as uow:
            still_open = {change.key for change in plan.changes} | set(resting)
            keys = uow.steps.settle(self._item.id, still_open=still_open, now=self._ctx.clock.now())
            uow.changes.mark_written(self._item.id, keys)
        return keys

    def approval_is_void(
        self, plan: Plan, *, approved: Plan | None = None, sides: tuple[Snapshot, Snapshot] | None = None
    ) -> bool:
        """Whether a person has approved another plan than this one. An attempt that goes on after a first write has
        less to do; the rest of the approved plan does not count as another plan. `approved`: the plan without the ticks
        of the preview, because the preview knew its digest before anybody ticked. `sides`: source and target now; where
        nothing is left to write because they are equal by now, nobody has approved anything wrong."""
        digest = self._item.approved_digest
        if self._is_held_run:  # it compares by itself
            return False
        if digest is None or digest == digest_of(approved or plan, as_made(digest, self._fingerprint)):
            return False
        if not plan.changes:
            return sides is not None and not self._has_written() and not self._is_equal_by_now(*sides)
        return not (self._has_written() and self._is_rest_of_approved(plan))

    def outcome_without_write(self, plan: Plan, terms: Terms | None = None) -> ItemOutcome:
        """`terms`: those of a sync; an undo has none."""
        state, code = state_without_write(plan)
        if state is ItemState.UNCHANGED and self._has_written():
            return ItemOutcome(ItemState.SUCCEEDED, None, plan)
        if state is ItemState.UNCHANGED and terms is not None:
            code = unchanged_code(plan, terms)
        return ItemOutcome(state, code, plan)

    def _has_written(self) -> bool:
        with self._ctx.unit_of_work() as uow:
            return uow.steps.any_done(self._item.id)

    def _is_equal_by_now(self, source: Snapshot, target: Snapshot) -> bool:
        """Whether both sides hold the same of everything that was approved. What one of them does not show any more is
        not known to be equal."""
        with self._ctx.unit_of_work() as uow:
            kept = uow.changes.of_items([self._item.id])[self._item.id]
        keys = [change.key for change in kept if change.state is not ChangeState.HELD]
        return all(same(BY_KEY[key], source[key], as_target(target[key])) for key in keys if key in BY_KEY)

    def _is_rest_of_approved(self, plan: Plan) -> bool:
        """Whether the approved plan has every change of this plan, from the same value to the same value."""
        with self._ctx.unit_of_work() as uow:
            kept = uow.changes.of_items([self._item.id])[self._item.id]
        approved = {change.key: change for change in kept}
        return all(
            change.key in approved
            and _is_same(change.key, change.before, approved[change.key].before)
            and _is_same(change.key, change.after, approved[change.key].after)
            for change in plan.changes
        )


def _is_same(key: str, now: FieldState, approved: FieldState | None) -> bool:
    kept = ABSENT if approved is None else approved
    return now == kept or same(BY_KEY[key], now, kept)
