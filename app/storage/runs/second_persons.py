"""Runs that wait for a second person: who is first, until when, and why an administrator has decided alone."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update

from app.domain.runs.run_state import ItemState, RunState
from app.storage.repository import Repository, as_row
from app.storage.runs.rows import RunRow
from app.storage.tables.models import ItemTable, RunTable


class SecondPersonRepository(Repository):
    """`uow.second_persons`."""

    def ask(self, run_id: int, *, first: Collection[str], until: datetime) -> None:
        """Let this run wait for a second person. `first`: the actors who cannot be it."""
        values = {"first_by": sorted(first), "decide_until": until}
        self._session.execute(update(RunTable).where(RunTable.id == run_id).values(**values))

    def waiting(self, connection_id: int | None = None) -> list[RunRow]:
        """The runs on which nobody has decided yet, the one that expires first at the beginning."""
        of_whom = [] if connection_id is None else [RunTable.connection_id == connection_id]
        query = select(RunTable).where(*_waits(), *of_whom).order_by(RunTable.decide_until, RunTable.id)
        return [as_row(RunRow, record) for record in self._session.scalars(query)]

    def waiting_count(self) -> int:
        return self._session.scalar(select(func.count()).select_from(RunTable).where(*_waits())) or 0

    def still_waits(self, run_id: int) -> bool:
        """Whether nobody has decided on the run yet."""
        return self._session.scalar(select(RunTable.id).where(RunTable.id == run_id, *_waits())) is not None

    def overdue(self, now: datetime) -> list[int]:
        query = select(RunTable.id).where(*_waits(), RunTable.decide_until <= now)
        return list(self._session.scalars(query.order_by(RunTable.id)))

    def people(self, run_ids: Collection[int]) -> dict[int, int]:
        """Run → how many people wait in it."""
        query = (
            select(ItemTable.run_id, func.count())
            .where(ItemTable.run_id.in_(run_ids), ItemTable.state == ItemState.WAITING)
            .group_by(ItemTable.run_id)
        )
        return {row[0]: row[1] for row in self._session.execute(query)}

    def keep_reason(self, run_id: int, reason: str) -> None:
        """Mark the run as decided by one administrator alone, with the reason."""
        values = {"alone_reason_enc": self._seal(reason)}
        self._session.execute(update(RunTable).where(RunTable.id == run_id).values(**values))

    def reason(self, run_id: int) -> str | None:
        """Why one administrator has decided alone; None: nobody has."""
        return self._shown(self._session.scalar(select(RunTable.alone_reason_enc).where(RunTable.id == run_id)))


def _waits() -> tuple[ColumnElement[bool], ...]:
    return (RunTable.decide_until.is_not(None), RunTable.state == RunState.PREVIEWED, RunTable.ends_as.is_(None))
