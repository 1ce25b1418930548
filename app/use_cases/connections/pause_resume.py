"""Pauses a connection, and takes its work up again."""

from __future__ import annotations

import structlog

from app.use_cases.connections.doubled import refuse_doubled
from app.use_cases.connections.setting_changes import changing
from app.use_cases.context import Context
from app.use_cases.shared.queue_again import queue_everything

log = structlog.get_logger(__name__)


def pause(ctx: Context, connection_key: str) -> None:
    """Pause a connection: jobs that run end, waiting items stay where they are. Raises Refused for an unknown
    connection."""
    with changing(ctx, connection_key, "connection_paused") as (uow, connection):
        uow.connections.set_paused(connection.id, True)
    log.info("connection_paused", connection_id=connection.id)


def resume(ctx: Context, connection_key: str) -> None:
    """Let the connection take work again, and queue the items and surveys that have been waiting. Raises Refused for an
    unknown connection."""
    with changing(ctx, connection_key, "connection_resumed") as (uow, connection):
        refuse_doubled(connection)
        uow.connections.set_paused(connection.id, False)
        queue_everything(ctx, uow, connection_id=connection.id)
    log.info("connection_resumed", connection_id=connection.id)
