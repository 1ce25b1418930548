"""Whose survey is handed to the broker next. A queue of the broker is first in, first out; so surveys that only look
(previews, comparisons) wait here, in the outbox, where a run that writes can pass them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Integer, Select, bindparam, case, false, func, or_, select

from app.storage.enums import OutboxKind
from app.storage.outgoing.rows import OutboxRow
from app.storage.repository import Repository, as_row, table_of
from app.storage.tables.conditions import in_hand, only_looks
from app.storage.tables.models import RunTable
from app.storage.tables.outgoing_models import OutboxTable

_ROWS, _RUNS = table_of(OutboxTable), table_of(RunTable)


class SurveyTurnRepository(Repository):
    """`uow.survey_turns`."""

    def ready(self, now: datetime, *, looks_at_once: Mapping[str, int], limit: int) -> list[OutboxRow]:
        """Surveys that may go to the broker now: every one of a run that writes, and those that only look while fewer
        than `looks_at_once` (queue → surveys) are in hand, one per connection and queue, in the order in which they
        were due."""
        due = self._due(now, limit=limit)
        writing = [row for looks, _, row in due if not looks]
        looking = [(connection_id, row) for looks, connection_id, row in due if looks]
        return writing + self._turns(looking, looks_at_once)

    def _turns(self, waiting: Sequence[tuple[int, OutboxRow]], looks_at_once: Mapping[str, int]) -> list[OutboxRow]:
        busy = self._in_hand() if waiting else Counter()
        taken: Counter[str] = Counter()
        for (_, queue), count in busy.items():
            taken[queue] += count
        turns = []
        for connection_id, row in waiting:
            if not busy[connection_id, row.queue] and taken[row.queue] < looks_at_once.get(row.queue, 1):
                taken[row.queue] += 1
                turns.append(row)
        return turns

    def _due(self, now: datetime, *, limit: int) -> list[tuple[bool, int, OutboxRow]]:
        """(only looks, connection, row) of what is due: up to `limit` surveys of runs that write, and of those that
        only look the first of each connection and queue. One query for both: the relay asks four times a second."""
        found = self._session.execute(_due(), {"now_": now, "most_": limit})
        return [(row.looks, row.in_connection, as_row(OutboxRow, row)) for row in found]

    def _in_hand(self) -> Counter[tuple[int, str]]:
        """(connection, queue) → surveys that only look and that the broker or a worker has."""
        query = select(RunTable.connection_id, RunTable.queue, func.count()).where(in_hand())
        found = self._session.execute(query.group_by(RunTable.connection_id, RunTable.queue))
        return Counter({(connection_id, queue): count for connection_id, queue, count in found})


@cache
def _due() -> Select[Any]:
    """Parameters: `now_`, `most_`."""
    looks = func.coalesce(only_looks(_RUNS.c), false())
    turn = case((looks, _RUNS.c.connection_id)), case((looks, _ROWS.c.queue))
    place = func.row_number().over(partition_by=(looks, *turn), order_by=(_ROWS.c.due_at, _ROWS.c.id))
    due = (_ROWS.c.kind == OutboxKind.SURVEY, _ROWS.c.sent_at.is_(None), _ROWS.c.due_at <= bindparam("now_"))
    each = (
        select(_ROWS.c.id, _RUNS.c.connection_id, looks.label("looks"), place.label("place"))
        .outerjoin(_RUNS, _RUNS.c.id == _ROWS.c.ref_id)
        .where(*due)
        .subquery()
    )
    query = select(each.c.looks, each.c.connection_id.label("in_connection"), _ROWS)
    most = bindparam("most_", type_=Integer)
    query = query.join(each, each.c.id == _ROWS.c.id)
    query = query.where(or_(each.c.place == 1, each.c.looks.is_(false()) & (each.c.place <= most)))
    return query.order_by(_ROWS.c.due_at, _ROWS.c.id)
