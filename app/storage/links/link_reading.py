"""What the pages show of links: a connection's pairs page by page, open questions, how an employee ended last."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, text
from sqlalchemy.orm import InstrumentedAttribute, aliased

from app.domain.enums import Direction, System
from app.domain.matching.linking import QUESTIONS
from app.domain.runs.run_state import ItemState
from app.storage.links.finding import Sought, in_list, is_nameless, is_sought
from app.storage.links.rows import LinkRow
from app.storage.repository import Repository, as_row
from app.storage.tables.models import DirectoryTable, ItemTable, LinkTable, RunTable

Ids = Mapping[System, Sequence[str]]
"""Ids of people, per system."""


@dataclass(frozen=True)
class AskedRow:
    """An employee whose newest item ended with the question which employee of the other system this one is.

    `candidates` as in `ItemRow`.
    """

    id: int
    direction: Direction
    source_id: str
    employee_number: str
    error_code: str
    finished_at: datetime
    name: str = field(repr=False)
    candidates: tuple[Mapping[str, str], ...] = field(repr=False)


@dataclass(frozen=True)
class LastEnd:
    """How the newest item of an employee ended. `run`: public id."""

    run: str
    state: ItemState
    at: datetime
    name: str = field(repr=False)


class LinkReading(Repository):
    """Part of `uow.links`."""

    def page(
        self,
        connection_id: int,
        *,
        after: int | None,
        limit: int,
        people: Ids | None = None,
        sought: Sought | None = None,
    ) -> list[LinkRow]:
        """Live links, the newest first, older than the link `after`. `people`: only those with one of these; `sought`:
        only those of which one is found."""
        query = select(LinkTable).where(LinkTable.connection_id == connection_id, LinkTable.unlinked_at.is_(None))
        if after is not None:
            query = query.where(LinkTable.id < after)
        if people is not None:
            one = LinkTable.smarthr_id.in_(people.get(System.SMARTHR, ()))
            query = query.where(or_(one, LinkTable.freee_id.in_(people.get(System.FREEE, ()))))
        if sought is not None:
            query = query.where(or_(*(_side(each).in_(_found(connection_id, each, sought)) for each in System)))
        rows = self._session.scalars(query.order_by(LinkTable.id.desc()).limit(limit))
        return [as_row(LinkRow, record) for record in rows]

    def count(self, connection_id: int) -> int:
        """How many live links the connection has."""
        query = select(func.count()).select_from(LinkTable)
        live = (LinkTable.connection_id == connection_id, LinkTable.unlinked_at.is_(None))
        return self._session.scalar(query.where(*live)) or 0

    def asked(self, connection_id: int, *, after: int | None, limit: int) -> list[AskedRow]:
        """Employees whose newest item ended with the question who they are in the other system, the newest first.

        Only those older than the item `after`; an employee who has been linked since is left out.
        """
        newer = aliased(ItemTable)
        ended_again = exists().where(
            newer.connection_id == ItemTable.connection_id,
            newer.source_id == ItemTable.source_id,
            newer.direction == ItemTable.direction,
            newer.id > ItemTable.id,
            newer.finished_at.is_not(None),
        )
        linked_since = or_(*(_linked_since(direction) for direction in Direction))
        query = (
            select(ItemTable)
            .where(
                ItemTable.connection_id == connection_id,
                text("items.state = 'needs_review'"),  # as the partial index says it, or SQLite does not use it
                ItemTable.error_code.in_(QUESTIONS),
                ItemTable.source_id.is_not(None),
                ~ended_again,
                ~linked_since,
            )
            .order_by(ItemTable.id.desc())
            .limit(limit)
        )
        if after is not None:
            query = query.where(ItemTable.id < after)
        return [self._asked(record) for record in self._session.scalars(query)]

    def last_ends(self, connection_id: int, source_ids: Sequence[str]) -> dict[str, LastEnd]:
        """Person's id → their newest end, whichever system was the source."""
        newest = (
            select(func.max(ItemTable.id))
            .where(
                ItemTable.connection_id == connection_id,
                ItemTable.source_id.in_(source_ids),
                ItemTable.finished_at.is_not(None),
            )
            .group_by(ItemTable.source_id)
        )
        query = (
            select(ItemTable.source_id, RunTable.public_id, ItemTable.state, ItemTable.finished_at, ItemTable.name_enc)
            .join(RunTable, RunTable.id == ItemTable.run_id)
            .where(ItemTable.id.in_(newest))
        )
        rows = self._session.execute(query)
        return {
            str(person): LastEnd(run, state, at, self._shown(name) or "")
            for person, run, state, at, name in rows
            if at is not None
        }

    def found(self, connection_id: int, system: System, sought: Sought, *, limit: int) -> dict[str, str]:
        """Person's id → number, of the people in the last listing whose number, name or kana begins like this."""
        table = DirectoryTable
        query = select(table.person_id, table.employee_number).where(in_list(connection_id, system), is_sought(sought))
        ordered = query.order_by(table.employee_number, table.person_id).limit(limit)
        return {row.person_id: row.employee_number for row in self._session.execute(ordered)}

    def is_nobody_nameless(self, connection_id: int, systems: Collection[System], sought: Sought) -> bool:
        """Whether everybody in these lists can be found by name. Digits alone are no name, so nothing is missed."""
        if sought.number.isdecimal():
            return True
        query = select(DirectoryTable.id).where(is_nameless(sought))
        one = (query.where(in_list(connection_id, each)).limit(1) for each in systems)
        return all(self._session.scalar(each) is None for each in one)

    def _asked(self, record: ItemTable) -> AskedRow:
        sealed = record.candidates_enc
        return as_row(
            AskedRow,
            record,
            name=self._shown(record.name_enc) or "",
            candidates=tuple(self._vault.decrypt_json(sealed)) if sealed else (),
        )


def _linked_since(direction: Direction) -> ColumnElement[bool]:
    """The person of an item in this direction is linked; one condition per side, so that each finds its index."""
    return and_(
        ItemTable.direction == direction,
        exists().where(
            LinkTable.connection_id == ItemTable.connection_id,
            LinkTable.unlinked_at.is_(None),
            _side(direction.source) == ItemTable.source_id,
            or_(ItemTable.error_code != "E20", LinkTable.created_at > ItemTable.created_at),
        ),
    )


def _found(connection_id: int, system: System, sought: Sought) -> Select[Any]:
    return select(DirectoryTable.person_id).where(in_list(connection_id, system), is_sought(sought))


def _side(system: System) -> InstrumentedAttribute[str]:
    return LinkTable.smarthr_id if system is System.SMARTHR else LinkTable.freee_id
