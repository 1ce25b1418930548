"""Reading runs for people: a filtered page of the 連携履歴, last times per direction, which runs belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, or_, select

from app.domain.enums import Direction, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.storage.enums import MailState
from app.storage.repository import Repository, as_row, columns_for, table_of
from app.storage.runs.rows import RunRow
from app.storage.tables.models import RunTable
from app.storage.tables.outgoing_models import MailTable

S = TypeVar("S")

_RUN = select(*columns_for(RunRow, RunTable)).where(table_of(RunTable).c.id == bindparam("run_"))


@dataclass(frozen=True)
class RunFilter:
    """Which runs to find; None where a value does not matter. A run began at `since` or later and before `until`."""

    connection_id: int | None = None
    direction: Direction | None = None
    trigger: Trigger | None = None
    state: RunState | None = None
    failures: bool | None = None
    """Whether somebody failed; only of runs that are over."""
    quiet: bool | None = None
    """Whether it is an automatic run that ended well without having written."""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class LastRuns:
    """The last runs of one connection and direction.

    `tried`: the run that was begun last; a preview that no person approved does not count.
    """

    connection_id: int
    direction: Direction
    tried: RunRow
    succeeded_at: datetime | None


class RunReading(Repository):
    """The pages' queries about runs, as part of `uow.runs`."""

    def get(self, run_id: int) -> RunRow | None:
        record = self._first(_RUN, {"run_": run_id})
        return None if record is None else as_row(RunRow, record)

    def get_by_public_id(self, public_id: str) -> RunRow | None:
        record = self._session.scalar(select(RunTable).where(RunTable.public_id == public_id))
        return None if record is None else as_row(RunRow, record)

    def page(self, *, after: int | None, limit: int, connection_id: int | None = None) -> list[RunRow]:
        """Newest first; `after` is the id of the last run of the page before."""
        return self.search(RunFilter(connection_id=connection_id), after=after, limit=limit)

    def search(self, wanted: RunFilter, *, after: int | None, limit: int) -> list[RunRow]:
        """Newest first, without trials of settings; `after` is the id of the last run of the page before."""
        query = (
            _narrowed(select(RunTable).where(RunTable.trial.is_(None)), wanted)
            .order_by(RunTable.id.desc())
            .limit(limit)
        )
        if after is not None:
            query = query.where(RunTable.id < after)
        return [as_row(RunRow, record) for record in self._session.scalars(query)]

    def quiet_runs(self, wanted: RunFilter, *, limit: int) -> int:
        """How many quiet runs the filter finds, `limit` at most."""
        found = _narrowed(select(RunTable.id), replace(wanted, quiet=True)).limit(limit)
        return self._session.scalar(select(func.count()).select_from(found.subquery())) or 0

    def public_ids(self, run_ids: Sequence[int]) -> dict[int, str]:
        if not run_ids:
            return {}
        query = select(RunTable.id, RunTable.public_id).where(RunTable.id.in_(run_ids))
        return {row.id: row.public_id for row in self._session.execute(query)}

    def open_undo_of(self, run_id: int) -> RunRow | None:
        """The unfinished run that takes this one back; there is one at most."""
        query = select(RunTable).where(RunTable.undone_run_id == run_id, RunTable.finished_at.is_(None))
        record = self._session.scalar(query)
        return None if record is None else as_row(RunRow, record)

    def open_survey(self, connection_id: int, direction: Direction, asked_as: str) -> RunRow | None:
        """The run that was asked for in this way and whose survey is not over; there is one at most."""
        query = select(RunTable).where(
            RunTable.connection_id == connection_id,
            RunTable.direction == direction,
            RunTable.asked_as == asked_as,
            RunTable.state.in_([RunState.WAITING, RunState.SURVEYING]),
            RunTable.ends_as.is_(None),
        )
        record = self._session.scalar(query)
        return None if record is None else as_row(RunRow, record)

    def under_way(self, connection_id: int, direction: Direction, asked_as: str) -> RunRow | None:
        """The newest run that was asked for in this way, is not over and is not being cancelled."""
        query = select(RunTable).where(
            RunTable.connection_id == connection_id,
            RunTable.direction == direction,
            RunTable.asked_as == asked_as,
            RunTable.finished_at.is_(None),
            RunTable.ends_as.is_(None),
        )
        record = self._session.scalar(query.order_by(RunTable.id.desc()).limit(1))
        return None if record is None else as_row(RunRow, record)

    def retry_of(self, run_id: int) -> RunRow | None:
        """The run that repeats this one, unless it was cancelled; of several from an older version the newest."""
        kept = or_(RunTable.ends_as.is_(None), RunTable.ends_as != RunState.CANCELLED)
        query = select(RunTable).where(RunTable.retried_run_id == run_id, kept, RunTable.state != RunState.CANCELLED)
        record = self._session.scalar(query.order_by(RunTable.id.desc()).limit(1))
        return None if record is None else as_row(RunRow, record)

    def waiting_previews(
        self, connection_id: int, direction: Direction, started_by: str, *, beyond: int, limit: int = 100
    ) -> list[int]:
        """The previews of one actor that wait for a first approval, without the newest `beyond`, newest first."""
        query = select(RunTable.id).where(
            RunTable.connection_id == connection_id,
            RunTable.direction == direction,
            RunTable.started_by == started_by,
            RunTable.dry_run,
            RunTable.trigger.in_([Trigger.MANUAL, Trigger.API]),
            RunTable.state == RunState.PREVIEWED,
            RunTable.ends_as.is_(None),
            RunTable.approved_at.is_(None),
            RunTable.decide_until.is_(None),
            RunTable.trial.is_(None),
        )
        return list(self._session.scalars(query.order_by(RunTable.id.desc()).offset(beyond).limit(limit)))

    def related(self, run: RunRow) -> list[RunRow]:
        """The run that this one repeats or takes back, and the runs that repeat or take back this one; oldest first."""
        origins = [each for each in (run.retried_run_id, run.undone_run_id) if each is not None]
        belongs = [RunTable.retried_run_id == run.id, RunTable.undone_run_id == run.id]
        query = select(RunTable).where(or_(RunTable.id.in_(origins), *belongs)).order_by(RunTable.id)
        return [as_row(RunRow, record) for record in self._session.scalars(query)]

    def last_runs(self) -> list[LastRuns]:
        """The last runs of every connection and direction that ever ran."""
        succeeded = case((RunTable.state == RunState.SUCCEEDED, RunTable.finished_at))
        shows_first = or_(RunTable.dry_run, RunTable.trigger == Trigger.HELD)
        grouped = (
            select(func.max(RunTable.id).label("tried"), func.max(succeeded).label("succeeded_at"))
            .where(or_(~shows_first, RunTable.approved_at.is_not(None)))
            .group_by(RunTable.connection_id, RunTable.direction)
            .subquery()
        )
        query = (
            select(RunTable, grouped.c.succeeded_at)
            .join(grouped, RunTable.id == grouped.c.tried)
            .order_by(RunTable.connection_id, RunTable.direction)
        )
        return [
            LastRuns(record.connection_id, record.direction, as_row(RunRow, record), succeeded_at)
            for record, succeeded_at in self._session.execute(query)
        ]

    def mail_states(self, run_ids: Sequence[int]) -> dict[int, MailState]:
        """Run id → the state of its summary mail; opens none of the mails."""
        if not run_ids:
            return {}
        query = select(MailTable.run_id, MailTable.state).where(MailTable.run_id.in_(run_ids))
        return {row.run_id: row.state for row in self._session.execute(query)}


