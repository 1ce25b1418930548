"""Stores a run, its beginning in the history and the outbox row of its survey. Requests and the sweep both use it."""

from __future__ import annotations

import uuid
from datetime import timedelta

from app.domain.runs.commands import StartRun
from app.domain.runs.queues import queue_for
from app.domain.settings.connection_settings import Connection
from app.storage.enums import HistoryKind, OutboxKind
from app.storage.repository import as_row
from app.storage.runs.rows import NewRun, RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.at_home import check_at_home


def store_run(ctx: Context, uow: UnitOfWork, connection: Connection, command: StartRun) -> RunRow:
    """Store the run, its beginning in the history and the outbox row of its survey, inside the caller's transaction.
    The relay brings the survey to a worker by that row. Raises Refused while the house rests."""
    check_at_home(ctx)
    now = ctx.clock.now()
    people = len(command.employees or ()) or uow.directory.size(connection.id, command.direction.source)
    run = uow.runs.add(
        as_row(
            NewRun,
            command,
            public_id=str(uuid.uuid4()),
            connection_id=connection.id,
            scope=command.employees,
            queue=queue_for(people, bulk_from=ctx.settings.bulk_from),
            created_at=now,
            deadline_at=now + timedelta(hours=ctx.settings.run_deadline_hours),
        )
    )
    uow.outbox.add(OutboxKind.SURVEY, run.id, attempt=0, queue=run.queue, due_at=now, now=now)
    uow.history.add(run.id, HistoryKind.START, at=now)
    return run
