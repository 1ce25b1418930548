"""Leases by name: one process at a time does a periodic job; when it dies, the next process that asks takes over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.storage.repository import Repository, table_of
from app.storage.tables.access_models import LeaderTable

_LEASES = table_of(LeaderTable)
_NAMED, _MINE = _LEASES.c.name == bindparam("name_"), _LEASES.c.holder == bindparam("holder_")
_TAKE = (
    update(_LEASES)
    .where(_NAMED, or_(_MINE, _LEASES.c.lease_until < bindparam("now_")))
    .values(holder=bindparam("holder_"), lease_until=bindparam("until_"))
)
_UNTIL = select(_LEASES.c.lease_until).where(_NAMED)
_NEW = insert(_LEASES)
_GIVE_BACK = delete(_LEASES).where(_NAMED, _MINE)


class LeaderRepository(Repository):
    def take(self, name: str, *, holder: str, now: datetime, lease_until: datetime) -> bool:
        """True: `holder` leads until `lease_until` (first taken, renewed, or taken over from a dead lease)."""
        if self._changed(_TAKE, {"name_": name, "holder_": holder, "now_": now, "until_": lease_until}):
            return True
        if self._first(_UNTIL, {"name_": name}) is not None:
            return False
        try:
            with self._transaction.connection.begin_nested():
                self._run(_NEW, {"name": name, "holder": holder, "lease_until": lease_until})
        except IntegrityError:
            return False
        return True

    def is_free(self, name: str, *, now: datetime) -> bool:
        """Whether nobody holds the lease; takes no write lock."""
        lease = self._first(_UNTIL, {"name_": name})
        return lease is None or lease.lease_until < now

    def release(self, name: str, *, holder: str) -> None:
        """Give the lease back, if `holder` still has it."""
        self._run(_GIVE_BACK, {"name_": name, "holder_": holder})
