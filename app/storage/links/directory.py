"""Directory: the people whom a system had when it was last listed.

Without names: ids and numbers, so that unknown numbers are refused early, pay schedules, and keyed digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select

from app.domain.enums import System
from app.storage.links.rows import DirectoryEntry
from app.storage.repository import Repository
from app.storage.tables.models import ConnectionTable, DirectoryTable


class DirectoryRepository(Repository):
    def replace(self, connection_id: int, system: System, rows: Iterable[DirectoryEntry], *, now: datetime) -> None:
        """Replace the whole directory of one system. The connection's row is locked meanwhile, because on PostgreSQL
        two listings at once would otherwise both insert all people."""
        self._session.execute(select(ConnectionTable.id).where(ConnectionTable.id == connection_id).with_for_update())
        self._session.execute(
            delete(DirectoryTable).where(DirectoryTable.connection_id == connection_id, DirectoryTable.system == system)
        )
        values = [
            {
                "connection_id": connection_id,
                "system": system,
                "employee_number": row.employee_number,
                "person_id": row.person_id,
                "schedule": row.schedule,
                "content": row.content,
                "seen_at": now,
            }
            for row in {row.person_id: row for row in rows}.values()
        ]
        if values:
            self._session.execute(insert(DirectoryTable), values)

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

    def size(self, connection_id: int, system: System) -> int:
        query = (
            select(func.count())
            .select_from(DirectoryTable)
            .where(DirectoryTable.connection_id == connection_id, DirectoryTable.system == system)
        )
        return self._session.scalar(query) or 0
