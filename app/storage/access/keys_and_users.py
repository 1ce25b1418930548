"""API keys (hashed) and users (argon2 hashes): the rows behind access to Awase itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from app.domain.settings.names import cleaned
from app.storage.access.rows import KeyRow, UserRow
from app.storage.repository import Repository, as_row
from app.storage.tables.access_models import ApiKeyTable, UserTable


def user_row(record: UserTable) -> UserRow:
    """A user, with a login that can be shown."""
    return as_row(UserRow, record, login=cleaned(record.login))


class KeyRepository(Repository):
    """`uow.keys`."""

    def add(
        self, *, name: str, prefix: str, digest: str, scopes: Sequence[str], now: datetime, by: str | None = None
    ) -> None:
        row = ApiKeyTable(name=name, prefix=prefix, digest=digest, scopes=list(scopes), created_at=now, made_by=by)
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
        """Revoke a key. True when it was still good until now."""
        good = (ApiKeyTable.prefix == prefix, ApiKeyTable.revoked_at.is_(None))
        return self._changed(update(ApiKeyTable).where(*good).values(revoked_at=now)) == 1

    def touch(self, prefix: str, *, now: datetime, address: str | None = None) -> None:
        used = {"last_used_at": now, "last_used_from": address}
        self._changed(update(ApiKeyTable).where(ApiKeyTable.prefix == prefix).values(used))


class UserRepository(Repository):
    """`uow.users`."""

    def by_login(self, login: str) -> UserRow | None:
        record = self._session.scalar(select(UserTable).where(UserTable.login == login))
        return user_row(record) if record else None

    def by_typed(self, typed: str) -> UserRow | None:
        """The user for a login as typed: exactly, or in small letters, because mail addresses are kept in those."""
        query = select(UserTable).where(UserTable.login.in_([typed, typed.lower()]))
        found = sorted(self._session.scalars(query), key=lambda record: record.login != typed)
        return user_row(found[0]) if found else None

    def get(self, user_id: int) -> UserRow | None:
        record = self._session.get(UserTable, user_id, populate_existing=True)
        return user_row(record) if record else None

    def all(self) -> list[UserRow]:
        """All users, the disabled included, oldest first."""
        return [user_row(record) for record in self._session.scalars(select(UserTable).order_by(UserTable.id))]

    def held(self) -> list[UserRow]:
        """All users, locked: until this transaction ends no other one changes any of them.

        Waits for a transaction that holds one of them. SQLite needs no lock, because it has one writer anyway.
        """
        query = select(UserTable).order_by(UserTable.id).with_for_update()
        found = self._session.scalars(query.execution_options(populate_existing=True))
        return [user_row(record) for record in found]

    def hold(self, user_id: int) -> UserRow | None:
        """One user, locked as by `held`."""
        query = select(UserTable).where(UserTable.id == user_id).with_for_update()
        record = self._session.scalar(query.execution_options(populate_existing=True))
        return user_row(record) if record else None

    def add(self, *, login: str, password_hash: str, role: str, now: datetime, locale: str = "ja") -> UserRow:
        record = UserTable(login=login, password_hash=password_hash, role=role, locale=locale, created_at=now)
        self._session.add(record)
        self._session.flush()
        return user_row(record)

    def change(self, user_id: int, **values: Any) -> None:
        """`password_hash`, `password_changed_at`, `password_good_until`, `role`, `locale`, `disabled_at`,
        `last_sign_in_at`."""
        self._session.execute(update(UserTable).where(UserTable.id == user_id).values(**values))

    def forget_devices(self, user_id: int) -> None:
        """Make every cookie worthless by which a device of this user is known."""
        number = UserTable.devices_known_by + 1
        self._session.execute(update(UserTable).where(UserTable.id == user_id).values(devices_known_by=number))