def _narrowed(query: Select[S], wanted: RunFilter) -> Select[S]:
    for column, value in (
        (RunTable.connection_id, wanted.connection_id),
        (RunTable.direction, wanted.direction),
        (RunTable.trigger, wanted.trigger),
        (RunTable.state, wanted.state),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.failures is not None:
        query = query.where(_has(ItemState.FAILED).is_(wanted.failures))
    if wanted.quiet is not None:
        query = query.where(_is_quiet().is_(wanted.quiet))
    if wanted.since is not None:
        query = query.where(RunTable.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(RunTable.created_at < wanted.until)
    return query


def _has(state: ItemState) -> ColumnElement[bool]:
    """Whether somebody of a run that is over ended in this state; false for a run that is not over."""
    return func.coalesce(RunTable.counts[state.value].as_integer(), 0) > 0


def _is_quiet() -> ColumnElement[bool]:
    """An automatic run that ended well, wrote nothing, and found nobody whom a webhook should have named."""
    told = or_(_has(ItemState.SUCCEEDED), RunTable.missed.is_not(None), RunTable.stopped.is_not(None))
    automatic = [trigger for trigger in Trigger if trigger.is_automatic]
    return and_(RunTable.trigger.in_(automatic), RunTable.state == RunState.SUCCEEDED, ~told)
