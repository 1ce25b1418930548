"""Employee links: which SmartHR crew is which freee employee, and digests of the values both sides last agreed on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from sys import intern
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, or_, select, update

from app.domain.enums import Direction, System
from app.domain.planning.unsettled import Memory, once_more
from app.storage.enums import UnlinkReason
from app.storage.links.link_reading import LinkReading
from app.storage.links.rows import LinkRow, LinkState
from app.storage.repository import as_row, columns_for, table_of
from app.storage.tables.models import ConnectionTable, LinkTable

_LINKS = table_of(LinkTable)
_LIVE = {
    system: select(*columns_for(LinkRow, LinkTable)).where(
        _LINKS.c.connection_id == bindparam("connection_"),
        side == bindparam("person_"),
        _LINKS.c.unlinked_at.is_(None),
    )
    for system, side in ((System.SMARTHR, _LINKS.c.smarthr_id), (System.FREEE, _LINKS.c.freee_id))
}
_ADD = insert(_LINKS).returning(*columns_for(LinkRow, LinkTable))
_ONE = _LINKS.c.id == bindparam("link_")
_STATE = select(_LINKS.c.baseline, _LINKS.c.unsettled).where(_ONE).with_for_update()
_SET_STATE = update(_LINKS).where(_ONE).values(baseline=bindparam("baseline_"), unsettled=bindparam("unsettled_"))
_NOTE_UNCHANGED = {
    System.FREEE: update(_LINKS).where(_ONE).values(unchanged_to_freee=bindparam("mark_")),
    System.SMARTHR: update(_LINKS).where(_ONE).values(unchanged_to_smarthr=bindparam("mark_")),
}
_SET_BASELINE = update(_LINKS).where(_ONE).values(baseline=bindparam("baseline_"))


def _elsewhere() -> Select[Any]:
    """The links of other connections to the same company or tenant."""
    mine, other = table_of(ConnectionTable).alias().c, table_of(ConnectionTable).alias().c
    same_company = other.freee_company_id == mine.freee_company_id
    same_tenant = func.lower(other.smarthr_subdomain) == func.lower(mine.smarthr_subdomain)
    return (
        select(_LINKS.c.smarthr_id, _LINKS.c.freee_id, same_company, same_tenant)
        .join(other.id.table, other.id == _LINKS.c.connection_id)
        .join(mine.id.table, mine.id == bindparam("connection_"))
        .where(other.id != mine.id, other.removed_at.is_(None), same_company | same_tenant)
        .where(_LINKS.c.unlinked_at.is_(None))
    )


_ELSEWHERE = _elsewhere()
_ONE_ELSEWHERE = _ELSEWHERE.where(
    or_(_LINKS.c.smarthr_id == bindparam("person_"), _LINKS.c.freee_id == bindparam("person_"))
)


class LinkRepository(LinkReading):
    """`uow.links`."""

    def for_connection(self, connection_id: int) -> list[LinkRow]:
        """All live links."""
        query = select(LinkTable).where(LinkTable.connection_id == connection_id, LinkTable.unlinked_at.is_(None))
        return [as_row(LinkRow, record) for record in self._session.scalars(query)]

    def pairs(self, connection_id: int) -> list[tuple[int, str, str]]:
        """(id, smarthr id, freee id) of all live links, without what the pairs have agreed on. The ids are the very
        texts that the people have, so that a large company is not in memory twice."""
        live = (LinkTable.connection_id == connection_id, LinkTable.unlinked_at.is_(None))
        query = select(LinkTable.id, LinkTable.smarthr_id, LinkTable.freee_id).where(*live)
        return [(link_id, intern(smarthr), intern(freee)) for link_id, smarthr, freee in self._session.execute(query)]

    def of_ids(self, link_ids: Sequence[int]) -> list[LinkRow]:
        """These links, also those that have ended."""
        if not link_ids:
            return []
        query = select(*columns_for(LinkRow, LinkTable)).where(_LINKS.c.id.in_(link_ids))
        return [as_row(LinkRow, record) for record in self._session.execute(query)]

    def by_source(self, connection_id: int, system: System, source_id: str) -> LinkRow | None:
        """The live link of one person of `system`."""
        record = self._first(_LIVE[system], {"connection_": connection_id, "person_": source_id})
        return None if record is None else as_row(LinkRow, record)

    def elsewhere(self, connection_id: int, person_id: str | None = None) -> list[tuple[System, str, str]]:
        """(system, id, partner's id) of every person whom another connection has linked: of freee's where it goes to
        the same company, of SmartHR's where it goes to the same tenant. `person_id`: only the links of this id."""
        of_whom = {} if person_id is None else {"person_": person_id}
        query = _ELSEWHERE if person_id is None else _ONE_ELSEWHERE
        found: list[tuple[System, str, str]] = []
        found_rows = self._run(query, {"connection_": connection_id, **of_whom})
        for smarthr_id, freee_id, in_company, in_tenant in map(tuple, found_rows):
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
        values = {"connection_id": connection_id, "smarthr_id": smarthr_id, "freee_id": freee_id, "created_at": now}
        return as_row(LinkRow, self._run(_ADD, {**values, "baseline": dict(baseline or {})}).one())

    def set_baseline(self, link_id: int, digests: Mapping[str, str]) -> None:
        """Replace the whole baseline."""
        self._run(_SET_BASELINE, {"link_": link_id, "baseline_": dict(digests)})

    def move_baseline(self, link_id: int, digests: Mapping[str, str], *, seen: Mapping[str, str]) -> bool:
        """As `LinkState.move_baseline`."""
        moved = False

        def move(state: LinkState) -> None:
            nonlocal moved
            moved = state.move_baseline(digests, seen=seen)

        self.change(link_id, move)
        return moved

    def change_unsettled(self, link_id: int, direction: Direction, change: Callable[[Memory], Memory]) -> None:
        """As `LinkState.remember`."""
        self.change(link_id, lambda state: state.remember(direction, change))

    def settle(self, link_id: int, units: Collection[str]) -> None:
        """As `LinkState.settle`."""
        self.change(link_id, lambda state: state.settle(units))

    def change(self, link_id: int, *changes: Callable[[LinkState], object]) -> None:
        """Change what a link remembers: all of it with one look and one write, while nobody else changes it."""
        found = self._first(_STATE, {"link_": link_id})
        if found is None:
            return
        before = LinkState(found.baseline, found.unsettled or {})
        after = LinkState(before.baseline, before.unsettled)
        for change in changes:
            change(after)
        if after != before:
            left = {direction: memory for direction, memory in after.unsettled.items() if memory}
            stored = {"baseline_": dict(after.baseline), "unsettled_": left or None}
            self._run(_SET_STATE, {"link_": link_id, **stored})

    def note_unchanged(self, direction: Direction, marks: Mapping[int, str]) -> None:
        """Note by what a survey knows that there is nothing to do for these pairs: link id → mark. A link that somebody
        is changing just now is left out, because they know better, and so that nobody is waited for."""
        free = select(_LINKS.c.id).where(_LINKS.c.id.in_(list(marks))).with_for_update(skip_locked=True)
        noted = [{"link_": link_id, "mark_": marks[link_id]} for link_id in self._session.scalars(free)]
        if noted:
            self._session.connection().execute(_NOTE_UNCHANGED[direction.target], noted)

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
