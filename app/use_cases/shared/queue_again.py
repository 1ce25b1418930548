"""Hands out waiting jobs once more: when a connection is resumed after a pause, and when an operator asks."""

from __future__ import annotations

import structlog

from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context

log = structlog.get_logger(__name__)


def queue_everything(ctx: Context, uow: UnitOfWork, *, connection_id: int | None) -> None:
    """Queue the waiting items and surveys of one connection once more; `connection_id` None: of all connections."""
    now = ctx.clock.now()
    items = uow.recovery.push_lost_items(now, pushed_before=now, connection_id=connection_id)
    surveys = uow.recovery.lost_surveys(now, pushed_before=now, connection_id=connection_id)
    for run_id in surveys:
        uow.runs.queue_survey(run_id, due_at=now, now=now)
    log.info("queued_again", items=items, surveys=len(surveys))
