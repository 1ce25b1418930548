"""Directory: who was there when a system was last listed. Ids and numbers only, for refusing unknown numbers early."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select

from app.domain.words import System
from app.storage.models import DirectoryTable
from app.storage.repository import Repository
from app.storage.rows import DirectoryEntry


class DirectoryRepository(Repository):
    def replace(self, connection_id: int, system: System, rows: Iterable[DirectoryEntry], *, now: datetime) -> None:
        """The whole directory of one system anew."""
        self._session.execute(
            delete(DirectoryTable).where(DirectoryTable.connection_id == connection_id, DirectoryTable.system == system)
        )
        values = [
            {
                "connection_id": connection_id,
                "system": system,
                "employee_number": row.employee_number,
                "person_id": row.person_id,
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

    def size(self, connection_id: int, system: System) -> int:
        query = (
            select(func.count())
            .select_from(DirectoryTable)
            .where(DirectoryTable.connection_id == connection_id, DirectoryTable.system == system)
        )
        return self._session.scalar(query) or 0
