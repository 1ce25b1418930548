"""Base of the repositories: the session of the open transaction, the vault, and a few forms that all of them use."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import CursorResult, Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from app.storage.tables.models import Base
from app.storage.vault import Vault, VaultError

HIDDEN = "••••"
"""In place of a text whose key is missing."""

R = TypeVar("R", bound="DataclassInstance")


class Repository:
    """One aggregate's reads and writes, inside the transaction of a UnitOfWork."""

    def __init__(self, session: Session, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    def _changed(self, statement: Executable) -> int:
        """Run an UPDATE or DELETE and say how many rows it changed."""
        result = cast(CursorResult[Any], self._session.execute(statement))
        return result.rowcount

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


def as_row(row_type: type[R], record: Base, **more: Any) -> R:
    """Copy the columns that a row type names out of a record; `more` gives the fields that are not plain columns."""
    names = {f.name for f in fields(row_type)} - set(more)
    return row_type(**{name: getattr(record, name) for name in names if hasattr(record, name)}, **more)
