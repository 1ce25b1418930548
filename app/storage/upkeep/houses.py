"""To which installation the database belongs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import inspect, or_, select, update

from app.storage.repository import Repository, as_row
from app.storage.tables.upkeep_models import HouseTable

_ONLY = 1


@dataclass(frozen=True)
class HouseRow:
    digest: str
    since: datetime
    adopted_at: datetime | None
    beats: int
    beat_at: datetime | None


class HouseRepository(Repository):
    """`uow.houses`."""

    def is_there(self) -> bool:
        """Whether the database has the table as it is read here: before the migration it belongs to nobody."""
        found, name = inspect(self._transaction.connection), HouseTable.__tablename__
        return found.has_table(name) and "beats" in {column["name"] for column in found.get_columns(name)}

    def get(self) -> HouseRow | None:
        record = self._session.get(HouseTable, _ONLY, populate_existing=True)
        return None if record is None else as_row(HouseRow, record)

    def claim(self, digest: str, now: datetime) -> None:
        """The database belongs to this identity from now on, unless it belongs to one already."""
        row = {"id": _ONLY, "digest": digest, "since": now, "adopted_at": None, "beats": 0, "beat_at": None}
        self._session.execute(self._dialect.insert(HouseTable).values(row).on_conflict_do_nothing())

    def adopt(self, digest: str, now: datetime) -> str | None:
        """The database belongs to this identity from now on, to whomever it belonged. Returns the former digest."""
        former = self._session.scalar(select(HouseTable.digest).where(HouseTable.id == _ONLY).with_for_update())
        self.claim(digest, now)
        self._session.execute(update(HouseTable).values(digest=digest, since=now, adopted_at=now))
        return former

    def beat(self, now: datetime, *, last_before: datetime) -> None:
        """Count one beat, unless somebody has counted one after `last_before`."""
        due = or_(HouseTable.beat_at.is_(None), HouseTable.beat_at <= last_before)
        self._session.execute(update(HouseTable).where(due).values(beats=HouseTable.beats + 1, beat_at=now))
