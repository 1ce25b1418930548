"""Finds the connection behind a key, or refuses the key: every use case that is given a connection's key asks here."""

from __future__ import annotations

from app.domain.errors import Refused
from app.domain.settings.connection_settings import Connection
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context


def known_connection(uow: UnitOfWork, key: str) -> Connection:
    """Find the connection inside the caller's transaction. Raises Refused("unknown_connection")."""
    connection = uow.connections.get_by_key(key)
    if connection is None:
        raise Refused("unknown_connection", status=404)
    return connection


def find_connection(ctx: Context, key: str) -> Connection:
    """Find the connection in a transaction of its own. Raises Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        return known_connection(uow, key)
