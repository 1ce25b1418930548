"""Employee links: which SmartHR crew is which freee employee, and digests of the values both sides last agreed on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import aliased

from app.domain.enums import Direction, System
from app.domain.planning.unsettled import Memory, loaded, once_more, stored_form
from app.storage.enums import UnlinkReason
from app.storage.links.link_reading import LinkReading
from app.storage.links.rows import LinkRow
from app.storage.repository import as_row
from app.storage.tables.models import ConnectionTable, LinkTable


class LinkRepository(LinkReading):
    """`uow.links`."""

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

    def elsewhere(self, connection_id: int, person_id: str | None = None) -> list[tuple[System, str, str]]:
        """(system, id, partner's id) of every person whom another connection has linked: of freee's where it goes to
        the same company, of SmartHR's where it goes to the same tenant. `person_id`: only the links of this id."""
        mine, other = aliased(ConnectionTable), aliased(ConnectionTable)
        same_company = other.freee_company_id == mine.freee_company_id
        same_tenant = func.lower(other.smarthr_subdomain) == func.lower(mine.smarthr_subdomain)
        query = (
            select(LinkTable.smarthr_id, LinkTable.freee_id, same_company, same_tenant)
            .join(other, other.id == LinkTable.connection_id)
            .join(mine, mine.id == connection_id)
            .where(other.id != mine.id, other.removed_at.is_(None), same_company | same_tenant)
            .where(LinkTable.unlinked_at.is_(None))
        )
        if person_id is not None:
            query = query.where(or_(LinkTable.smarthr_id == person_id, LinkTable.freee_id == person_id))
        found: list[tuple[System, str, str]] = []
        for smarthr_id, freee_id, in_company, in_tenant in self._session.execute(query):
            if in_company:
                found.append((System.FREEE, freee_id, smarthr_id))
            if in_tenant:
                found.append((System.SMARTHR, smarthr_id, freee_id))
        return found

    def create(
        self,
        connection_id: int,
        smarthr_id: str,
        freee_id: str,
        *,
        now: datetime,
        baseline: Mapping[str, str] | None = None,
    ) -> LinkRow:
        """Store a link. Raises IntegrityError when one of the two already has a live link."""
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
        """Replace the whole baseline."""
        self._session.execute(update(LinkTable).where(LinkTable.id == link_id).values(baseline=dict(digests)))

    def move_baseline(self, link_id: int, digests: Mapping[str, str], *, seen: Mapping[str, str]) -> bool:
        """Replace the whole baseline, unless it is no longer the one seen: False then.

        A process that has moved the baseline meanwhile knows of something later (a write, an undo) than what this
        caller read on both sides before.
        """
        query = select(LinkTable.baseline).where(LinkTable.id == link_id).with_for_update()
        if self._session.scalar(query) != dict(seen):
            return False
        self.set_baseline(link_id, digests)
        return True

    def change_unsettled(self, link_id: int, direction: Direction, change: Callable[[Memory], Memory]) -> None:
        """Replace the memory of what was written in one direction and not seen there since."""
        kept = self._unsettled(link_id)
        before = loaded(kept.get(direction.value, {}))
        after = change(before)
        if after != before:
            self._keep_unsettled(link_id, {**kept, direction.value: stored_form(after)})

    def settle(self, link_id: int, units: Collection[str]) -> None:
        """Forget the writes of these units: a later reading has shown the same on both sides."""
        kept = self._unsettled(link_id)
        left = {
            direction: {unit: sent for unit, sent in memory.items() if unit not in units}
            for direction, memory in kept.items()
        }
        if left != kept:
            self._keep_unsettled(link_id, left)

    def try_again(
        self, connection_id: int, *, direction: Direction | None = None, source_ids: Collection[str] = ()
    ) -> None:
        """Let the items that rest be written once more: those of a person in one direction, or all of a connection."""
        query = select(LinkTable).where(
            LinkTable.connection_id == connection_id, LinkTable.unlinked_at.is_(None), LinkTable.unsettled.is_not(None)
        )
        if direction is not None:
            side = LinkTable.smarthr_id if direction.source is System.SMARTHR else LinkTable.freee_id
            query = query.where(side.in_(source_ids))
        for link_id in [record.id for record in self._session.scalars(query)]:
            for each in Direction if direction is None else (direction,):
                self.change_unsettled(link_id, each, once_more)

    def _unsettled(self, link_id: int) -> dict[str, Any]:
        query = select(LinkTable.unsettled).where(LinkTable.id == link_id).with_for_update()
        return self._session.scalar(query) or {}

    def _keep_unsettled(self, link_id: int, memories: Mapping[str, Any]) -> None:
        left = {direction: memory for direction, memory in memories.items() if memory}
        self._session.execute(update(LinkTable).where(LinkTable.id == link_id).values(unsettled=left or None))

    def unlink(self, link_id: int, *, why: UnlinkReason, now: datetime) -> bool:
        """End a link. False when it is no live link any more."""
        live = (LinkTable.id == link_id, LinkTable.unlinked_at.is_(None))
        return self._changed(update(LinkTable).where(*live).values(unlinked_at=now, unlinked_why=why)) == 1

    def decide(self, link_id: int) -> None:
        """A person has said what follows from the deletion, so it is no open question any more."""
        self._session.execute(
            update(LinkTable).where(LinkTable.id == link_id).values(unlinked_why=UnlinkReason.BY_PERSON)
        )

    def broken(self, connection_id: int) -> list[LinkRow]:
        """Links that ended because one of the two employees was deleted, the newest first."""
        query = select(LinkTable).where(
            LinkTable.connection_id == connection_id,
            LinkTable.unlinked_why.in_([UnlinkReason.SMARTHR_DELETED, UnlinkReason.FREEE_DELETED]),
        )
        return [as_row(LinkRow, record) for record in self._session.scalars(query.order_by(LinkTable.id.desc()))]

    # ── pairs that are two different people ───────────────────────────────────────────────────────────────────────

    def different(self, connection_id: int) -> frozenset[tuple[str, str]]:
        """(smarthr id, freee id) of the pairs of which a user has said that they are two different people."""
        query = select(LinkTable.smarthr_id, LinkTable.freee_id).where(
            LinkTable.connection_id == connection_id, LinkTable.unlinked_why == UnlinkReason.DIFFERENT
        )
        return frozenset((smarthr_id, freee_id) for smarthr_id, freee_id in self._session.execute(query))

    def keep_apart(self, connection_id: int, smarthr_id: str, freee_id: str, *, now: datetime) -> LinkRow:
        """Note that these two are different people, as a link that ended when it began."""
        record = LinkTable(
            connection_id=connection_id,
            smarthr_id=smarthr_id,
            freee_id=freee_id,
            baseline={},
            created_at=now,
            unlinked_at=now,
            unlinked_why=UnlinkReason.DIFFERENT,
        )
        self._session.add(record)
        self._session.flush()
        return as_row(LinkRow, record)

    def no_longer_apart(self, connection_id: int, smarthr_id: str, freee_id: str) -> None:
        """A user has thought again: Awase may link these two."""
        self._session.execute(
            update(LinkTable)
            .where(
                LinkTable.connection_id == connection_id,
                LinkTable.smarthr_id == smarthr_id,
                LinkTable.freee_id == freee_id,
                LinkTable.unlinked_why == UnlinkReason.DIFFERENT,
            )
            .values(unlinked_why=UnlinkReason.BY_PERSON)
        )
