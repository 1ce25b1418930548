"""Finds the webhook deliveries that a caller names by id or by a filter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.domain.enums import System
from app.domain.errors import Refused
from app.storage.automatic.deliveries import Wanted
from app.storage.automatic.rows import DeliveryRow
from app.storage.repository import as_row
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.views import DeliveryState

_LAST_ID = 2**63 - 1


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries the caller wants. `since` is included: a delivery that came in at that moment belongs to them;
    `until` is not included. `failed`: only deliveries of which an item did not end well."""

    connection: str | None = None
    state: DeliveryState | None = None
    since: datetime | None = None
    until: datetime | None = None
    failed: bool = False
    system: System | None = None


def page_of(uow: UnitOfWork, wanted: DeliveryFilter, *, after: int | None, limit: int) -> list[DeliveryRow]:
    return uow.deliveries.page(as_stored(uow, wanted), after=after, limit=limit)


def as_stored(uow: UnitOfWork, wanted: DeliveryFilter) -> Wanted:
    """The filter as the repository takes it."""
    connection_id = None if wanted.connection is None else known_connection(uow, wanted.connection).id
    return as_row(Wanted, wanted, connection_id=connection_id)


def find_delivery(uow: UnitOfWork, delivery_id: int) -> DeliveryRow:
    row = uow.deliveries.get(delivery_id) if 0 < delivery_id <= _LAST_ID else None
    if row is None:
        raise Refused("delivery_not_found", status=404)
    return row
