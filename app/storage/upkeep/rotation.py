"""Rotation of the encryption keys: what stands under which key, and how it comes under the one in use, some rows at a
time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, select, update

from app.storage.repository import Repository
from app.storage.tables.models import Base
from app.storage.vault import VaultError

SUFFIX = "_enc"


def encrypted_columns() -> list[tuple[str, str]]:
    """(table, column) of every column that the vault writes; its suffix marks such a column (see `models`)."""
    tables = Base.metadata.sorted_tables
    return [(t.name, c.name) for t in tables for c in t.columns if c.name.endswith(SUFFIX)]


@dataclass(frozen=True)
class Portion:
    """Some rows of one column. `locked`: how many of them none of the given keys opens. `last`: primary key of the last
    row, None without rows. `under`: id of the key → rows, None for locked ones."""

    rows: int
    locked: int
    last: Any
    under: Counter[str | None]


class RotationRepository(Repository):
    """`uow.rotation`."""

    def rotate(self, table_name: str, column_name: str, *, after: Any, limit: int) -> Portion:
        """Encrypt up to `limit` rows behind primary key `after` (None: from the start) with the key in use, except the
        ones that stand under it already.

        A value that another process has replaced meanwhile (a refreshed token) stays as that process wrote it. A value
        that none of the given keys opens stays as well, and is counted.
        """
        table = Base.metadata.tables[table_name]
        column, key = table.c[column_name], _only_key(table)
        rows = self._rows(table_name, column_name, after, limit)
        locked = 0
        for row_key, sealed in rows:
            try:
                renewed = self._renewed(sealed)
            except VaultError:
                locked += 1
                continue
            if renewed is not None:
                statement = update(table).where(key == row_key, column == sealed)
                self._session.execute(statement.values({column_name: renewed}))
        return Portion(len(rows), locked, rows[-1][0] if rows else None, Counter())

    def counted(self, table_name: str, column_name: str, *, after: Any, limit: int) -> Portion:
        """Which keys the same rows stand under; changes nothing."""
        rows = self._rows(table_name, column_name, after, limit)
        under = Counter(self._vault.key_of(_as_bytes(sealed)) for _, sealed in rows)
        return Portion(len(rows), under[None], rows[-1][0] if rows else None, under)

    def opens_newest(self) -> bool:
        """Whether the given keys open the newest value of each column: a quick look at whether they are the right
        ones."""
        return all(self._opens_newest(*place) for place in encrypted_columns())

    def _opens_newest(self, table_name: str, column_name: str) -> bool:
        table = Base.metadata.tables[table_name]
        column = table.c[column_name]
        query = select(column).where(column.is_not(None)).order_by(_only_key(table).desc()).limit(1)
        sealed = self._session.scalar(query)
        return sealed is None or self._vault.key_of(_as_bytes(sealed)) is not None

    def _rows(self, table_name: str, column_name: str, after: Any, limit: int) -> Sequence[Any]:
        table = Base.metadata.tables[table_name]
        column, key = table.c[column_name], _only_key(table)
        query = select(key, column).where(column.is_not(None)).order_by(key).limit(limit)
        return self._session.execute(query if after is None else query.where(key > after)).all()

    def _renewed(self, sealed: str | bytes) -> str | bytes | None:
        renewed = self._vault.renewed(_as_bytes(sealed))
        return renewed.decode() if renewed is not None and isinstance(sealed, str) else renewed


def _as_bytes(sealed: str | bytes) -> bytes:
    return sealed.encode() if isinstance(sealed, str) else sealed


def _only_key(table: Table) -> Column[Any]:
    (key,) = table.primary_key.columns
    return key
