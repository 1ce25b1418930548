"""Deliveries: webhooks as they came in, one row each, without bodies or values. A unique key refuses doubled ones."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Exists,
    Result,
    Select,
    Text,
    bindparam,
    cast,
    column,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.orm import aliased

from app.domain.enums import System
from app.domain.runs.run_state import ItemState
from app.storage.automatic.rows import DeliveryRow, NewDelivery
from app.storage.enums import DeliveryState
from app.storage.repository import Repository, as_row
from app.storage.tables.automatic_models import DeliveryItemTable, DeliveryTable
from app.storage.tables.base import Base
from app.storage.tables.models import ItemTable

_DELIVERIES, _PAIRS = (Base.metadata.tables[each.__tablename__] for each in (DeliveryTable, DeliveryItemTable))
"""The tables for plain inserts, which cost twice as much through the classes; the intake does little else."""
_GIVEN = [each for each in _DELIVERIES.c if each.name not in ("id", "replayed_at")]
_LIST = (
    func.jsonb_to_recordset(cast(bindparam("rows", type_=Text), postgresql.JSONB))
    .table_valued(*(column(each.name, each.type) for each in _GIVEN))
    .render_derived(name="new", with_types=True)
)
_INSERT_LIST = str(
    postgresql.insert(_DELIVERIES)
    .from_select(_GIVEN, select(*_LIST.c), include_defaults=False)
    .on_conflict_do_nothing(index_elements=["dedup"])
    .returning(_DELIVERIES.c.dedup, _DELIVERIES.c.id)
    .compile(dialect=PGDialect_psycopg())  # type: ignore[no-untyped-call]
)
"""The insert for PostgreSQL: all rows are one parameter, a JSON array. Ten parameters a row would cost the driver as
much as all the rest, and a statement whose length changes with the number of rows would never be prepared. It is kept
as text, because looking it up among the compiled statements costs more than the driver's part."""
_FAILED_ENDS = (ItemState.FAILED, ItemState.NEEDS_REVIEW, ItemState.CONFLICT, ItemState.CANCELLED)


@dataclass(frozen=True)
class Wanted:
    """Which deliveries; None where it does not matter. `since` is included, `until` is not. `failed`: only deliveries
    of which an item did not end well."""

    connection_id: int | None = None
    system: System | None = None
    state: DeliveryState | None = None
    since: datetime | None = None
    until: datetime | None = None
    failed: bool = False

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        columns = DeliveryTable.connection_id, DeliveryTable.system, DeliveryTable.state
        given = zip(columns, (self.connection_id, self.system, self.state), strict=True)
        found: list[ColumnElement[bool]] = [column == value for column, value in given if value is not None]
        found += [] if self.since is None else [DeliveryTable.received_at >= self.since]
        found += [] if self.until is None else [DeliveryTable.received_at < self.until]
        return [*found, _ended_badly()] if self.failed else found


EVERYTHING = Wanted()


