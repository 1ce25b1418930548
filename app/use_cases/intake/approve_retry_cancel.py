"""Approves a preview, repeats the failed employees of a run, and cancels a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from app.domain.enums import Trigger
from app.domain.errors import Refused
from app.domain.planning.declined import CREATION, declined_by
from app.domain.planning.plan import Change, PlanKind
from app.domain.planning.two_persons import covered_by
from app.domain.runs.commands import StartRun
from app.domain.runs.queues import queue_for
from app.domain.runs.run_state import ItemState, RunState
from app.storage.enums import ChangeState
from app.storage.runs.rows import ChangeRow, RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.intake.second_person import Alone, check_decision, check_decline
from app.use_cases.intake.start_run import start_run, usable_connection
from app.use_cases.intake.tick_held import Ticks, tick_numbers
from app.use_cases.intake.undo import undo
from app.use_cases.planning.mass_change import mass_change_in, refuse_mass_change
from app.use_cases.planning.plan_employee import fingerprint_of
from app.use_cases.planning.second_person import ask_about_open_undo
from app.use_cases.queries.history import get_run
from app.use_cases.shared.beginnings import begun
from app.use_cases.shared.run_lookup import find_run
from app.use_cases.shared.second_persons import refuse_without_scope
from app.use_cases.shared.views import RunView

PORTION = 1_000
"""Of how many people who were not chosen the changes are read at once."""

log = structlog.get_logger(__name__)


def approve(
    ctx: Context,
    run_public_id: str,
    *,
    by: str,
    acknowledged: bool = False,
    employees: Sequence[str] | None = None,
    overwrite: Ticks | None = None,
    shown: str | None = None,
    alone: Alone | None = None,
) -> None:
    """Approve a preview: PREVIEWED → RUNNING, and the chosen people are queued. Raises Refused, and then the preview is
    as it was.

    From then on the run is about the chosen people alone. Who waits and was not chosen leaves it, and those for whom
    there was nothing to choose (equal, 要確認) have only been looked at: they neither count nor decide whether it
    succeeds. `employees`: exactly the employees with these numbers are
    chosen, and the ticks do not count. `acknowledged`: the person confirms that a mass change is intended. `overwrite`:
    values that could not be carried and may be overwritten all the same, beside those ticked in the preview. `shown`:
    the moment of the plans that the person has seen (`surveyed_at`); when the run shows others by now, nothing is
    approved. `alone`: the emergency way, instead of a second person.

    With the preview of a beginning, the direction syncs by itself from then on; what was not chosen rests. So there the
    person may choose nobody.
    """
    now = ctx.clock.now()
    deadline_at = now + timedelta(hours=ctx.settings.run_deadline_hours)
    ask_about_open_undo(ctx, run_public_id)
    with ctx.unit_of_work() as uow:
        run = find_run(uow, run_public_id)
        connection = uow.connections.get(run.connection_id)
        connection = usable_connection(uow, connection.key if connection else "")
        check_decision(ctx, uow, run, connection, by=by, alone=alone)
        approver = f"user:{alone.administrator}" if alone else by
        if run.is_beginning:
            uow.beginnings.lock(run.connection_id)
        if not uow.runs.approve(run.id, by=approver, now=now, deadline_at=deadline_at):
            raise Refused("not_previewed.approval", status=409)
        _check_shown(uow, run, shown)
        if employees is not None:
            _choose_numbers(uow, run, employees)
        if overwrite:
            tick_numbers(ctx, uow, run, overwrite)
        _begin(ctx, uow, run, by=by)
        queued = _keep_chosen(ctx, uow, run, acknowledged=acknowledged)
        uow.attention.of_run(run.id)
        if uow.preview_selection.plans_any_of(run.id, covered_by(connection.two_persons)):
            refuse_without_scope(uow, connection, by)
        if run.trigger is Trigger.HELD:
            uow.stopped_changes.approve(run.id, now=now)
        uow.items.queue_waiting(run.id, now=now)
        detail = {"people": queued, "acknowledged": acknowledged}
        uow.audit.add(actor=by, action="run_approved", subject=f"run:{run.public_id}", now=now, detail=detail)
    log.info("run_approved", run_id=run.id, queued=queued)
    close_run_if_done(ctx, run.id)


def _begin(ctx: Context, uow: UnitOfWork, run: RunRow, *, by: str) -> None:
    """Let the automatic sync begin, if this was its preview. Whoever was not chosen rests."""
    if not begun(ctx, uow, run, by=by):
        return
    fingerprint = fingerprint_of(ctx.keys.signing)
    left_out = uow.preview_selection.unchosen(run.id)
    people: dict[str, dict[str, str]] = {}
    for start in range(0, len(left_out), PORTION):
        portion = left_out[start : start + PORTION]
        changes = uow.changes.of_items([item.id for item in portion])
        for item in portion:
            planned = [change for change in map(_planned, changes[item.id]) if change is not None]
            if item.source_id is not None and planned:
                created = {CREATION: ""} if item.kind == PlanKind.CREATE.value else None
                people[item.source_id] = created or declined_by(planned, fingerprint)
    uow.beginnings.decline(run.connection_id, run.direction, people, now=ctx.clock.now())


def _planned(change: ChangeRow) -> Change | None:
    """None: it is held for a tick, which only a person can set, or its values were erased."""
    if change.state is ChangeState.HELD or change.before is None or change.after is None:
        return None
    return Change(change.key, change.before, change.after)


def _check_shown(uow: UnitOfWork, run: RunRow, shown: str | None) -> None:
    """A run of stopped changes may show more, or newer values, while a person looks. Raises Refused. This transaction
    has locked the run's row already."""
    now = uow.runs.get(run.id)
    if shown is not None and now is not None and now.surveyed_at and now.surveyed_at.isoformat() != shown:
        raise Refused("shown_otherwise", status=409)


