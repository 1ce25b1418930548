"""To which installation the database belongs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import inspect, select, update

from app.storage.repository import Repository, as_row
from app.storage.tables.upkeep_models import HouseTable

_ONLY = 1


@dataclass(frozen=True)
class HouseRow:
    digest: str
    since: datetime
    adopted_at: datetime | None


class HouseRepository(Repository):
    """`uow.houses`."""

    def is_there(self) -> bool:
        """Whether the database has the table: before the migration it belongs to nobody."""
        return inspect(self._session.connection()).has_table(HouseTable.__tablename__)

    def get(self) -> HouseRow | None:
        record = self._session.get(HouseTable, _ONLY, populate_existing=True)
        return None if record is None else as_row(HouseRow, record)

    def claim(self, digest: str, now: datetime) -> None:
        """The database belongs to this identity from now on, unless it belongs to one already."""
        row = {"id": _ONLY, "digest": digest, "since": now, "adopted_at": None}
        self._session.execute(self._dialect.insert(HouseTable).values(row).on_conflict_do_nothing())

    def adopt(self, digest: str, now: datetime) -> str | None:
        """The database belongs to this identity from now on, to whomever it belonged. Returns the former digest."""
        former = self._session.scalar(select(HouseTable.digest).where(HouseTable.id == _ONLY).with_for_update())
        self.claim(digest, now)
        self._session.execute(update(HouseTable).values(digest=digest, since=now, adopted_at=now))
        return former
