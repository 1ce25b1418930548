"""Whose survey is handed to the broker next. A queue of the broker is first in, first out; so surveys that only look
(previews, comparisons) wait here, in the outbox, where a run that writes can pass them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import case, false, func, or_, select

from app.storage.enums import OutboxKind
from app.storage.outgoing.rows import OutboxRow
from app.storage.repository import Repository, as_row
from app.storage.tables.conditions import in_hand, only_looks
from app.storage.tables.models import OutboxTable, RunTable


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
        looks = func.coalesce(only_looks(), false())
        turn = case((looks, RunTable.connection_id)), case((looks, OutboxTable.queue))
        place = func.row_number().over(partition_by=(looks, *turn), order_by=(OutboxTable.due_at, OutboxTable.id))
        due = (OutboxTable.kind == OutboxKind.SURVEY, OutboxTable.sent_at.is_(None), OutboxTable.due_at <= now)
        each = (
            select(OutboxTable.id, RunTable.connection_id, looks.label("looks"), place.label("place"))
            .outerjoin(RunTable, RunTable.id == OutboxTable.ref_id)
            .where(*due)
            .subquery()
        )
        query = select(each.c.looks, each.c.connection_id, OutboxTable).join(each, each.c.id == OutboxTable.id)
        query = query.where(or_(each.c.place == 1, each.c.looks.is_(false()) & (each.c.place <= limit)))
        found = self._session.execute(query.order_by(OutboxTable.due_at, OutboxTable.id))
        return [(looks, connection_id, as_row(OutboxRow, record)) for looks, connection_id, record in found]

    def _in_hand(self) -> Counter[tuple[int, str]]:
        """(connection, queue) → surveys that only look and that the broker or a worker has."""
        query = select(RunTable.connection_id, RunTable.queue, func.count()).where(in_hand())
        found = self._session.execute(query.group_by(RunTable.connection_id, RunTable.queue))
        return Counter({(connection_id, queue): count for connection_id, queue, count in found})
