"""Plans a run that takes another run back: one item per employee to whom that other run wrote.

The target's lists say what the target holds now. An employee whom they do not show in the month in which the run wrote
(freee hides leavers, and a 締め日支払い日 may have changed) is read singly, in that month.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from app.domain.completeness.unreadable import UNREADABLE_RECORD, unreadable_notes
from app.domain.employee import EmployeeRecord
from app.domain.planning.mass_change import as_text, effects_of
from app.domain.planning.plan import Note, Plan, PlanKind
from app.domain.planning.undoing import CREATED
from app.domain.ports import EmployeeGateway
from app.domain.runs.dates import today_in_japan
from app.domain.runs.queues import INTERACTIVE, queue_for
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Connection
from app.storage.runs.rows import ItemRow, NewItem, RunRow
from app.use_cases.context import Context
from app.use_cases.planning.plan_employee import Terms, plan_digest
from app.use_cases.planning.plan_reversal import Undone, plan_back, read_in_its_month, terms_of_undo, undone_by
from app.use_cases.planning.planned_item import PlannedItem, new_changes, new_notes, state_of
from app.use_cases.shared.lease import Lease
from app.use_cases.survey.portions import PORTION


def everybody_undone(ctx: Context, run_id: int) -> Iterator[Undone]:
    """All employees to whom this run has written, in the run's order, read in one transaction per portion."""
    after = -1
    while True:
        with ctx.unit_of_work().reading() as uow:
            items = uow.items.written(run_id, after=after, limit=PORTION)
            ids = [item.id for item in items]
            changes, steps = uow.changes.of_items(ids), uow.steps.of_items(ids)
        yield from (undone_by(changes[item.id], steps[item.id], item) for item in items)
        if len(items) < PORTION:
            return
        after = items[-1].position


def plan_everybody_undone(
    ctx: Context,
    run: RunRow,
    connection: Connection,
    *,
    listed: Iterable[EmployeeRecord],
    gateway: EmployeeGateway,
    lease: Lease,
) -> list[PlannedItem]:
    """One planned item per employee, at the position that the employee has in the run that is taken back."""
    assert run.undone_run_id is not None
    planner = _UndoPlanner(ctx, run, gateway, terms_of_undo(ctx, run, connection), _by_id(listed))
    planned_items = []
    for undone in everybody_undone(ctx, run.undone_run_id):
        lease.check()
        planned_items.append(planner.find(undone))
    waiting = sum(found.waits for found in planned_items)
    queue = queue_for(waiting, bulk_from=ctx.settings.bulk_from)
    return [replace(found, item=replace(found.item, queue=queue)) for found in planned_items]


def _by_id(people: Iterable[EmployeeRecord]) -> Mapping[str, EmployeeRecord]:
    return {record.person.id: record for record in people}


@dataclass(frozen=True)
class _UndoPlanner:
    ctx: Context
    run: RunRow
    gateway: EmployeeGateway
    terms: Terms
    listed: Mapping[str, EmployeeRecord]

    def find(self, undone: Undone) -> PlannedItem:
        if undone.created:
            return self._end(undone.item, CREATED, kind=PlanKind.CREATE)
        if undone.written is None:
            return self._end(undone.item, "cannot_restore")
        target = self._target(undone.item)
        if target is None:
            return self._end(undone.item, "E20")
        if target.unreadable:
            return self._end(undone.item, UNREADABLE_RECORD, notes=unreadable_notes(target))
        if target.record is None:
            return self._end(undone.item, "person_left")
        return self._planned(undone.item, plan_back(self.terms, undone.written, target))

    def _target(self, item: ItemRow) -> EmployeeRecord | None:
        found = self.listed.get(item.target_id or "")
        in_its_month = found is not None and (found.month is None or str(found.month) == item.closing_month)
        if found is not None and (found.unreadable or (found.record is not None and in_its_month)):
            return found
        return read_in_its_month(self.gateway, self.run, item)

    def _planned(self, item: ItemRow, plan: Plan) -> PlannedItem:
        state, code = state_of(plan)
        waiting = not state.is_final
        return PlannedItem(
            replace(
                self._item(item, state, code=code, kind=plan.kind),
                notes=new_notes(plan.notes),
                approved_digest=plan_digest(self.terms, plan) if waiting else None,
                changes=new_changes(plan) if waiting else (),
                chosen=waiting,
                effects=as_text(effects_of(plan, today=today_in_japan(self.ctx.clock.now()))) if waiting else "",
            )
        )

    def _end(
        self, item: ItemRow, code: str, *, kind: PlanKind = PlanKind.NOTHING, notes: tuple[Note, ...] = ()
    ) -> PlannedItem:
        ended = self._item(item, ItemState.NEEDS_REVIEW, code=code, kind=kind)
        return PlannedItem(replace(ended, notes=new_notes(notes)))

    def _item(self, item: ItemRow, state: ItemState, *, code: str | None, kind: PlanKind) -> NewItem:
        """An item for the same employee and the same month, because freee keeps one record per month."""
        return NewItem(
            run_id=self.run.id,
            connection_id=self.run.connection_id,
            direction=self.run.direction,
            position=item.position,
            employee_number=item.employee_number,
            source_id=item.source_id,
            target_id=item.target_id,
            kind=kind.value,
            queue=INTERACTIVE,
            state=state,
            created_at=self.ctx.clock.now(),
            closing_month=item.closing_month,
            pay_month=item.pay_month,
            error_code=code,
            name=item.name,
        )
