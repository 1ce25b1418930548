"""Directory: the people whom a system had when it was last listed, and who has been found to be added since.

Without names: ids and numbers, so that unknown numbers are refused early, pay schedules, and keyed digests. Where the
list ended is kept as well, so that one question brings the directory up to date instead of another listing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import aliased

from app.domain.enums import System
from app.domain.matching.comparable import comparable_number
from app.domain.matching.marks import Marks, Wanted
from app.domain.matching.name_search import NameMarks
from app.storage.links.rows import DirectoryEntry, ListEnd
from app.storage.repository import Repository, as_row, table_of
from app.storage.tables.directory_models import ListEndTable
from app.storage.tables.models import ConnectionTable, DirectoryTable, LinkTable

PORTION = 1000
_WITHOUT_NAMES = dict.fromkeys(("name_digests", "names_by", "kana_mark", "born_mark"))


class DirectoryRepository(Repository):
    def replace(self, connection_id: int, system: System, rows: Iterable[DirectoryEntry], *, now: datetime) -> None:
        """Replace the whole directory of one system. The connection's row is locked meanwhile, because on PostgreSQL
        two listings at once would otherwise both insert all people."""
        self._session.execute(select(ConnectionTable.id).where(ConnectionTable.id == connection_id).with_for_update())
        self._session.execute(
            delete(DirectoryTable).where(DirectoryTable.connection_id == connection_id, DirectoryTable.system == system)
        )
        entries = {row.person_id: row for row in rows}.values()
        for portion in _portions(entries):
            self._session.execute(
                insert(DirectoryTable), [_values(connection_id, system, each, now=now) for each in portion]
            )

    def forget_names(self, *, connection_id: int | None = None, seen_before: datetime | None = None) -> int:
        """Erase by what people are found by name: of a connection, or of all that were not listed since that moment.
        Returns how many people."""
        which: list[ColumnElement[bool]] = [DirectoryTable.names_by.is_not(None)]
        if connection_id is not None:
            which.append(DirectoryTable.connection_id == connection_id)
        if seen_before is not None:
            which.append(DirectoryTable.seen_at < seen_before)
        return self._changed(update(DirectoryTable).where(*which).values(**_WITHOUT_NAMES))

    # ── the end of the list ───────────────────────────────────────────────────────────────────────────────────────

    def set_end(self, connection_id: int, system: System, end: ListEnd | None) -> None:
        """Remember where the list ended that has filled the directory. None: nobody can tell."""
        mine = (ListEndTable.connection_id == connection_id, ListEndTable.system == system)
        self._session.execute(delete(ListEndTable).where(*mine))
        if end is not None:
            values = {"run_id": end.run_id, "ended": dict(end.ended), "people": end.people, "seen_at": end.seen_at}
            self._session.execute(insert(ListEndTable).values(connection_id=connection_id, system=system, **values))

    def end(self, connection_id: int, system: System) -> ListEnd | None:
        record = self._session.get(ListEndTable, (connection_id, system))
        return None if record is None else as_row(ListEnd, record)

    def extend(
        self,
        connection_id: int,
        system: System,
        added: Sequence[DirectoryEntry],
        *,
        before: ListEnd,
        ended: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Add who has come since the list ended, and move the end, unless a survey or somebody else has moved it
        meanwhile: then whoever comes next asks from there."""
        moved = self._changed(
            update(ListEndTable)
            .where(
                ListEndTable.connection_id == connection_id,
                ListEndTable.system == system,
                ListEndTable.seen_at == before.seen_at,
                ListEndTable.people == before.people,
            )
            .values(ended=dict(ended), people=before.people + len(added))
        )
        if not moved or not added:
            return
        values = [_values(connection_id, system, each, now=now) for each in added]
        self._session.execute(self._dialect.insert(DirectoryTable).on_conflict_do_nothing(), values)

    def ids_numbered(self, connection_id: int, system: System, number: str) -> list[str]:
        """Ids of the people with this number; none for a blank one."""
        wanted = comparable_number(number)
        if not wanted:
            return []
        query = select(DirectoryTable.person_id).where(
            DirectoryTable.connection_id == connection_id,
            DirectoryTable.system == system,
            DirectoryTable.number_mark == wanted,
        )
        return list(self._session.scalars(query))

    def ids_like(self, connection_id: int, system: System, like: Wanted) -> set[str]:
        """The people with whom somebody has to be compared: who have one of these marks."""
        table, found = DirectoryTable, set[str]()
        columns = {table.number_mark: like.numbers, table.kana_mark: like.kana, table.born_mark: like.born}
        for column, marks in columns.items():
            here = (table.connection_id == connection_id, table.system == system, column.in_(marks))
            found.update(self._session.scalars(select(table.person_id).where(*here)))
        return found

    def is_comparable(
        self,
        connection_id: int,
        system: System,
        *,
        names_by: Collection[str],
        stamps: Collection[str],
        besides: Collection[str],
    ) -> bool:
        """Whether the marks of all people of a system, `besides` these, tell with whom somebody has to be compared. Not
        where digests were made by none of `names_by` and `stamps`, nor where a name is not known, unless that person is
        linked to somebody whom the other system had, too."""
        row, other = DirectoryTable, aliased(DirectoryTable)
        mine, partner = (LinkTable.smarthr_id, LinkTable.freee_id)[:: 1 if system is System.SMARTHR else -1]
        is_claimed = exists().where(
            LinkTable.connection_id == connection_id,
            LinkTable.unlinked_at.is_(None),
            mine == row.person_id,
            other.connection_id == connection_id,
            other.system == system.other,
            other.person_id == partner,
        )
        is_ours = or_(*(row.kana_mark.startswith(f"{stamp}:", autoescape=True) for stamp in stamps))
        nameless = and_(row.kana_mark.is_(None), ~is_claimed)
        unknown = or_(row.names_by.is_(None), row.names_by.not_in(names_by), ~is_ours, nameless)
        here = (row.connection_id == connection_id, row.system == system, row.person_id.not_in(besides))
        return self._session.scalar(select(row.id).where(*here, unknown).limit(1)) is None

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def known_numbers(self, connection_id: int, system: System, numbers: Sequence[str]) -> set[str]:
        """Which of these numbers the system had."""
        known: set[str] = set()
        for start in range(0, len(numbers), 500):
            known.update(
                self._session.scalars(
                    select(DirectoryTable.employee_number).where(
                        DirectoryTable.connection_id == connection_id,
                        DirectoryTable.system == system,
                        DirectoryTable.employee_number.in_(numbers[start : start + 500]),
                    )
                )
            )
        return known

    def entries(
        self, connection_id: int, system: System, person_ids: Sequence[str] | None = None
    ) -> dict[str, DirectoryEntry]:
        """Id → entry of these people, or of all people."""
        query = select(
            DirectoryTable.employee_number, DirectoryTable.person_id, DirectoryTable.schedule, DirectoryTable.content
        ).where(DirectoryTable.connection_id == connection_id, DirectoryTable.system == system)
        if person_ids is None:
            return {row.person_id: DirectoryEntry(*row) for row in self._session.execute(query)}
        found: dict[str, DirectoryEntry] = {}
        for start in range(0, len(person_ids), 500):
            some = query.where(DirectoryTable.person_id.in_(person_ids[start : start + 500]))
            found.update({row.person_id: DirectoryEntry(*row) for row in self._session.execute(some)})
        return found

    def marked(self, connection_id: int, system: System, person_ids: Sequence[str]) -> dict[str, DirectoryEntry]:
        """Id → whole entry of those of these people of whom it is known what their entry was made of."""
        query = select(DirectoryTable).where(
            DirectoryTable.connection_id == connection_id,
            DirectoryTable.system == system,
            DirectoryTable.person_id.in_(person_ids),
            DirectoryTable.record_mark.is_not(None),
        )
        columns = table_of(DirectoryTable).c
        return {row.person_id: _entry(row) for row in self._session.execute(query.with_only_columns(*columns))}

    def contents(self, connection_id: int, system: System) -> dict[str, str | None]:
        """Id → the content of everybody."""
        query = select(DirectoryTable.person_id, DirectoryTable.content).where(
            DirectoryTable.connection_id == connection_id, DirectoryTable.system == system
        )
        return {row.person_id: row.content for row in self._session.execute(query)}

    def size(self, connection_id: int, system: System) -> int:
        query = (
            select(func.count())
            .select_from(DirectoryTable)
            .where(DirectoryTable.connection_id == connection_id, DirectoryTable.system == system)
        )
        return self._session.scalar(query) or 0


def _values(connection_id: int, system: System, row: DirectoryEntry, *, now: datetime) -> dict[str, Any]:
    return {
        "connection_id": connection_id,
        "system": system,
        "employee_number": row.employee_number,
        "person_id": row.person_id,
        "schedule": row.schedule,
        "content": row.content,
        "number_mark": comparable_number(row.employee_number) or None,
        "kana_mark": row.marks.kana if row.marks else None,
        "born_mark": row.marks.born if row.marks else None,
        "name_digests": row.names.digests if row.names else None,
        "names_by": row.names.made_by if row.names else None,
        "record_mark": row.record,
        "seen_at": now,
    }


def _entry(row: Any) -> DirectoryEntry:
    names = NameMarks(row.names_by, row.name_digests) if row.names_by and row.name_digests is not None else None
    marks = Marks(row.number_mark or "", row.kana_mark, row.born_mark)
    return DirectoryEntry(
        row.employee_number, row.person_id, row.schedule, row.content, names, marks, record=row.record_mark
    )


def _portions(entries: Iterable[DirectoryEntry]) -> Iterator[list[DirectoryEntry]]:
    """A list of 50,000 people is never in memory once more as rows."""
    supply = iter(entries)
    while portion := list(islice(supply, PORTION)):
        yield portion
