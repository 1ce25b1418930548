"""Outbox: the jobs that have to reach a worker, each written in the transaction that made it necessary."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    Update,
    bindparam,
    case,
    exists,
    func,
    insert,
    select,
    update,
)

from app.storage.enums import OutboxKind
from app.storage.outgoing.rows import OutboxRow
from app.storage.repository import Repository, as_row, table_of
from app.storage.tables.conditions import waits_its_turn
from app.storage.tables.models import ItemTable, RunTable
from app.storage.tables.outgoing_models import MailTable, OutboxTable

_ITEM = "item_of_row"
_ROWS = table_of(OutboxTable)


class OutboxRepository(Repository):
    def add(self, kind: OutboxKind, ref_id: int, *, attempt: int, queue: str, due_at: datetime, now: datetime) -> None:
        self.add_many([(ref_id, attempt, queue)], kind=kind, due_at=due_at, now=now)

    def add_many(
        self, rows: Iterable[tuple[int, int, str]], *, kind: OutboxKind, due_at: datetime, now: datetime
    ) -> None:
        """Add outbox rows of one kind. `rows`: (ref_id, attempt, queue)."""
        values = [
            {"kind": kind, "ref_id": ref, "attempt": attempt, "queue": queue, "due_at": due_at, "created_at": now}
            for ref, attempt, queue in rows
        ]
        statement = insert(OutboxTable.__table__)  # type: ignore[arg-type]
        if kind is OutboxKind.ITEM:
            statement = statement.values(connection_id=_connection_of_item())
            values = [{**each, _ITEM: each["ref_id"]} for each in values]
        if values:
            self._session.execute(statement, values)

    def due(
        self, now: datetime, *, limit: int = 500, kinds: Collection[OutboxKind] = tuple(OutboxKind)
    ) -> list[OutboxRow]:
        """Unsent rows of these kinds that are due, oldest first."""
        found = self._run(_due(), {"now_": now, "kinds_": list(kinds), "most_": limit})
        return [as_row(OutboxRow, row) for row in found]

    def mark_sent(self, rows: Sequence[OutboxRow], now: datetime) -> None:
        """The broker has these jobs: note it here and on the rows they refer to, where the reconciler looks."""
        self._run(_sent(), {"rows_": [row.id for row in rows], "now_": now})
        for kind, noted in _pushed().items():
            refs = [row.ref_id for row in rows if row.kind is kind]
            if refs:
                self._run(noted, {"refs_": refs, "now_": now})

    def survey_starts(self, rows: Sequence[OutboxRow]) -> dict[int, int]:
        """Run id → how often its survey has begun without an end, for the surveys among the rows."""
        runs = [row.ref_id for row in rows if row.kind is OutboxKind.SURVEY]
        query = select(RunTable.id, RunTable.survey_starts).where(RunTable.id.in_(runs))
        return {row.id: row.survey_starts for row in self._session.execute(query)} if runs else {}

    def waiting(self, now: datetime, *, resting: Collection[int] = ()) -> tuple[int, float | None]:
        """How many rows are due and unsent, and the age of the oldest in seconds. The age of rows that wait their turn
        does not count, nor of those of `resting` connections, because nobody is late with them."""
        count, oldest = tuple(self._run(_waiting(), {"now_": now, "resting_": list(resting)}).one())
        return count, None if oldest is None else max(0.0, (now - oldest).total_seconds())


def _connection_of_item() -> ScalarSelect[int]:
    return select(ItemTable.connection_id).where(ItemTable.id == bindparam(_ITEM)).scalar_subquery()


@cache
def _due() -> Select[Any]:
    """Parameters: `now_`, `kinds_`, `most_`."""
    due = (_ROWS.c.sent_at.is_(None), _ROWS.c.due_at <= bindparam("now_"))
    query = select(_ROWS).where(*due, _ROWS.c.kind.in_(bindparam("kinds_", expanding=True)))
    return query.order_by(_ROWS.c.due_at, _ROWS.c.id).limit(bindparam("most_", type_=Integer))


@cache
def _waiting() -> Select[int, Any]:
    """Parameters: `now_`, `resting_`."""
    rests = _ROWS.c.connection_id.in_(bindparam("resting_", expanding=True))
    late = case((~(waits_its_turn() | func.coalesce(rests, False)), _ROWS.c.due_at))
    due = (_ROWS.c.sent_at.is_(None), _ROWS.c.due_at <= bindparam("now_"))
    return select(func.count(), func.min(late)).where(*due)


@cache
def _sent() -> Update:
    """Parameters: `rows_`, `now_`."""
    return update(_ROWS).where(_ROWS.c.id.in_(bindparam("rows_", expanding=True))).values(sent_at=bindparam("now_"))


@cache
def _pushed() -> dict[OutboxKind, Update]:
    """Kind → the statement that notes the push on the rows which it refers to. Parameters: `refs_`, `now_`."""
    noted = {
        OutboxKind.ITEM: (ItemTable, "pushed_at"),
        OutboxKind.SURVEY: (RunTable, "survey_pushed_at"),
        OutboxKind.MAIL: (MailTable, "pushed_at"),
    }
    found = {}
    for kind, (entity, column) in noted.items():
        table = table_of(entity)
        statement = update(table).where(table.c.id.in_(bindparam("refs_", expanding=True)))
        found[kind] = statement.values({column: bindparam("now_")})
    return {**found, OutboxKind.ITEM: found[OutboxKind.ITEM].where(~_waits_again())}


def _waits_again() -> ColumnElement[bool]:
    """Whether a worker was so quick that the item has been postponed, and is due anew, before its push was noted."""
    items = table_of(ItemTable)
    return exists().where(_ROWS.c.kind == OutboxKind.ITEM, _ROWS.c.ref_id == items.c.id, _ROWS.c.sent_at.is_(None))
