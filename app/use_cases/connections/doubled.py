"""Doubled connections: a second connection of the same tenant and company, from before the database refused it.

A doubled connection stays paused, so that the two never write the same people. A person merges its links into the one
that works, or removes it. Its history stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from app.domain.errors import AwaseError, Refused
from app.domain.settings.connection_settings import Connection
from app.storage.enums import UnlinkReason
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.connections.webhook_registration import remove_webhook
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import known_connection

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Merged:
    """What became of a doubled connection. `into`: key of the one that works; `left`: links that it could not take,
    because it has linked one of the two people otherwise."""

    into: str
    moved: int
    left: int


def merge(ctx: Context, key: str, *, by: str) -> Merged:
    """Hand the links of a doubled connection to the one that works, then remove the doubled one. Raises Refused."""
    with ctx.unit_of_work().reading() as uow:
        _doubled(uow, key)
    _end_webhook(ctx, key)
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        connection, kept = _doubled(uow, key)
        taken = {(each.smarthr_id, each.freee_id) for each in uow.links.for_connection(kept.id)}
        busy = {person for pair in taken for person in pair}
        moved = left = 0
        for link in uow.links.for_connection(connection.id):
            pair = (link.smarthr_id, link.freee_id)
            if not busy & set(pair):
                uow.links.create(kept.id, *pair, now=now, baseline=link.baseline)
                moved += 1
            elif pair not in taken:
                left += 1
        for pair in uow.links.different(connection.id) - uow.links.different(kept.id):
            uow.links.keep_apart(kept.id, *pair, now=now)
        _retire(ctx, uow, connection, by=by, action="connection_merged", into=kept.key)
    log.info("connection_merged", connection_id=connection.id, moved=moved, left=left)
    return Merged(kept.key, moved, left)


def remove(ctx: Context, key: str, *, by: str) -> None:
    """Remove a doubled connection; its links end. Raises Refused."""
    with ctx.unit_of_work().reading() as uow:
        _doubled(uow, key)
    _end_webhook(ctx, key)
    with ctx.unit_of_work() as uow:
        connection, kept = _doubled(uow, key)
        _retire(ctx, uow, connection, by=by, action="connection_removed", into=kept.key)
    log.info("connection_removed", connection_id=connection.id)


def refuse_doubled(connection: Connection) -> None:
    """Raises Refused for a doubled connection, which stays paused."""
    if connection.doubled:
        raise Refused("connection_doubled", status=409)


def _doubled(uow: UnitOfWork, key: str) -> tuple[Connection, Connection]:
    """The doubled connection and the one that works. Raises Refused for a connection that is not doubled."""
    connection = known_connection(uow, key)
    kept = uow.connections.get_by_pair(connection.smarthr_subdomain, connection.freee_company_id)
    if not connection.doubled or kept is None:
        raise Refused("not_doubled", status=409)
    return connection, kept


def _retire(ctx: Context, uow: UnitOfWork, connection: Connection, *, by: str, action: str, into: str) -> None:
    now = ctx.clock.now()
    for link in uow.links.for_connection(connection.id):
        uow.links.unlink(link.id, why=UnlinkReason.BY_PERSON, now=now)
    uow.connections.remove(connection.id, now=now)
    uow.attention.forget_connection(connection.id)
    uow.directory.forget_names(connection_id=connection.id)
    uow.audit.add(actor=by, action=action, subject=f"connection:{connection.key}", now=now, detail={"kept": into})


def _end_webhook(ctx: Context, key: str) -> None:
    """Remove the doubled connection's webhook at SmartHR, as far as SmartHR lets us: its notifications would find no
    connection any more, and the one that works has a webhook of its own."""
    try:
        remove_webhook(ctx, key)
    except AwaseError as error:
        log.warning("webhook_left_behind", code=error.code)
