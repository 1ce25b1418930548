"""Deleting a connection with its data: what belongs to it, how much that is, and deleting it in portions.

Whatever has a column `connection_id` belongs to a connection; rows that only name such a row (the values of an item,
the pages of a survey) go with it, because their foreign keys cascade. The connection's own row stays, empty but for its
key and name, so that the audit trail can be read. A test compares this with the tables there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, func, select, tuple_, update

from app.domain.runs.run_state import ItemState
from app.storage.enums import OutboxKind, RefreshState
from app.storage.repository import Repository, table_of
from app.storage.tables.base import Base
from app.storage.tables.models import ConnectionTable, ItemTable, LinkTable, RunTable
from app.storage.tables.outgoing_models import MailTable, OutboxTable

PORTION = 200
"""How many rows one transaction deletes: of an item its values and steps go with it."""


@dataclass(frozen=True)
class DeletedConnection:
    """`empty`: nothing of its data is left."""

    id: int
    key: str
    name: str
    empty: bool


class DeletionRepository(Repository):
    """`uow.deletions`."""

    def mark(self, connection_id: int, *, by: str, now: datetime) -> None:
        """Take the connection out of service. What is being written for it may still end, so its tokens stay until
        `empty`; the pair may be connected again."""
        values = {"removed_at": now, "paused": True, "pair_key": None, "deleted_by": by}
        self._session.execute(update(ConnectionTable).where(ConnectionTable.id == connection_id).values(values))

    def find(self, key: str) -> DeletedConnection | None:
        """The deleted connection with this key."""
        return next((row for row in self._deleted(ConnectionTable.key == key)), None)

    def under_way(self) -> list[DeletedConnection]:
        """Deleted connections of which data is left, oldest first."""
        return list(self._deleted(ConnectionTable.emptied_at.is_(None)))

    def _deleted(self, condition: ColumnElement[bool]) -> Iterator[DeletedConnection]:
        columns = (ConnectionTable.id, ConnectionTable.key, ConnectionTable.name, ConnectionTable.emptied_at)
        query = select(*columns).where(ConnectionTable.deleted_by.is_not(None), condition).order_by(ConnectionTable.id)
        for row in self._session.execute(query):
            yield DeletedConnection(row.id, row.key, row.name, row.emptied_at is not None)

    def amounts(self, connection_id: int) -> Mapping[str, int]:
        """How much there is: runs, those of them that are not over, and linked pairs."""
        open_runs = select(func.count()).where(*_open(connection_id))
        runs = select(func.count()).where(RunTable.connection_id == connection_id)
        links = select(func.count()).where(LinkTable.connection_id == connection_id, LinkTable.unlinked_at.is_(None))
        counts = {"runs": runs, "open_runs": open_runs, "links": links}
        return {name: self._session.scalar(query) or 0 for name, query in counts.items()}

    def open_runs(self, connection_id: int) -> list[int]:
        """Runs that are not over, oldest first."""
        return list(self._session.scalars(select(RunTable.id).where(*_open(connection_id)).order_by(RunTable.id)))

    def is_at_work(self, connection_id: int) -> bool:
        """Whether a run is not over, or a job still has one of its people in hand."""
        busy = select(ItemTable.id).where(
            ItemTable.connection_id == connection_id, ItemTable.state == ItemState.RUNNING
        )
        return bool(self.open_runs(connection_id)) or self._session.scalar(busy.limit(1)) is not None

    def portion(self, connection_id: int, *, limit: int = PORTION) -> tuple[str, int] | None:
        """Delete a portion of the first table that still has rows of the connection: (its name, how many rows). None:
        none has."""
        for kind, parents in _ON_THEIR_WAY.items():
            waiting = (OutboxTable.kind == kind, OutboxTable.ref_id.in_(parents(connection_id)))
            if count := self._delete(_rows_of(table_of(OutboxTable), *waiting), limit):
                return OutboxTable.__tablename__, count
        for table in TABLES:
            if count := self._delete(_rows_of(table, table.c.connection_id == connection_id), limit):
                return table.name, count
        return None

    def _delete(self, rows: tuple[Table, Select[Any]], limit: int) -> int:
        table, keys = rows
        newest_first = [column.desc() for column in table.primary_key]  # a repetition goes before what it repeats
        chosen = keys.order_by(*newest_first).limit(limit)
        return self._changed(delete(table).where(tuple_(*table.primary_key).in_(chosen)))

    def empty(self, connection_id: int, *, now: datetime) -> None:
        """Take tokens, addresses, settings and what was learned out of the connection's own row."""
        nothing = dict.fromkeys(
            (
                *("freee_external_cid", "freee_company_name", "freee_access_token_enc", "freee_refresh_token_enc"),
                *("freee_expires_at", "freee_refreshed_at", "freee_claimed_until", "export_settings"),
            )
        )
        values: dict[str, Any] = {
            **nothing,
            "smarthr_token_enc": self._vault.encrypt(""),
            "mail_to_enc": self._vault.encrypt_json([]),
            "freee_refresh_state": RefreshState.NONE,
            "smarthr_subdomain": "",
            "freee_company_id": 0,
            "options": {},
            "learned": {},
            "emptied_at": now,
        }
        self._session.execute(update(ConnectionTable).where(ConnectionTable.id == connection_id).values(values))


TABLES = tuple(table for table in reversed(Base.metadata.sorted_tables) if "connection_id" in table.c)
"""Those whose rows name a connection; whatever refers to another table comes before it."""


def _open(connection_id: int) -> tuple[ColumnElement[bool], ...]:
    return RunTable.connection_id == connection_id, RunTable.finished_at.is_(None)


def _rows_of(table: Table, *where: ColumnElement[bool]) -> tuple[Table, Select[Any]]:
    return table, select(*table.primary_key).where(*where)


def _runs(connection_id: int) -> Select[Any]:
    return select(RunTable.id).where(RunTable.connection_id == connection_id)


def _mails(connection_id: int) -> Select[Any]:
    of_run = MailTable.run_id.in_(_runs(connection_id))
    return select(MailTable.id).where((MailTable.connection_id == connection_id) | of_run)


_ON_THEIR_WAY = {OutboxKind.SURVEY: _runs, OutboxKind.MAIL: _mails}
"""Rows of the outbox that name no connection themselves."""
