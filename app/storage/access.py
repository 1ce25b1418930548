"""API keys (hashed) and users (argon2 hashes): the rows behind access to Awase itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update

from app.storage.access_models import ApiKeyTable, UserTable
from app.storage.repository import Repository, as_row
from app.storage.rows import KeyRow, UserRow


class KeyRepository(Repository):
    """`uow.keys`."""

    def add(self, *, name: str, prefix: str, digest: str, scopes: Sequence[str], now: datetime) -> None:
        row = ApiKeyTable(name=name, prefix=prefix, digest=digest, scopes=list(scopes), created_at=now)
        self._session.add(row)
        self._session.flush()

    def by_prefix(self, prefix: str) -> KeyRow | None:
        record = self._session.scalar(select(ApiKeyTable).where(ApiKeyTable.prefix == prefix))
        return as_row(KeyRow, record) if record else None

    def all(self) -> list[KeyRow]:
        """Every key ever made, revoked ones included, oldest first."""
        return [
            as_row(KeyRow, record) for record in self._session.scalars(select(ApiKeyTable).order_by(ApiKeyTable.id))
        ]

    def revoke(self, prefix: str, *, now: datetime) -> bool:
        """True when a key that was still good is revoked now."""
        good = (ApiKeyTable.prefix == prefix, ApiKeyTable.revoked_at.is_(None))
        return self._changed(update(ApiKeyTable).where(*good).values(revoked_at=now)) == 1

    def touch(self, prefix: str, *, now: datetime) -> None:
        self._changed(update(ApiKeyTable).where(ApiKeyTable.prefix == prefix).values(last_used_at=now))


class UserRepository(Repository):
    """`uow.users`."""

    def by_login(self, login: str) -> UserRow | None:
        record = self._session.scalar(select(UserTable).where(UserTable.login == login))
        return as_row(UserRow, record) if record else None

    def add(self, *, login: str, password_hash: str, role: str, now: datetime) -> None:
        self._session.add(UserTable(login=login, password_hash=password_hash, role=role, created_at=now))
        self._session.flush()
