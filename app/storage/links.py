"""Employee links: which crew is which employee, and the digests of what both sides last agreed on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update

from app.domain.words import System
from app.storage.models import LinkTable
from app.storage.repository import Repository, as_row
from app.storage.rows import LinkRow
from app.storage.words import UnlinkReason


class LinkRepository(Repository):
    def for_connection(self, connection_id: int) -> list[LinkRow]:
        """All live links."""
        query = select(LinkTable).where(LinkTable.connection_id == connection_id, LinkTable.unlinked_at.is_(None))
        return [as_row(LinkRow, record) for record in self._session.scalars(query)]

    def by_source(self, connection_id: int, system: System, source_id: str) -> LinkRow | None:
        """The live link of one person of `system`."""
        side = LinkTable.smarthr_id if system is System.SMARTHR else LinkTable.freee_id
        query = select(LinkTable).where(
            LinkTable.connection_id == connection_id, side == source_id, LinkTable.unlinked_at.is_(None)
        )
        record = self._session.scalar(query)
        return None if record is None else as_row(LinkRow, record)

    def create(
        self,
        connection_id: int,
        smarthr_id: str,
        freee_id: str,
        *,
        now: datetime,
        baseline: Mapping[str, str] | None = None,
    ) -> LinkRow:
        """Raises IntegrityError when one of the two already has a live link."""
        record = LinkTable(
            connection_id=connection_id,
            smarthr_id=smarthr_id,
            freee_id=freee_id,
            baseline=dict(baseline or {}),
            created_at=now,
        )
        self._session.add(record)
        self._session.flush()
        return as_row(LinkRow, record)

    def set_baseline(self, link_id: int, digests: Mapping[str, str]) -> None:
        """The whole baseline anew."""
        self._session.execute(update(LinkTable).where(LinkTable.id == link_id).values(baseline=dict(digests)))

    def unlink(self, link_id: int, *, why: UnlinkReason, now: datetime) -> bool:
        """False: it is no live link any more."""
        live = (LinkTable.id == link_id, LinkTable.unlinked_at.is_(None))
        return self._changed(update(LinkTable).where(*live).values(unlinked_at=now, unlinked_why=why)) == 1

    def decide(self, link_id: int) -> None:
        """A person has said what follows from the deletion: it is no open question any more."""
        self._session.execute(
            update(LinkTable).where(LinkTable.id == link_id).values(unlinked_why=UnlinkReason.BY_PERSON)
        )

    def broken(self, connection_id: int) -> list[LinkRow]:
        """Links that ended because somebody was deleted, the newest first."""
        query = select(LinkTable).where(
            LinkTable.connection_id == connection_id,
            LinkTable.unlinked_why.in_([UnlinkReason.SMARTHR_DELETED, UnlinkReason.FREEE_DELETED]),
        )
        return [as_row(LinkRow, record) for record in self._session.scalars(query.order_by(LinkTable.id.desc()))]
