"""Takes back what a run wrote to one employee: finds out what it wrote, and plans the way back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from app.domain.employee import EmployeeRecord, YearMonth
from app.domain.enums import Step, System
from app.domain.mapping import BY_KEY
from app.domain.planning import exact
from app.domain.planning.carrying import decision_unit_of
from app.domain.planning.plan import Change, Note, Plan, Severity
from app.domain.planning.three_way import same
from app.domain.planning.undoing import RESTORED_OTHERWISE, Written, plan_undo
from app.domain.ports import EmployeeGateway
from app.domain.runs.employment import MONTHLY_ITEMS
from app.domain.settings.connection_settings import Connection
from app.domain.snapshot import BLANK, FieldState, Unconvertible
from app.storage.enums import ChangeState, StepState
from app.storage.runs.rows import ChangeRow, ItemRow, RunRow, StepRow
from app.use_cases.context import Context
from app.use_cases.planning.employment_month import read_in_employment
from app.use_cases.planning.plan_employee import Limits, Terms, Unsettled, take_target, terms_of_run

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
        Written(row.key, row.before, row.after, row.raw)
        for row in rows
        if row.before is not None and row.after is not None
    ]
    return Undone(item, tuple(written) if len(written) == len(rows) else None, created)


def terms_of_undo(ctx: Context, run: RunRow, connection: Connection) -> Terms:
    return terms_of_run(
        connection,
        direction=run.direction,
        trigger=run.trigger,
        as_of_date=run.as_of_date,
        signing=ctx.keys.signing,
        municipalities=ctx.municipalities,
    )


def plan_back(
    terms: Terms, written: Sequence[Written], target: EmployeeRecord, unsettled: Unsettled | None = None
) -> Plan:
    """Plan the way back by the rule of `undoing`, leaving out what this target's record would refuse, and what it did
    not keep before."""
    kept = [each for each in written if each.key not in MONTHLY_ITEMS] if target.once_only else written
    held = take_target(target, terms)
    limits = Limits(terms, target, held, unsettled or Unsettled())
    plan = plan_undo(kept, held, direction=terms.direction, encodable=limits.refusals, record=target.record)
    hidden = tuple(Note("person_left", Severity.REVIEW, each.key) for each in written if each not in kept)
    return replace(plan, notes=(*plan.notes, *hidden)) if hidden else plan


def things(changes: Iterable[Change]) -> list[list[Change]]:
    """The changes by what can be written by itself: an address, the bank account, a single item."""
    found: dict[str, list[Change]] = {}
    for change in changes:
        found.setdefault(decision_unit_of(change.key), []).append(change)
    return list(found.values())


def not_quite_back(terms: Terms, plan: Plan, after: EmployeeRecord, *, besides: Collection[str | None]) -> list[Note]:
    """A note for every item of the plan that the target does not hold as planned: it means the same in another writing,
    or it was not taken over at all. `besides`: keys that have a note already."""
    items = take_target(after, terms)
    left = [change for change in plan.changes if change.key not in besides]
    found = (_not_quite_back(change, items[change.key], after) for change in left)
    return [note for note in found if note is not None]


def _not_quite_back(change: Change, now: FieldState, after: EmployeeRecord) -> Note | None:
    row, system = BY_KEY[change.key], after.person.system
    means_the_same = not isinstance(change.after, Unconvertible) and same(row, now, change.after)
    if change.exact is None:
        is_back = means_the_same
    else:
        is_back = exact.is_back(system, row, change.exact, exact.raw_of(system, row, after.record))
    if is_back:
        return None
    if not means_the_same:
        kept = not isinstance(change.before, Unconvertible) and same(row, now, change.before)
        return Note("kept_by_target" if kept else "stored_otherwise", Severity.REVIEW, change.key)
    return Note(RESTORED_OTHERWISE, Severity.INFO if change.after is BLANK else Severity.REVIEW, change.key)


def read_in_its_month(gateway: EmployeeGateway, run: RunRow, item: ItemRow) -> EmployeeRecord | None:
    """The person as the target shows them now; freee is asked for the month in which the run wrote. Where a date has
    taken that month out of the employment, another month tells what holds for all months (`once_only`). `record` None:
    no month shows them. None: the target no longer has this person."""
    person_id = item.target_id or ""
    if gateway.system is System.SMARTHR or item.closing_month is None:
        return gateway.find(person_id, as_of_date=run.as_of_date)
    month = YearMonth.parse(item.closing_month)
    shown = gateway.read(person_id, month=month)
    if shown is not None:
        return shown
    hidden = gateway.find(person_id, as_of_date=run.as_of_date)  # whom freee has deleted, and whom it hides in a month
    if hidden is None:
        return None
    elsewhere = read_in_employment(gateway, replace(hidden, record=None), run.as_of_date)
    return replace(elsewhere, once_only=True) if elsewhere.record is not None else replace(elsewhere, month=month)
