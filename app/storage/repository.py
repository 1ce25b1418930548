"""Base of the repositories: the open transaction, the vault, and a few forms that all of them use.

A job sends the same few statements for every employee. To build such a statement costs more than to run it, and an
entity of the ORM more than a row, so these statements stand ready in their modules, over the tables alone (`table_of`),
with parameters whose names end in `_`: a plain name of a column would be taken for a value to set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import Connection, CursorResult, Dialect, Engine, Executable, RootTransaction, Row, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.sql import ColumnElement

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

from app.storage.tables.base import Base
from app.storage.vault import Vault, VaultError

HIDDEN = "••••"
"""In place of a text whose key is missing."""

R = TypeVar("R", bound="DataclassInstance")
_NONE = object()
Result = CursorResult[Any]


class Transaction:
    """One transaction of one thread: a connection from its first statement on, and a session of the ORM for whoever
    needs one. Most transactions of a job need none, and to make, begin and close one costs more than a statement."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._engine: Engine = sessions.kw["bind"]
        self._connection: Connection | None = None
        self._root: RootTransaction | None = None
        self._session: Session | None = None

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    @property
    def connection(self) -> Connection:
        """Begins the transaction when it is asked for first."""
        if self._connection is None:
            connection = self._engine.connect()
            try:
                self._root = connection.begin()
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    @property
    def session(self) -> Session:
        """The ORM inside this transaction: only `commit` ends it."""
        if self._session is None:
            self._session = self._sessions(bind=self.connection, join_transaction_mode="rollback_only")
        return self._session

    def commit(self) -> None:
        if self._session is not None:
            self._session.flush()
        if self._root is not None:
            self._root.commit()

    def close(self) -> None:
        """Rolls back what was not committed."""
        try:
            if self._session is not None:
                self._session.close()
        finally:
            if self._connection is not None:
                self._connection.close()


class Repository:
    """One aggregate's reads and writes, inside the transaction of a UnitOfWork."""

    def __init__(self, transaction: Transaction, vault: Vault) -> None:
        self._transaction = transaction
        self._vault = vault

    @property
    def _session(self) -> Session:
        return self._transaction.session

    def _changed(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> int:
        """Run an UPDATE or DELETE and say how many rows it changed. With parameters it stands ready."""
        if parameters is not None:
            return self._run(statement, parameters).rowcount
        return cast("CursorResult[Any]", self._session.execute(statement)).rowcount

    def _first(self, statement: Executable, parameters: Mapping[str, Any]) -> Row[Any] | None:
        """The first row of a query that stands ready."""
        return self._run(statement, parameters).first()

    def _run(self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Result:
        """Run a statement that stands ready: it needs a connection and no session, which would cost as much again."""
        return self._transaction.connection.execute(statement, parameters)

    @property
    def _dialect(self) -> Any:
        """The module whose `insert` knows ON CONFLICT on this database."""
        return postgresql if self._transaction.dialect.name == "postgresql" else sqlite

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
