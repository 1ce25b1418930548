"""What requests have shown and operations ought to know of: a row per word of ours, with the first and last moment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from app.storage.repository import Repository
from app.storage.tables.access_models import SightingTable

PROXY_HEADERS = "proxy_headers"


class SightingRepository(Repository):
    """`uow.sightings`."""

    def note(self, name: str, *, now: datetime) -> None:
        seen = self._dialect.insert(SightingTable).values(name=name, first_at=now, last_at=now)
        self._session.execute(seen.on_conflict_do_update(index_elements=["name"], set_={"last_at": now}))

    def last(self, name: str) -> datetime | None:
        """When it was seen last; None: never."""
        return self._session.scalar(select(SightingTable.last_at).where(SightingTable.name == name))
