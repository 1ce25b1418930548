"""The directions of a connection whose automatic sync begins with a preview: since when, why, and who waits for it."""

from __future__ import annotations

from collections.abc import Iterable

from app.storage.automatic.beginnings import Waiting
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.shared.views import BeginningView


def beginnings_in(uow: UnitOfWork, connection_id: int) -> tuple[BeginningView, ...]:
    """Those of one connection, inside the caller's transaction. One query."""
    return all_beginnings_in(uow, connection_id).get(connection_id, ())


def all_beginnings_in(uow: UnitOfWork, connection_id: int | None = None) -> dict[int, tuple[BeginningView, ...]]:
    """Connection → its beginnings; connections without any are left out. One query."""
    return by_connection(uow.beginnings.overview(connection_id))


def by_connection(waiting: Iterable[Waiting]) -> dict[int, tuple[BeginningView, ...]]:
    """Connection → its beginnings."""
    found: dict[int, tuple[BeginningView, ...]] = {}
    for mark, preview, gathered in waiting:
        view = BeginningView(mark.direction, mark.reason, since=mark.changed_at, run=preview, gathered=gathered)
        found[mark.connection_id] = (*found.get(mark.connection_id, ()), view)
    return found
