"""Whose employees are handed to the broker next. A queue of the broker is first in, first out; so it gets only as many
jobs of one connection as this connection may have in hand at once. The rest waits here, in the outbox, where nobody
stands behind a stranger's thousands, nor behind a vendor that never answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Subquery, func, select, union_all

from app.domain.runs.queues import QUEUES
from app.storage.enums import OutboxKind
from app.storage.outgoing.rows import OutboxRow
from app.storage.repository import Repository
from app.storage.tables.conditions import item_in_hand
from app.storage.tables.models import ItemTable, OutboxTable

Lane = tuple[int, str]
"""A connection and a queue."""
_LANES_A_STATEMENT = 100
"""SQLite takes 500 parts in one."""
_MOST_OLD = 500
_COLUMNS = ("id", "kind", "ref_id", "connection_id", "attempt", "queue", "due_at", "created_at", "sent_at")


class ItemTurnRepository(Repository):
    """`uow.item_turns`."""

    def ready(self, now: datetime, *, at_once: int, room: Mapping[int, int]) -> list[OutboxRow]:
        """Items that may go to the broker now: per connection and queue the oldest due ones, while fewer than `at_once`
        are in hand, the first of every connection before the second of any. `room`: connection → a smaller number than
        `at_once` for this one."""
        lanes = self.lanes()
        busy = self._in_hand() if lanes else Counter()
        free = {lane: min(at_once, room.get(lane[0], at_once)) - busy[lane] for lane in lanes}
        found = self._first_of({lane: number for lane, number in free.items() if number > 0}, now)
        return _in_turn([*found, *self._without_connection(now)])

    def lanes(self) -> list[Lane]:
        """Connections and queues with items that wait, due or not. Jumps from one to the next through the index: the
        rows of a large run are not looked at."""
        return [(connection_id, queue) for queue in QUEUES for connection_id in self._connections(queue)]

    def _connections(self, queue: str) -> list[int]:
        unsent = (OutboxTable.sent_at.is_(None), OutboxTable.connection_id.is_not(None), OutboxTable.queue == queue)
        least = select(func.min(OutboxTable.connection_id).label("id")).where(*unsent)
        jump = least.cte("jump", recursive=True)
        following = select(func.min(OutboxTable.connection_id)).where(*unsent, OutboxTable.connection_id > jump.c.id)
        jump = jump.union_all(select(following.scalar_subquery()).where(jump.c.id.is_not(None)))
        return list(self._session.scalars(select(jump.c.id).where(jump.c.id.is_not(None))))

    def _in_hand(self) -> Counter[Lane]:
        """Items that the broker or a worker has."""
        query = (
            select(ItemTable.connection_id, ItemTable.queue, func.count())
            .where(item_in_hand())
            .group_by(ItemTable.connection_id, ItemTable.queue)
        )
        return Counter({(connection_id, queue): count for connection_id, queue, count in self._session.execute(query)})

    def _first_of(self, free: Mapping[Lane, int], now: datetime) -> list[OutboxRow]:
        lanes, found = list(free), list[OutboxRow]()
        for start in range(0, len(lanes), _LANES_A_STATEMENT):
            parts = [select(_lane(lane, free[lane], now)) for lane in lanes[start : start + _LANES_A_STATEMENT]]
            found += self._rows(union_all(*parts))
        return found

    def _without_connection(self, now: datetime) -> list[OutboxRow]:
        """Rows that an older version, still at work beside this one, has written."""
        old = _due(now).where(OutboxTable.kind == OutboxKind.ITEM, OutboxTable.connection_id.is_(None))
        return self._rows(old.order_by(OutboxTable.due_at, OutboxTable.id).limit(_MOST_OLD))

    def _rows(self, query: Any) -> list[OutboxRow]:
        return [OutboxRow(**row) for row in self._session.execute(query).mappings()]


def _due(now: datetime) -> Select[Any]:
    """Unsent rows that are due, with the number of starts that their items have had without an end."""
    columns = [OutboxTable.__table__.c[name] for name in _COLUMNS]
    starts = func.coalesce(ItemTable.starts, 0).label("starts")
    query = select(*columns, starts).outerjoin(ItemTable, ItemTable.id == OutboxTable.ref_id)
    return query.where(OutboxTable.sent_at.is_(None), OutboxTable.due_at <= now)


def _lane(lane: Lane, most: int, now: datetime) -> Subquery:
    connection_id, queue = lane
    query = _due(now).where(OutboxTable.connection_id == connection_id, OutboxTable.queue == queue)
    return query.order_by(OutboxTable.due_at, OutboxTable.id).limit(most).subquery()


def _in_turn(rows: Iterable[OutboxRow]) -> list[OutboxRow]:
    """The first row of every connection, then the second of every connection, and so on; rows come lane by lane."""
    places: Counter[tuple[int | None, str]] = Counter()
    placed = []
    for row in rows:
        lane = (row.connection_id, row.queue)
        placed.append((places[lane], row.due_at, row.id, row))
        places[lane] += 0 if row.connection_id is None else 1
    return [row for *_, row in sorted(placed, key=lambda each: each[:3])]