class DeliveryRepository(Repository):
    """`uow.deliveries`."""

    def add_many(self, deliveries: Sequence[NewDelivery]) -> list[int | None]:
        """Ids in the order given; None where a delivery with this key is there already."""
        ids: list[int | None] = [None] * len(deliveries)
        keyed = {new.dedup: place for place, new in reversed(list(enumerate(deliveries))) if new.dedup is not None}
        single = [place for place, new in enumerate(deliveries) if new.dedup is None]
        in_order = [deliveries[keyed[dedup]] for dedup in sorted(keyed)]  # or two transactions could wait crosswise
        for dedup, row_id in self._insert_new(in_order):
            ids[keyed[dedup]] = row_id
        for place in single:
            row = self._session.execute(insert(_DELIVERIES).returning(_DELIVERIES.c.id), _columns(deliveries[place]))
            ids[place] = row.scalar_one()
        return ids

    def _insert_new(self, deliveries: Sequence[NewDelivery]) -> Iterable[tuple[str, int]]:
        """Insert the deliveries; (key, id) of those that were not there yet."""
        if not deliveries:
            return []
        rows = [_columns(new) for new in deliveries]
        if self._dialect is postgresql:
            listed = {"rows": json.dumps(rows, default=str)}
            stored: Result[Any] = self._transaction.connection.exec_driver_sql(_INSERT_LIST, listed)
        else:
            insertion = self._dialect.insert(_DELIVERIES).on_conflict_do_nothing(index_elements=["dedup"])
            stored = self._session.execute(insertion.returning(_DELIVERIES.c.dedup, _DELIVERIES.c.id), rows)
        return [(str(row.dedup), row.id) for row in stored]

    def found(self, dedups: Sequence[str]) -> dict[str, DeliveryRow]:
        """Key → row of the deliveries that are there."""
        query = select(DeliveryTable).where(DeliveryTable.dedup.in_(dedups))
        return {str(record.dedup): as_row(DeliveryRow, record) for record in self._session.scalars(query)}

    def unsorted(self, *, limit: int) -> list[DeliveryRow]:
        """Deliveries that the relay has not sorted yet, the oldest first. On PostgreSQL they are locked until the
        transaction ends, and those that another transaction has locked are left out."""
        query = (
            select(DeliveryTable)
            .where(DeliveryTable.state == DeliveryState.RECEIVED)
            .order_by(DeliveryTable.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [as_row(DeliveryRow, record) for record in self._session.scalars(query)]

    def any_unsorted(self) -> bool:
        return self._session.scalar(_any_unsorted()) is not None

    def sorted_as(self, state: DeliveryState, delivery_ids: Sequence[int]) -> None:
        """Store what became of these deliveries."""
        if delivery_ids:
            chosen = DeliveryTable.id.in_(delivery_ids)
            self._session.execute(update(DeliveryTable).where(chosen).values(state=state))

    def link_items(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Store which items a delivery asked for, as (delivery id, item id). A replay may ask for an item that waits
        already."""
        unique = sorted(set(pairs))
        if unique:
            values = [{"delivery_id": delivery, "item_id": item} for delivery, item in unique]
            self._session.execute(self._dialect.insert(_PAIRS).on_conflict_do_nothing(), values)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, delivery_id: int) -> DeliveryRow | None:
        record = self._session.get(DeliveryTable, delivery_id, populate_existing=True)
        return None if record is None else as_row(DeliveryRow, record)

    def page(self, wanted: Wanted = EVERYTHING, *, after: int | None, limit: int) -> list[DeliveryRow]:
        """Deliveries, the newest first. `after`: id of the last one of the page before."""
        query = select(DeliveryTable).order_by(DeliveryTable.id.desc()).limit(limit)
        if after is not None:
            query = query.where(DeliveryTable.id < after)
        return [as_row(DeliveryRow, record) for record in self._session.scalars(query.where(*wanted.conditions))]

    def count(self, wanted: Wanted, *, limit: int) -> int:
        """How many such deliveries there are, counted no further than `limit`."""
        some = select(DeliveryTable.id).where(*wanted.conditions).limit(limit).subquery()
        return self._session.scalar(select(func.count()).select_from(some)) or 0

    def items_of(self, delivery_ids: Sequence[int]) -> dict[int, list[tuple[int, int, ItemState]]]:
        """Delivery id → [(item id, run id, state)]."""
        found: dict[int, list[tuple[int, int, ItemState]]] = {each: [] for each in delivery_ids}
        query = (
            select(DeliveryItemTable.delivery_id, ItemTable.id, ItemTable.run_id, ItemTable.state)
            .join(ItemTable, ItemTable.id == DeliveryItemTable.item_id)
            .where(DeliveryItemTable.delivery_id.in_(delivery_ids))
        )
        for delivery_id, item_id, run_id, state in self._session.execute(query):
            found[delivery_id].append((item_id, run_id, state))
        return found

    def asked_for(self, run_id: int) -> list[tuple[int, str]]:
        """(delivery id, source id) of the WAITING items of a run that webhooks have joined."""
        query = (
            select(DeliveryItemTable.delivery_id, ItemTable.source_id)
            .join(ItemTable, ItemTable.id == DeliveryItemTable.item_id)
            .where(ItemTable.run_id == run_id, ItemTable.state == ItemState.WAITING, ItemTable.source_id.is_not(None))
        )
        return [(delivery_id, str(source_id)) for delivery_id, source_id in self._session.execute(query)]

    def of_item(self, item_id: int) -> list[int]:
        """The deliveries that have asked for an item."""
        query = select(DeliveryItemTable.delivery_id).where(DeliveryItemTable.item_id == item_id)
        return list(self._session.scalars(query.order_by(DeliveryItemTable.delivery_id)))

    def people_told_since(
        self, connection_id: int, system: System, moment: datetime, *, events: Collection[str] | None = None
    ) -> set[str]:
        """Ids of the employees whom the webhooks of one system have named since then. `events`: only such webhooks."""
        query = select(DeliveryTable.people).where(
            DeliveryTable.connection_id == connection_id,
            DeliveryTable.system == system,
            DeliveryTable.received_at >= moment,
        )
        if events is not None:
            query = query.where(DeliveryTable.event.in_(events))
        return {person for people in self._session.scalars(query) for person in people}

    # ── replay, retention ─────────────────────────────────────────────────────────────────────────────────────────

    def mark_replayed(self, delivery_ids: Sequence[int], now: datetime) -> None:
        self._session.execute(
            update(DeliveryTable)
            .where(DeliveryTable.id.in_(delivery_ids))
            .values(replayed_at=now, replays=DeliveryTable.replays + 1, state=DeliveryState.ACCEPTED)
        )


def _ended_badly() -> Exists:
    """An item of the delivery ended badly, and no replay of the delivery has asked for a later item of that person."""
    later, later_asked = aliased(ItemTable), aliased(DeliveryItemTable)
    replayed = exists().where(
        later_asked.delivery_id == DeliveryItemTable.delivery_id,
        later.id == later_asked.item_id,
        later.id > ItemTable.id,
        later.source_id == ItemTable.source_id,
    )
    return exists().where(
        DeliveryItemTable.delivery_id == DeliveryTable.id,
        ItemTable.id == DeliveryItemTable.item_id,
        ItemTable.state.in_(_FAILED_ENDS),
        ~replayed,
    )


def _columns(new: NewDelivery) -> Mapping[str, object]:
    return {
        "system": new.system,
        "connection_id": new.connection_id,
        "event": new.event,
        "dedup": new.dedup,
        "digest": new.digest,
        "state": new.state,
        "people": list(new.people),
        "received_at": new.received_at,
        "triggered_at": new.triggered_at,
        "replays": 0,
    }


@cache
def _any_unsorted() -> Select[Any]:
    return select(DeliveryTable.id).where(DeliveryTable.state == DeliveryState.RECEIVED).limit(1)
