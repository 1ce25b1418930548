"""Whose survey is handed to the broker next. A queue of the broker is first in, first out; so surveys that only look
(previews, comparisons) wait here, in the outbox, where a run that writes can pass them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select

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
        query = select(OutboxTable).outerjoin(RunTable, RunTable.id == OutboxTable.ref_id)
        query = query.where(*_due(now), or_(RunTable.id.is_(None), ~only_looks()))
        writing = self._session.scalars(query.order_by(OutboxTable.due_at, OutboxTable.id).limit(limit))
        return [as_row(OutboxRow, record) for record in writing] + self._looks(now, looks_at_once)

    def _looks(self, now: datetime, looks_at_once: Mapping[str, int]) -> list[OutboxRow]:
        waiting = self._first_of_each_connection(now)
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

    def _first_of_each_connection(self, now: datetime) -> list[tuple[int, OutboxRow]]:
        place = func.row_number().over(
            partition_by=(RunTable.connection_id, OutboxTable.queue), order_by=(OutboxTable.due_at, OutboxTable.id)
        )
        each = (
            select(OutboxTable.id, RunTable.connection_id, place.label("place"))
            .join(RunTable, RunTable.id == OutboxTable.ref_id)
            .where(*_due(now), only_looks())
            .subquery()
        )
        query = select(each.c.connection_id, OutboxTable).join(each, each.c.id == OutboxTable.id)
        query = query.where(each.c.place == 1).order_by(OutboxTable.due_at, OutboxTable.id)
        return [(connection_id, as_row(OutboxRow, record)) for connection_id, record in self._session.execute(query)]

    def _in_hand(self) -> Counter[tuple[int, str]]:
        """(connection, queue) → surveys that only look and that the broker or a worker has."""
        query = select(RunTable.connection_id, RunTable.queue, func.count()).where(in_hand())
        found = self._session.execute(query.group_by(RunTable.connection_id, RunTable.queue))
        return Counter({(connection_id, queue): count for connection_id, queue, count in found})


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (OutboxTable.kind == OutboxKind.SURVEY, OutboxTable.sent_at.is_(None), OutboxTable.due_at <= now)
