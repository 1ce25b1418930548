"""Sweeps: when Awase compared a connection as a whole, which connection is due, and what was known the time before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Select, select

from app.domain.enums import Direction, System, Trigger
from app.domain.runs.run_state import RunState
from app.storage.automatic.rows import SweepRow
from app.storage.enums import StepState
from app.storage.repository import Repository, as_row
from app.storage.tables.automatic_models import SweepTable
from app.storage.tables.models import ItemStepTable, ItemTable, RunTable


class SweepRepository(Repository):
    """`uow.sweeps`."""

    def get(self, connection_id: int) -> SweepRow:
        record = self._session.get(SweepTable, connection_id, populate_existing=True)
        return SweepRow(connection_id, None, None) if record is None else as_row(SweepRow, record)

    def ask(self, connection_id: int) -> None:
        """Make a sweep of this connection due at once."""
        self._record(connection_id).started_at = None
        self._session.flush()

    def started(self, connection_id: int, now: datetime) -> None:
        record = self._record(connection_id)
        record.started_at, record.done_at = now, None
        self._session.flush()

    def done(self, connection_id: int, now: datetime) -> None:
        self._record(connection_id).done_at = now
        self._session.flush()

    def has_open_run(self, connection_id: int) -> bool:
        """Whether a comparison is at work. One that waits for a person does not count, because the other direction goes
        on meanwhile."""
        at_work = (RunTable.finished_at.is_(None), RunTable.state != RunState.PREVIEWED)
        query = select(RunTable.id).where(*_scheduled(connection_id), *at_work).limit(1)
        return self._session.scalar(query) is not None

    def previewed(self, connection_id: int, direction: Direction, *, before_run: int) -> list[int]:
        """Earlier comparisons of this direction that wait for a person."""
        return list(self._session.scalars(self._previewed(connection_id, direction).where(RunTable.id < before_run)))

    def is_previewed(self, connection_id: int, direction: Direction, now: datetime) -> bool:
        """Whether a comparison of this direction waits for a person and its deadline has not passed."""
        query = self._previewed(connection_id, direction).where(RunTable.deadline_at > now).limit(1)
        return self._session.scalar(query) is not None

    @staticmethod
    def _previewed(connection_id: int, direction: Direction) -> Select[int]:
        waits = (RunTable.state == RunState.PREVIEWED, RunTable.ends_as.is_(None))
        return select(RunTable.id).where(*_scheduled(connection_id), RunTable.direction == direction, *waits)

    def directions_since(self, connection_id: int, moment: datetime) -> set[Direction]:
        """The directions in which a comparison has begun since then."""
        query = select(RunTable.direction).where(*_scheduled(connection_id), RunTable.created_at >= moment)
        return set(self._session.scalars(query))

    # ── what was known the time before ────────────────────────────────────────────────────────────────────────────

    def last_survey_began(self, connection_id: int, *, before_run: int) -> datetime | None:
        """When the newest completed survey of the connection, other than this run's, began to read."""
        query = (
            select(RunTable.started_at)
            .where(
                RunTable.connection_id == connection_id,
                RunTable.id != before_run,
                RunTable.gather_until.is_(None),
                RunTable.total.is_not(None),
                RunTable.started_at.is_not(None),
            )
            .order_by(RunTable.started_at.desc())
            .limit(1)
        )
        return self._session.scalar(query)

    def written_since(self, connection_id: int, system: System, moment: datetime) -> set[str]:
        """Ids of the employees whom Awase itself has written in this system since then, or may have written."""
        directions = [direction for direction in Direction if direction.target is system]
        query = (
            select(ItemTable.target_id)
            .join(ItemStepTable, ItemStepTable.item_id == ItemTable.id)
            .where(
                ItemTable.connection_id == connection_id,
                ItemTable.direction.in_(directions),
                ItemTable.target_id.is_not(None),
                ItemStepTable.at >= moment,
                ItemStepTable.state != StepState.FAILED,
            )
            .distinct()
        )
        return {str(person_id) for person_id in self._session.scalars(query)}

    def _record(self, connection_id: int) -> SweepTable:
        record = self._session.get(SweepTable, connection_id, populate_existing=True)
        if record is None:
            record = SweepTable(connection_id=connection_id)
            self._session.add(record)
        return record


def _scheduled(connection_id: int) -> tuple[ColumnElement[bool], ...]:
    return (RunTable.connection_id == connection_id, RunTable.trigger == Trigger.SCHEDULE)