def _choose_numbers(uow: UnitOfWork, run: RunRow, numbers: Sequence[str]) -> None:
    if unknown := uow.preview_selection.choose_numbers(run.id, numbers):
        raise Refused("not_waiting", fields=("employees",), numbers=tuple(unknown))


def _keep_chosen(ctx: Context, uow: UnitOfWork, run: RunRow, *, acknowledged: bool) -> int:
    """Take the people who were not chosen out of the run. Returns how many people still wait. This transaction has
    locked the run's row already, so the people counted here are exactly those who will be queued. Raises Refused."""
    dropped = uow.preview_selection.drop_unchosen(run.id)
    counts = uow.items.counts(run.id)
    waiting = counts.pop(ItemState.WAITING, 0)
    if not waiting and not run.is_beginning:
        raise Refused("nobody_chosen")
    if not acknowledged:
        refuse_mass_change(mass_change_in(ctx, uow, run))
    queue = queue_for(waiting, bulk_from=ctx.settings.bulk_from)
    looked_at = {**counts, **({ItemState.WAITING: dropped} if dropped else {})}
    uow.runs.keep_chosen(run.id, total=waiting, queue=queue, looked_at=looked_at)
    uow.items.move_to(run.id, queue)
    return waiting


def retry(ctx: Context, run_public_id: str, *, by: str) -> RunView:
    """Start a new run over the employees that failed; of an approved run over those of the chosen ones. When the run
    failed before it had any items, the new run is over the same people. A run that took another run back is repeated by
    taking that other run back once more. While the automatic sync of the direction begins with a preview, the
    repetition of an automatic run is one as well.

    A run is repeated once: whoever asks again, or at the same moment, gets the run that is there (`already`), also when
    it is over; what failed there is repeated by repeating that run. A repetition that was cancelled does not count.

    Raises Refused: the run is not over, no employee failed, or as `start_run`.
    """
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, run_public_id)
        connection = uow.connections.get(run.connection_id)
        failed = uow.items.numbers(run.id, [ItemState.FAILED], chosen=run.only_chosen)
        had_items = bool(uow.items.counts(run.id))
        repeated = uow.runs.retry_of(run.id)
    if repeated is not None:
        return replace(get_run(ctx, repeated.public_id), already=True)
    if not run.state.is_final:
        raise Refused("run_not_finished", status=409)
    numbers = tuple(dict.fromkeys(number for number in failed if number.strip()))
    if run.undone_run_id is not None:
        return _undo_again(ctx, run.undone_run_id, by=by)
    if had_items or run.state is not RunState.FAILED:
        if not numbers:
            raise Refused("nothing_to_retry", status=409)
        scope: tuple[str, ...] | None = numbers
    else:
        scope = None if run.scope is None else tuple(run.scope)
    with ctx.unit_of_work().reading() as uow:
        begins = run.trigger.is_automatic and uow.beginnings.get(run.connection_id, run.direction) is not None
    command = StartRun(
        connection_key=connection.key if connection else "",
        direction=run.direction,
        as_of_date=run.as_of_date,
        employees=scope,
        dry_run=run.dry_run or begins,
        trigger=Trigger.RETRY,
        started_by=by,
        retried_run_id=run.id,
    )
    return start_run(ctx, command)


def _undo_again(ctx: Context, undone_run_id: int, *, by: str) -> RunView:
    """Repeat an undo by taking the original run back once more. Values that the first undo has put back are no longer a
    difference, so only the rest is planned."""
    with ctx.unit_of_work().reading() as uow:
        public_id = uow.runs.public_ids([undone_run_id])[undone_run_id]
    return undo(ctx, public_id, by=by)


def cancel(ctx: Context, run_public_id: str, *, by: str) -> None:
    """Cancel a run: its waiting items are cancelled, jobs that run end, then the run closes. Raises Refused when the
    run is over already."""
    with ctx.unit_of_work() as uow:
        run = find_run(uow, run_public_id)
        check_decline(run, by=by)
        asked_for = uow.deliveries.asked_for(run.id)
        code = None if run.decide_until is None else "second_person_declined"
        if not uow.runs.cancel(run.id, ctx.clock.now(), code=code):
            raise Refused("run_finished", status=409)
        if run.trigger is Trigger.HELD:
            uow.stopped_changes.decline(run.id, now=ctx.clock.now())
        subject, detail = f"run:{run.public_id}", {"code": code} if code else None
        uow.audit.add(actor=by, action="run_cancelled", subject=subject, now=ctx.clock.now(), detail=detail)
        if not run.trigger.is_automatic:
            _gather_again(ctx, uow, run, asked_for)
    log.info("run_cancelled", run_id=run.id, by=by)
    close_run_if_done(ctx, run.id)


def _gather_again(ctx: Context, uow: UnitOfWork, run: RunRow, asked_for: Sequence[tuple[int, str]]) -> None:
    """Collect the webhooks anew that had joined items of the cancelled run: the user has cancelled the run, not what
    the webhooks told."""
    connection = uow.connections.get(run.connection_id)
    if connection is None or run.direction not in connection.automatic.directions:
        return
    sync_requests = [
        SyncRequest(connection, run.direction, source_id, delivery_id) for delivery_id, source_id in asked_for
    ]
    collect_events(ctx, uow, sync_requests, now=ctx.clock.now())
