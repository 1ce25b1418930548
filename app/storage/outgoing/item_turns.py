"""Whose employees are handed to the broker next. A queue of the broker is first in, first out; so it gets only as many
jobs of one connection as this connection may have in hand at once. The rest waits here, in the outbox, where nobody
stands behind a stranger's thousands, nor behind a vendor that never answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import CompoundSelect, Integer, Select, Subquery, bindparam, func, select, union_all

from app.domain.runs.queues import QUEUES
from app.storage.enums import OutboxKind
from app.storage.outgoing.rows import OutboxRow
from app.storage.repository import Repository, table_of
from app.storage.tables.conditions import item_in_hand
from app.storage.tables.models import ItemTable
from app.storage.tables.outgoing_models import OutboxTable

Lane = tuple[int, str]
"""A connection and a queue."""
_LANES_A_STATEMENT = 100
"""SQLite takes 500 parts in one."""
_MOST_OLD = 500
_ROWS, _ITEMS = table_of(OutboxTable), table_of(ItemTable)
_OLDEST = _ROWS.c.due_at, _ROWS.c.id
_COLUMNS = ("id", "kind", "ref_id", "connection_id", "attempt", "queue", "due_at", "created_at", "sent_at")


class ItemTurnRepository(Repository):
    """`uow.item_turns`."""

    def ready(self, lanes: Sequence[Lane], now: datetime, *, at_once: int, room: Mapping[int, int]) -> list[OutboxRow]:
        """Items of these lanes that may go to the broker now: per connection and queue the oldest due ones, while fewer
        than `at_once` are in hand, the first of every connection before the second of any. `room`: connection → a
        smaller number than `at_once` for this one."""
        busy = self._in_hand() if lanes else Counter()
        free = {lane: min(at_once, room.get(lane[0], at_once)) - busy[lane] for lane in lanes}
        found = self._first_of({lane: number for lane, number in free.items() if number > 0}, now)
        return _in_turn([*found, *self._without_connection(now)])

    def lanes(self) -> list[Lane]:
        """Connections and queues with items that wait, due or not. Jumps from one to the next through the index: the
        rows of a large run are not looked at."""
        return [(connection_id, queue) for queue in QUEUES for connection_id in self._connections(queue)]

    def _connections(self, queue: str) -> list[int]:
        return list(self._run(_connections_that_wait(), {"queue_": queue}).scalars())

    def _in_hand(self) -> Counter[Lane]:
        """Items that the broker or a worker has."""
        return Counter({(row.connection_id, row.queue): row.number for row in self._run(_in_hand(), {})})

    def _first_of(self, free: Mapping[Lane, int], now: datetime) -> list[OutboxRow]:
        lanes, found = list(free.items()), list[OutboxRow]()
        for start in range(0, len(lanes), _LANES_A_STATEMENT):
            part = lanes[start : start + _LANES_A_STATEMENT]
            given: dict[str, Any] = {"now_": now}
            for place, ((connection_id, queue), most) in enumerate(part):
                given |= {f"connection_{place}": connection_id, f"queue_{place}": queue, f"most_{place}": most}
            found += self._rows(_first_of_lanes(len(part)), given)
        return found

    def _without_connection(self, now: datetime) -> list[OutboxRow]:
        """Rows that an older version, still at work beside this one, has written."""
        return self._rows(_old_rows(), {"now_": now})

    def _rows(self, query: Any, given: Mapping[str, Any]) -> list[OutboxRow]:
        return [OutboxRow(**row) for row in self._run(query, given).mappings()]


@cache
def _connections_that_wait() -> Select[Any]:
    """Parameter: `queue_`."""
    unsent = (_ROWS.c.sent_at.is_(None), _ROWS.c.connection_id.is_not(None), _ROWS.c.queue == bindparam("queue_"))
    jump = select(func.min(_ROWS.c.connection_id).label("id")).where(*unsent).cte("jump", recursive=True)
    following = select(func.min(_ROWS.c.connection_id)).where(*unsent, _ROWS.c.connection_id > jump.c.id)
    jump = jump.union_all(select(following.scalar_subquery()).where(jump.c.id.is_not(None)))
    return select(jump.c.id).where(jump.c.id.is_not(None))


@cache
def _in_hand() -> Select[Any]:
    columns = _ITEMS.c.connection_id, _ITEMS.c.queue
    return select(*columns, func.count().label("number")).where(item_in_hand()).group_by(*columns)


@cache
def _first_of_lanes(number: int) -> CompoundSelect[Any]:
    """Parameters: `now_`, and for each of so many lanes `connection_0`, `queue_0`, `most_0`, and so on."""
    return union_all(*(select(_lane(place)) for place in range(number)))


def _lane(place: int) -> Subquery:
    mine = (_ROWS.c.connection_id == bindparam(f"connection_{place}"), _ROWS.c.queue == bindparam(f"queue_{place}"))
    return _due().where(*mine).order_by(*_OLDEST).limit(bindparam(f"most_{place}", type_=Integer)).subquery()


@cache
def _old_rows() -> Select[Any]:
    """Parameter: `now_`."""
    old = (_ROWS.c.kind == OutboxKind.ITEM, _ROWS.c.connection_id.is_(None))
    return _due().where(*old).order_by(*_OLDEST).limit(_MOST_OLD)


def _due() -> Select[Any]:
    """Unsent rows that are due, with the number of starts that their items have had without an end."""
    columns = [_ROWS.c[name] for name in _COLUMNS]
    starts = func.coalesce(_ITEMS.c.starts, 0).label("starts")
    query = select(*columns, starts).outerjoin(_ITEMS, _ITEMS.c.id == _ROWS.c.ref_id)
    return query.where(_ROWS.c.sent_at.is_(None), _ROWS.c.due_at <= bindparam("now_"))


def _in_turn(rows: Iterable[OutboxRow]) -> list[OutboxRow]:
    """The first row of every connection, then the second of every connection, and so on; rows come lane by lane."""
    places: Counter[tuple[int | None, str]] = Counter()
    placed = []
    for row in rows:
        lane = (row.connection_id, row.queue)
        placed.append((places[lane], row.due_at, row.id, row))
        places[lane] += 0 if row.connection_id is None else 1
    return [row for *_, row in sorted(placed, key=lambda each: each[:3])]
