"""Takes back what a run wrote to one employee: finds out what it wrote, and plans the way back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.domain.employee import EmployeeRecord, YearMonth
from app.domain.enums import Step, System
from app.domain.planning.plan import Plan
from app.domain.planning.undoing import Written, plan_undo
from app.domain.ports import EmployeeGateway
from app.domain.reading import take_snapshot
from app.domain.settings.connection_settings import Connection
from app.storage.enums import ChangeState, StepState
from app.storage.runs.rows import ChangeRow, ItemRow, RunRow, StepRow
from app.use_cases.context import Context
from app.use_cases.planning.plan_employee import Limits, Terms, Unsettled, terms_of_run

_DOUBTFUL = frozenset({StepState.SENDING, StepState.UNKNOWN})


@dataclass(frozen=True)
class Undone:
    """One employee of the run that is taken back. `written` None: the retention has erased the written values."""

    item: ItemRow
    written: tuple[Written, ...] | None
    created: bool


def undone_by(changes: Iterable[ChangeRow], steps: Iterable[StepRow], item: ItemRow) -> Undone:
    """What the item wrote. A request whose answer was lost counts as written, because the vendor may have carried it
    out: the target, read anew for the plan, tells whether it did."""
    steps = list(steps)
    doubtful = {key for step in steps if step.state in _DOUBTFUL for key in step.keys}
    rows = [row for row in changes if row.state is ChangeState.WRITTEN or row.key in doubtful]
    created = any(step.step is Step.CREATE and step.state is not StepState.FAILED for step in steps)
    written = [
        Written(row.key, row.before, row.after) for row in rows if row.before is not None and row.after is not None
    ]
    return Undone(item, tuple(written) if len(written) == len(rows) else None, created)


def terms_of_undo(ctx: Context, run: RunRow, connection: Connection) -> Terms:
    return terms_of_run(
        connection,
        direction=run.direction,
        trigger=run.trigger,
        as_of_date=run.as_of_date,
        secret_key=ctx.settings.secret_key,
    )


def plan_back(
    terms: Terms, written: Sequence[Written], target: EmployeeRecord, unsettled: Unsettled | None = None
) -> Plan:
    """Plan the way back by the rule of `undoing`, leaving out what this target's record would refuse, and what it did
    not keep before."""
    held = take_snapshot(target, terms.options)
    limits = Limits(terms, target, held, unsettled or Unsettled())
    return plan_undo(written, held, direction=terms.direction, encodable=limits.refusals)


def read_in_its_month(gateway: EmployeeGateway, run: RunRow, item: ItemRow) -> EmployeeRecord | None:
    """The person as the target shows them now; freee is asked for the month in which the run wrote. None: the target
    no longer has this person."""
    person_id = item.target_id or ""
    if gateway.system is System.SMARTHR:
        return gateway.read(person_id, month=None)
    if item.closing_month is None:
        return gateway.find(person_id, as_of_date=run.as_of_date)
    return gateway.read(person_id, month=YearMonth.parse(item.closing_month))
