"""What the survey of a run that takes another one back finds: one finding per employee to whom that one wrote.

The target's lists say what it holds now. Whom they do not show in the month that was written (freee hides leavers, a
締め日支払い日 may have changed) is read alone, in that month.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from app.domain.employee import EmployeeRecord, YearMonth
from app.domain.enums import Step, System
from app.domain.planning.mass_change import as_text, effects_of
from app.domain.planning.plan import Plan, PlanKind
from app.domain.planning.undoing import CREATED, Written, plan_undo
from app.domain.ports import EmployeeGateway
from app.domain.reading import take_snapshot
from app.domain.runs.dates import today_in_japan
from app.domain.runs.queues import INTERACTIVE, queue_for
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Connection
from app.domain.writing import unwritable
from app.storage.enums import ChangeState, StepState
from app.storage.rows import ChangeRow, ItemRow, NewItem, RunRow, StepRow
from app.use_cases.context import Context
from app.use_cases.planning.plan_employee import Terms, plan_digest, terms_of_run
from app.use_cases.planning.planned_item import PlannedItem, new_changes, new_notes, state_of
from app.use_cases.shared.lease import Lease

PORTION = 500
_DOUBTFUL = frozenset({StepState.SENDING, StepState.UNKNOWN})


@dataclass(frozen=True)
class Undone:
    """One employee of the run that is taken back. `written` None: the values are erased."""

    item: ItemRow
    written: tuple[Written, ...] | None
    created: bool


def undone_by(changes: Iterable[ChangeRow], steps: Iterable[StepRow], item: ItemRow) -> Undone:
    """What the item wrote. A request whose answer was lost may have been carried out: what the target holds tells."""
    steps = list(steps)
    doubtful = {key for step in steps if step.state in _DOUBTFUL for key in step.keys}
    rows = [row for row in changes if row.state is ChangeState.WRITTEN or row.key in doubtful]
    created = any(step.step is Step.CREATE and step.state is not StepState.FAILED for step in steps)
    written = [
        Written(row.key, row.before, row.after) for row in rows if row.before is not None and row.after is not None
    ]
    return Undone(item, tuple(written) if len(written) == len(rows) else None, created)


def everybody_undone(ctx: Context, run_id: int) -> Iterator[Undone]:
    """Everybody to whom this run has written, in its order, a portion per transaction."""
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


def terms_of_undo(ctx: Context, run: RunRow, connection: Connection) -> Terms:
    return terms_of_run(
        connection,
        direction=run.direction,
        trigger=run.trigger,
        as_of_date=run.as_of_date,
        secret_key=ctx.settings.secret_key,
    )


def plan_back(terms: Terms, written: Sequence[Written], target: EmployeeRecord) -> Plan:
    """The rule of `undoing`, with what this target's record would refuse."""
    return plan_undo(
        written,
        take_snapshot(target, terms.options),
        direction=terms.direction,
        encodable=lambda changes: unwritable(terms.direction.target, changes, target.record, terms.options),
    )


def read_in_its_month(gateway: EmployeeGateway, run: RunRow, item: ItemRow) -> EmployeeRecord | None:
    """The person as the target shows them now, in freee in the month that was written. None: they are gone."""
    person_id = item.target_id or ""
    if gateway.system is System.SMARTHR:
        return gateway.read(person_id, month=None)
    if item.closing_month is None:
        return gateway.find(person_id, as_of_date=run.as_of_date)
    return gateway.read(person_id, month=YearMonth.parse(item.closing_month))


def plan_everybody_undone(
    ctx: Context,
    run: RunRow,
    connection: Connection,
    *,
    listed: Iterable[EmployeeRecord],
    gateway: EmployeeGateway,
    lease: Lease,
) -> list[PlannedItem]:
    """One finding per employee, at the place they had in the run that is taken back."""
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
        if target.record is None:
            return self._end(undone.item, "person_left")
        return self._planned(undone.item, plan_back(self.terms, undone.written, target))

    def _target(self, item: ItemRow) -> EmployeeRecord | None:
        found = self.listed.get(item.target_id or "")
        in_its_month = found is not None and (found.month is None or str(found.month) == item.closing_month)
        if found is not None and found.record is not None and in_its_month:
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

    def _end(self, item: ItemRow, code: str, *, kind: PlanKind = PlanKind.NOTHING) -> PlannedItem:
        return PlannedItem(self._item(item, ItemState.NEEDS_REVIEW, code=code, kind=kind))

    def _item(self, item: ItemRow, state: ItemState, *, code: str | None, kind: PlanKind) -> NewItem:
        """Of the same employee, in the same month: freee keeps what is written by month."""
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
