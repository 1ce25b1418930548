"""Leases by name: one process at a time does a periodic job; when it dies, the next process that asks takes over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from app.storage.repository import Repository
from app.storage.tables.access_models import LeaderTable


class LeaderRepository(Repository):
    def take(self, name: str, *, holder: str, now: datetime, lease_until: datetime) -> bool:
        """True: `holder` leads until `lease_until` (first taken, renewed, or taken over from a dead lease)."""
        mine_or_dead = (LeaderTable.holder == holder) | (LeaderTable.lease_until < now)
        taken = update(LeaderTable).where(LeaderTable.name == name, mine_or_dead)
        if self._changed(taken.values(holder=holder, lease_until=lease_until)):
            return True
        if self._session.scalar(select(LeaderTable.name).where(LeaderTable.name == name)) is not None:
            return False
        try:
            with self._session.begin_nested():
                self._session.add(LeaderTable(name=name, holder=holder, lease_until=lease_until))
        except IntegrityError:
            return False
        return True

    def is_free(self, name: str, *, now: datetime) -> bool:
        """Whether nobody holds the lease; takes no write lock."""
        until = self._session.scalar(select(LeaderTable.lease_until).where(LeaderTable.name == name))
        return until is None or until < now

    def release(self, name: str, *, holder: str) -> None:
        """Give the lease back, if `holder` still has it."""
        self._session.execute(delete(LeaderTable).where(LeaderTable.name == name, LeaderTable.holder == holder))
