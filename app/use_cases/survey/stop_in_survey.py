"""What a survey stops and what it forgets, in portions, before it stores its items: should it die in between, the next
attempt finds what waits already and goes on."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.employee import EmployeeRecord
from app.domain.planning.mass_change import MassChangeReason
from app.domain.planning.stopping import Piece, equal_units
from app.domain.reading import take_snapshot
from app.domain.settings.connection_settings import Connection
from app.storage.runs.rows import RunRow
from app.storage.runs.stopped_changes import StoppedRow
from app.use_cases.context import Context
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.planning.plan_employee import Terms, take_target
from app.use_cases.planning.planned_item import PlannedItem
from app.use_cases.planning.second_person import wait_for_second
from app.use_cases.planning.stop_changes import StoppedPerson, forget, note_stopped, stop
from app.use_cases.shared.lease import Lease
from app.use_cases.survey.plan_survey import Everybody
from app.use_cases.survey.portions import portions
from app.use_cases.survey.survey_store import fenced


def stop_what_waits(
    ctx: Context,
    run: RunRow,
    connection: Connection,
    planned_items: Sequence[PlannedItem],
    *,
    raised: Sequence[MassChangeReason],
    lease: Lease,
) -> None:
    """Let the pieces that wait be shown to people. `raised`: for what the day has no room."""
    people = [_person(found, found.waiting) for found in planned_items if found.waiting]
    seconds = [_person(found, found.second) for found in planned_items if found.second]
    for portion in portions(seconds):
        with fenced(ctx, run, lease) as uow:
            uow.stopped_changes.lock(run.connection_id)
            wait_for_second(ctx, uow, run, connection, portion)
    for portion in portions(people):
        with fenced(ctx, run, lease) as uow:
            uow.stopped_changes.lock(run.connection_id)
            shown = stop(ctx, uow, run, portion, alarms=raised)
            now = uow.runs.get(run.id)
            if shown is not None and now is not None:
                note_stopped(uow, now, shown, raised)


def _person(found: PlannedItem, pieces: tuple[Piece, ...]) -> StoppedPerson:
    item = found.item
    keys = {change.key for piece in pieces for change in piece.changes}
    return StoppedPerson(
        item.source_id or "",
        item.target_id,
        pieces,
        number=item.employee_number,
        name=item.name,
        closing_month=item.closing_month,
        pay_month=item.pay_month,
        notes=tuple(note for note in item.notes if note.key in keys and note.severity == "info"),
    )


def forget_equals(
    ctx: Context,
    run: RunRow,
    everybody: Everybody,
    remembered: Sequence[StoppedRow],
    *,
    terms: Terms,
    lease: Lease,
) -> None:
    """Forget what is remembered of pairs that are equal by now."""
    mine = [row for row in remembered if row.direction is run.direction]
    everybody.expect(dict.fromkeys(row.source_id for row in mine))
    gone = [row for row in mine if _is_equal(row, everybody, terms)]
    ended: list[int] = []
    for portion in portions(gone):
        with fenced(ctx, run, lease) as uow:
            uow.stopped_changes.lock(run.connection_id)
            ended += forget(ctx, uow, portion)
    for run_id in ended:
        close_run_if_done(ctx, run_id)


def _is_equal(row: StoppedRow, everybody: Everybody, terms: Terms) -> bool:
    pair = _pair(row, everybody)
    if pair is None:
        return False
    source, target = pair
    return row.unit in equal_units([row.unit], take_snapshot(source, terms.options), take_target(target, terms))


def _pair(row: StoppedRow, everybody: Everybody) -> tuple[EmployeeRecord, EmployeeRecord] | None:
    """Both records of a linked pair; None when they are no pair, or one of them is not shown now."""
    source = everybody.source_by_id.get(row.source_id)
    link = everybody.link_of(source) if source else None
    target = everybody.target_by_id.get(link.id_in(row.direction.target)) if link else None
    if source is None or target is None or source.record is None or target.record is None:
        return None
    return source, target
