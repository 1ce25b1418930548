"""Base of the repositories: the session of the open transaction, the vault, and a few forms that all of them use.

A job sends the same few statements for every employee. To build such a statement costs more than to run it, and an
entity of the ORM more than a row, so these statements stand ready in their modules, over the tables alone (`table_of`),
with parameters whose names end in `_`: a plain name of a column would be taken for a value to set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import Connection, CursorResult, Executable, Row, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

from app.storage.tables.base import Base
from app.storage.vault import Vault, VaultError

HIDDEN = "••••"
"""In place of a text whose key is missing."""

R = TypeVar("R", bound="DataclassInstance")
_NONE = object()
_CONNECTION = "connection"
Result = CursorResult[Any]


class Repository:
    """One aggregate's reads and writes, inside the transaction of a UnitOfWork."""

    def __init__(self, session: Session, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    def _changed(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> int:
        """Run an UPDATE or DELETE and say how many rows it changed. With parameters it stands ready."""
        if parameters is not None:
            return self._run(statement, parameters).rowcount
        return cast("CursorResult[Any]", self._session.execute(statement)).rowcount

    def _first(self, statement: Executable, parameters: Mapping[str, Any]) -> Row[Any] | None:
        """The first row of a query that stands ready."""
        return self._run(statement, parameters).first()

    def _run(self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Result:
        """Run a statement that stands ready. It needs nothing of the session but its connection, and the session's own
        part would cost half as much as the statement."""
        kept = self._session.info
        if _CONNECTION not in kept:
            kept[_CONNECTION] = self._session.connection()
        connection: Connection = kept[_CONNECTION]
        return connection.execute(statement, parameters)

    @property
    def _dialect(self) -> Any:
        """The module whose `insert` knows ON CONFLICT on this database."""
        return postgresql if self._session.get_bind().dialect.name == "postgresql" else sqlite

    def _seal(self, text: str | None) -> str | None:
        return None if text is None else self._vault.encrypt(text)

    def _open(self, token: str | None) -> str | None:
        return None if token is None else self._vault.decrypt(token)

    def _shown(self, token: str | None) -> str | None:
        """The text behind a token that is only shown to people: they see the rest of the page although its key is
        missing."""
        try:
            return self._open(token)
        except VaultError:
            return HIDDEN


def as_row(row_type: type[R], record: Any, **more: Any) -> R:
    """Copy what a row or a view names out of a record, a row or a setting; `more` gives the fields that do not stand
    there under the same name. Raises TypeError for one that is in neither."""
    found = ((name, getattr(record, name, _NONE)) for name in _names(row_type) if name not in more)
    return row_type(**{name: value for name, value in found if value is not _NONE}, **more)


@cache
def _names(row_type: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(row_type))


def table_of(entity: type[Base]) -> Table:
    return cast("Table", entity.__table__)


def columns_for(row_type: type[DataclassInstance], entity: type[Base], *besides: str) -> list[ColumnElement[Any]]:
    """The columns that a row type names, and others."""
    columns = table_of(entity).c
    return [columns[name] for name in (*_names(row_type), *besides) if name in columns]
