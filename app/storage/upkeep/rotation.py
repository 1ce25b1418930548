"""Key rotation: re-encrypts every encrypted column with the newest key, a batch of rows at a time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Table, select, update

from app.storage.repository import Repository
from app.storage.tables.models import Base

SUFFIX = "_enc"


def encrypted_columns() -> list[tuple[str, str]]:
    """(table, column) of every column that the vault writes; its suffix marks such a column (see `models`)."""
    tables = Base.metadata.sorted_tables
    return [(t.name, c.name) for t in tables for c in t.columns if c.name.endswith(SUFFIX)]


class RotationRepository(Repository):
    """`uow.rotation`."""

    def rotate(self, table_name: str, column_name: str, *, after: Any, limit: int) -> tuple[int, Any]:
        """Re-encrypt up to `limit` rows behind primary key `after` (None: from the start). Returns how many rows it
        looked at and the last key.

        A value that another process has replaced meanwhile (a refreshed token) stays as that process wrote it, because
        it is under the newest key already. Raises VaultError for a value that none of the given keys opens.
        """
        table = Base.metadata.tables[table_name]
        column, key = table.c[column_name], _only_key(table)
        query = select(key, column).where(column.is_not(None)).order_by(key).limit(limit)
        rows = self._session.execute(query if after is None else query.where(key > after)).all()
        for row_key, sealed in rows:
            statement = update(table).where(key == row_key, column == sealed)
            self._session.execute(statement.values({column_name: self._rotated(sealed)}))
        return len(rows), rows[-1][0] if rows else None

    def _rotated(self, sealed: str | bytes) -> str | bytes:
        if isinstance(sealed, bytes):
            return self._vault.rotate(sealed.decode()).encode()
        return self._vault.rotate(sealed)


def _only_key(table: Table) -> Column[Any]:
    (key,) = table.primary_key.columns
    return key
