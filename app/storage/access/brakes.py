"""Counts of attempts to sign in, which every web process reads and raises, and which a restart does not forget."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Select, case, delete, func, select, update

from app.storage.access.rows import BrakeRow
from app.storage.repository import Repository, as_row
from app.storage.tables.access_models import BrakeTable


class BrakeRepository(Repository):
    """`uow.brakes`. A key names what counts together."""

    def waits(self, keys: Collection[str], *, now: datetime) -> dict[str, datetime]:
        """Key → the moment before which no attempt is looked at, for the keys that have to wait."""
        query = select(BrakeTable.key, BrakeTable.wait_until)
        held = query.where(BrakeTable.key.in_(keys), BrakeTable.wait_until > now, BrakeTable.forget_at > now)
        return {key: until for key, until in self._session.execute(held) if until is not None}

    def known(self, key: str, *, now: datetime) -> bool:
        """Whether there is a row of this key that is not to be forgotten yet."""
        there = select(BrakeTable.key).where(BrakeTable.key == key, BrakeTable.forget_at > now)
        return self._session.scalar(there) is not None

    def count(self, key: str, *, now: datetime, forget_at: datetime) -> BrakeRow:
        """Count an attempt, and lock the row until the transaction ends. Returns the new count, and the wait that stood
        there before: if it is not over, the caller takes everything back. Take several keys in a fixed order."""
        statement = self._dialect.insert(BrakeTable).values(key=key, attempts=1, wait_until=None, forget_at=forget_at)
        old = BrakeTable.forget_at <= now
        raised = {
            "attempts": case((old, 1), else_=BrakeTable.attempts + 1),
            "wait_until": case((old, None), else_=BrakeTable.wait_until),
            "forget_at": forget_at,
        }
        counted = statement.on_conflict_do_update(index_elements=["key"], set_=raised).returning(BrakeTable)
        return as_row(BrakeRow, self._session.scalars(counted).one())

    def hold_back(self, key: str, *, until: datetime) -> None:
        """Look at no attempt of this key before that moment."""
        self._session.execute(update(BrakeTable).where(BrakeTable.key == key).values(wait_until=until))

    def forgive(self, key: str, *, until: datetime | None) -> None:
        """Take back one attempt, which turned out to be right, and the wait that it brought (`until`)."""
        fewer = case((BrakeTable.attempts > 0, BrakeTable.attempts - 1), else_=0)
        wait = case((BrakeTable.wait_until == until, None), else_=BrakeTable.wait_until)
        row = update(BrakeTable).where(BrakeTable.key == key)
        self._session.execute(row.values(attempts=fewer, wait_until=wait))

    def forget(self, key: str) -> None:
        self._session.execute(delete(BrakeTable).where(BrakeTable.key == key))

    def purge(self, *, now: datetime, most: int) -> int:
        """Delete what is to be forgotten by now and, of more than `most` rows, those that would be forgotten next.
        Returns how many. Rows that a sign-in is just counting are left alone, so that nobody waits."""
        gone = self._delete(select(BrakeTable.key).where(BrakeTable.forget_at <= now))
        over = (self._session.scalar(select(func.count()).select_from(BrakeTable)) or 0) - most
        if over > 0:
            gone += self._delete(select(BrakeTable.key).order_by(BrakeTable.forget_at).limit(over))
        return gone

    def _delete(self, which: Select[str]) -> int:
        return self._changed(delete(BrakeTable).where(BrakeTable.key.in_(which.with_for_update(skip_locked=True))))

    def remember(self, key: str, *, forget_at: datetime) -> None:
        """Keep a row of this key that holds nobody back."""
        row: Mapping[str, object] = {"key": key, "attempts": 0, "wait_until": None, "forget_at": forget_at}
        kept = self._dialect.insert(BrakeTable).values(**row)
        self._session.execute(kept.on_conflict_do_update(index_elements=["key"], set_={"forget_at": forget_at}))
