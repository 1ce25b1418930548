"""Relay: pushes due outbox rows to the broker, and only then marks them as sent.

After a crash between the two, a row is pushed twice, never lost; its second job finds nothing to claim. Of employees
the broker gets only what workers will soon take up, connections in turn (`app.storage.outgoing.item_turns`); so workers
tell when a job has ended, and the relay hands on without waiting for its next look at everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from app.domain.errors import TemporaryError
from app.domain.ports import QueuedJob
from app.domain.runs.queues import BULK, INTERACTIVE, looks_at_once
from app.storage.enums import OutboxKind
from app.storage.outgoing.rows import OutboxRow
from app.use_cases.context import Context
from app.use_cases.intake.collect_events import release_gathered
from app.use_cases.intake.webhook_intake import sort_received
from app.use_cases.shared.at_home import only_at_home
from app.use_cases.shared.room import room_now

log = structlog.get_logger(__name__)

BATCH = 500
"""How many rows one push carries. Measured: one pipeline of 500 is 7 times as fast as single pushes, and when one is
lost, little has to be repeated."""

_JOBS: dict[OutboxKind, Callable[[OutboxRow, str], QueuedJob]] = {
    OutboxKind.SURVEY: lambda row, how: _job("s", row, "survey_run" + how, row.ref_id),
    OutboxKind.ITEM: lambda row, how: _job("i", row, "sync_item" + how, row.ref_id, row.attempt),
    OutboxKind.MAIL: lambda row, _: _job("m", row, "send_mail", row.ref_id),
}
_ALONE = "_alone"


@only_at_home(0)
def relay_once(ctx: Context) -> int:
    """Sort webhooks into items, release the runs whose quiet window is over, then push the due outbox rows in batches.
    Returns how many rows went out; 0 also when the broker takes nothing. Previews and comparisons go one after the
    other, so that nothing else stands behind a crowd of them in a queue."""
    sort_received(ctx)
    release_gathered(ctx)
    total = 0
    while handed_over := _hand_over(ctx, _next_rows(ctx)):
        total += handed_over
    return total


@only_at_home(0)
def relay_items(ctx: Context) -> int:
    """Push the employees for whom there is room, as `relay_once` does. Returns how many went out. One look is enough:
    it finds everybody for whom there is room."""
    return _hand_over(ctx, _next_items(ctx))


def _hand_over(ctx: Context, rows: Sequence[OutboxRow]) -> int:
    if not rows or not _push(ctx, rows):
        return 0
    with ctx.unit_of_work() as uow:
        uow.outbox.mark_sent(rows, ctx.clock.now())
    return len(rows)


def _next_rows(ctx: Context) -> list[OutboxRow]:
    settings, now = ctx.settings, ctx.clock.now()
    workers = {INTERACTIVE: settings.workers_interactive, BULK: settings.workers_bulk}
    looks = {queue: looks_at_once(number * settings.worker_threads) for queue, number in workers.items()}
    with ctx.unit_of_work().reading() as uow:
        rows = uow.outbox.due(now, limit=BATCH, kinds=[OutboxKind.MAIL])
        surveys = uow.survey_turns.ready(now, looks_at_once=looks, limit=BATCH)
        starts = uow.outbox.survey_starts(surveys)
    rows += [replace(row, starts=starts.get(row.ref_id, 0)) for row in surveys]
    return sorted(rows, key=lambda row: (row.due_at, row.id)) + _next_items(ctx)


def _next_items(ctx: Context) -> list[OutboxRow]:
    with ctx.unit_of_work().reading() as uow:
        lanes = uow.item_turns.lanes()
        room = room_now(ctx, uow, {connection_id for connection_id, _ in lanes})
        return uow.item_turns.ready(lanes, ctx.clock.now(), at_once=ctx.settings.connection_jobs, room=room)


def _push(ctx: Context, rows: Sequence[OutboxRow]) -> bool:
    try:
        ctx.job_queue.push([job_of(row, max_starts=ctx.settings.max_starts) for row in rows])
    except TemporaryError as error:
        log.warning("broker_unavailable", code=error.code, waiting=len(rows))
        return False
    return True


def job_of(row: OutboxRow, *, max_starts: int) -> QueuedJob:
    """The job for an outbox row. The last start before an employee counts as poisoned is made in a process of its own:
    what dies then, dies alone, and whoever only stood beside it is done."""
    return _JOBS[row.kind](row, _ALONE if 0 < row.starts >= max_starts - 1 else "")


def _job(letter: str, row: OutboxRow, function: str, *args: int) -> QueuedJob:
    """The job for an outbox row. Its id is made of the work, so that the same work pushed twice at once is one job."""
    return QueuedJob(f"{letter}{row.ref_id}-a{row.attempt}", row.queue, f"workers.jobs.{function}", args)
