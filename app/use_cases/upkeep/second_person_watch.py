"""Withdraws what has waited for a second person for too long. Nothing is written, and nothing is remembered of it, so
that the next run that finds the difference proposes it anew."""

from __future__ import annotations

import structlog

from app.use_cases.context import Context
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.finish.second_person_notices import tell_second_person_expired

log = structlog.get_logger(__name__)


def withdraw_expired(ctx: Context) -> int:
    """Withdraw every run whose time is over. Returns how many."""
    with ctx.unit_of_work().reading() as uow:
        overdue = uow.second_persons.overdue(ctx.clock.now())
    return sum(_withdraw(ctx, run_id) for run_id in overdue)


def _withdraw(ctx: Context, run_id: int) -> bool:
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        run = uow.runs.get(run_id)
        connection = uow.connections.get(run.connection_id) if run else None
        if run is None or connection is None:
            return False
        uow.stopped_changes.lock(connection.id)
        people = uow.second_persons.people([run_id]).get(run_id, 0)
        if not uow.second_persons.still_waits(run_id) or not uow.runs.cancel(run_id, now, code="second_person_expired"):
            return False
        uow.stopped_changes.forget([row.id for row in uow.stopped_changes.of_run(run_id)])
        tell_second_person_expired(ctx, uow, run, connection, people=people)
    log.info("second_person_expired", run_id=run_id, people=people)
    close_run_if_done(ctx, run_id)
    return True
