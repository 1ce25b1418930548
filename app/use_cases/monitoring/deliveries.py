"""Webhook deliveries for operators: which deliveries came in, and which items they led to."""

from __future__ import annotations

from collections.abc import Sequence

from app.storage.automatic.rows import DeliveryRow
from app.storage.repository import as_row
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.delivery_lookup import DeliveryFilter, as_stored, find_delivery, page_of
from app.use_cases.shared.views import DeliveryItemView, DeliveryView, Page


def list_deliveries(
    ctx: Context, wanted: DeliveryFilter, *, after: int | None = None, limit: int = 50
) -> Page[DeliveryView]:
    """One page of the deliveries that the filter finds, newest first. Raises Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        rows = page_of(uow, wanted, after=after, limit=limit + 1)
        shown = rows[:limit]
        return Page(tuple(_views(uow, shown)), shown[-1].id if len(rows) > limit else None)


def get_delivery(ctx: Context, delivery_id: int) -> DeliveryView:
    """One delivery with its items. Raises Refused("delivery_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        return _views(uow, [find_delivery(uow, delivery_id)])[0]


def count_deliveries(ctx: Context, wanted: DeliveryFilter, *, most: int = 1000) -> int:
    """How many deliveries the filter finds for a replay, counted up to `most` + 1. Raises
    Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        return uow.deliveries.count(as_stored(uow, wanted), limit=most + 1)


def _views(uow: UnitOfWork, rows: Sequence[DeliveryRow]) -> list[DeliveryView]:
    items = uow.deliveries.items_of([row.id for row in rows])
    runs = uow.runs.public_ids(sorted({run_id for found in items.values() for _, run_id, _ in found}))
    keys = {connection.id: connection.key for connection in uow.connections.list_all()}
    return [
        as_row(
            DeliveryView,
            row,
            connection=keys.get(row.connection_id or 0),
            people=tuple(row.people),
            items=tuple(DeliveryItemView(item_id, runs[run_id], state) for item_id, run_id, state in items[row.id]),
        )
        for row in rows
    ]
