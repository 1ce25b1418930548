"""Control: approve a preview, repeat what failed, cancel what has not begun."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from app.domain.commands import StartRun
from app.domain.errors import Refused
from app.domain.run_state import ItemState, RunState
from app.domain.words import Trigger
from app.storage.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finalise import close_run_if_done
from app.use_cases.gather import Wish, gather
from app.use_cases.history import find_run
from app.use_cases.intake import start_run, usable_connection
from app.use_cases.views import RunView

log = structlog.get_logger(__name__)


def approve(ctx: Context, run_public_id: str, *, by: str) -> None:
    """PREVIEWED → RUNNING, its waiting items queued. Raises Refused."""
    now = ctx.clock.now()
    deadline_at = now + timedelta(hours=ctx.settings.run_deadline_hours)
    with ctx.unit_of_work() as uow:
        run = find_run(uow, run_public_id)
        connection = uow.connections.get(run.connection_id)
        usable_connection(uow, connection.key if connection else "")
        if not uow.runs.approve(run.id, by=by, now=now, deadline_at=deadline_at):
            raise Refused("not_previewed", "確認待ちの同期だけを承認できます。", status=409)
        queued = uow.items.queue_waiting(run.id, now=now)
    log.info("run_approved", run_id=run.id, queued=queued)
    close_run_if_done(ctx, run.id)


def retry(ctx: Context, run_public_id: str, *, by: str) -> RunView:
    """A new run over the employees that failed; over the same people when the run failed before it had any.

    Raises Refused: still running, nothing failed, or as `start_run`.
    """
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, run_public_id)
        connection = uow.connections.get(run.connection_id)
        failed = uow.items.numbers(run.id, [ItemState.FAILED])
        had_items = bool(uow.items.counts(run.id))
    if not run.state.is_final:
        raise Refused("run_not_finished", "この同期はまだ終わっていません。", status=409)
    numbers = tuple(dict.fromkeys(number for number in failed if number.strip()))
    if had_items or run.state is not RunState.FAILED:
        if not numbers:
            raise Refused("nothing_to_retry", "番号のある失敗した従業員がいません。", status=409)
        scope: tuple[str, ...] | None = numbers
    else:
        scope = None if run.scope is None else tuple(run.scope)
    command = StartRun(
        connection_key=connection.key if connection else "",
        direction=run.direction,
        as_of_date=run.as_of_date,
        employees=scope,
        dry_run=run.dry_run,
        trigger=Trigger.RETRY,
        started_by=by,
        retried_run_id=run.id,
    )
    return start_run(ctx, command)


def cancel(ctx: Context, run_public_id: str, *, by: str) -> None:
    """Waiting items are cancelled, running ones end; then the run closes. Raises Refused when it is over already."""
    with ctx.unit_of_work() as uow:
        run = find_run(uow, run_public_id)
        asked_for = uow.deliveries.asked_for(run.id)
        if not uow.runs.cancel(run.id, ctx.clock.now()):
            raise Refused("run_finished", "この同期はすでに終わっているか、終わるところです。", status=409)
        if not run.trigger.is_automatic:
            _gather_again(ctx, uow, run, asked_for)
    log.info("run_cancelled", run_id=run.id, by=by)
    close_run_if_done(ctx, run.id)


def _gather_again(ctx: Context, uow: UnitOfWork, run: RunRow, asked_for: Sequence[tuple[int, str]]) -> None:
    """Webhooks had joined items of the run. Cancelled was the run, not what the webhooks told."""
    connection = uow.connections.get(run.connection_id)
    if connection is None or run.direction not in connection.automatic.directions:
        return
    wishes = [Wish(connection, run.direction, source_id, delivery_id) for delivery_id, source_id in asked_for]
    gather(ctx, uow, wishes, now=ctx.clock.now())
