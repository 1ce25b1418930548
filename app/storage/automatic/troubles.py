"""Troubles: employees who keep ending with one cause in automatic runs, until sweeps leave them alone (quarantine)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, delete, func, select, update

from app.domain.enums import Direction
from app.storage.automatic.rows import TroubleRow
from app.storage.repository import Repository, as_row, table_of
from app.storage.tables.automatic_models import TroubleTable

_TROUBLES = table_of(TroubleTable)
_RESOLVE = delete(_TROUBLES).where(
    _TROUBLES.c.connection_id == bindparam("connection_"),
    _TROUBLES.c.direction == bindparam("direction_"),
    _TROUBLES.c.source_id.in_(bindparam("people_", expanding=True)),
)


class TroubleRepository(Repository):
    """`uow.troubles`."""

    def note(
        self,
        connection_id: int,
        direction: Direction,
        source_id: str,
        *,
        employee_number: str,
        code: str,
        now: datetime,
        quarantine_after: int,
    ) -> bool:
        """Note one more bad end of an employee. True: the cause is the same as the time before, so it is no news."""
        mine = _of(connection_id, direction, source_id)
        record = self._session.scalar(select(TroubleTable).where(*mine))
        if record is None:
            record = TroubleTable(
                connection_id=connection_id,
                direction=direction,
                source_id=source_id,
                employee_number=employee_number,
                code=code,
                times=0,
                first_at=now,
                last_at=now,
            )
            self._session.add(record)
        again = record.code == code and record.times > 0
        if not again:
            record.code, record.times, record.first_at, record.quarantined_at = code, 0, now, None
        record.employee_number = employee_number
        record.times += 1
        record.last_at = now
        if record.times >= quarantine_after and record.quarantined_at is None:
            record.quarantined_at = now
        self._session.flush()
        return again

    def resolve(self, connection_id: int, direction: Direction, source_ids: Sequence[str]) -> int:
        """Forget the troubles of employees who ended well or whom a person has released. Returns how many."""
        people = {"connection_": connection_id, "direction_": direction, "people_": list(source_ids)}
        return self._changed(_RESOLVE, people)

    def set_content(self, connection_id: int, direction: Direction, source_id: str, content: str) -> None:
        """Store the digest of both sides at the time of the last bad end; a different digest lifts the quarantine."""
        mine = _of(connection_id, direction, source_id)
        self._session.execute(update(TroubleTable).where(*mine).values(content=content))

    def of_connection(self, connection_id: int, direction: Direction | None = None) -> list[TroubleRow]:
        query = select(TroubleTable).where(TroubleTable.connection_id == connection_id).order_by(TroubleTable.id)
        if direction is not None:
            query = query.where(TroubleTable.direction == direction)
        return [as_row(TroubleRow, record) for record in self._session.scalars(query)]

    def quarantined_causes(self) -> list[tuple[int, str, int]]:
        """(connection id, cause, employees in quarantine), the most frequent first."""
        number = func.count().label("employees")
        query = (
            select(TroubleTable.connection_id, TroubleTable.code, number)
            .where(TroubleTable.quarantined_at.is_not(None))
            .group_by(TroubleTable.connection_id, TroubleTable.code)
            .order_by(number.desc(), TroubleTable.connection_id, TroubleTable.code)
        )
        return [(row.connection_id, row.code, row.employees) for row in self._session.execute(query)]

    def release(self, connection_id: int, code: str) -> int:
        """Release all employees of the connection who are in quarantine for this cause. Returns how many."""
        return self._changed(
            delete(TroubleTable).where(
                TroubleTable.connection_id == connection_id,
                TroubleTable.code == code,
                TroubleTable.quarantined_at.is_not(None),
            )
        )


def _of(connection_id: int, direction: Direction, source_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        TroubleTable.connection_id == connection_id,
        TroubleTable.direction == direction,
        TroubleTable.source_id == source_id,
    )
