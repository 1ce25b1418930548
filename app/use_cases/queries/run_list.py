"""The 連携履歴 as a list: runs newest first by what is looked for, and the last times of each direction.

Costs the same handful of queries however many runs there are: a finished run brings its own counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from app.domain.enums import Direction, Trigger
from app.domain.runs.dates import JAPAN
from app.domain.runs.run_state import FINAL_ITEM_STATES, ItemState, RunState
from app.storage.runs.rows import RunRow
from app.storage.runs.run_reading import RunFilter
from app.use_cases.context import Context
from app.use_cases.queries.history import counts_of_runs
from app.use_cases.shared.actors import Actor, known_actors
from app.use_cases.shared.views import Page

PAGE_SIZE = 50


@dataclass(frozen=True)
class Wanted:
    """What is looked for; None where it does not matter. Days are Japan's, both included, and mean the begin."""

    connection: str | None = None
    """A key. One that is nobody's finds nothing."""
    direction: Direction | None = None
    trigger: Trigger | None = None
    state: RunState | None = None
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True)
class ListedRun:
    """A run in the list: its 開始, and its 終了 with 実行結果 once there is one."""

    id: str
    connection: str
    direction: Direction
    trigger: Trigger
    started_by: Actor
    state: RunState
    compared_only: bool
    """A preview that was never approved: nothing was to be written."""
    counts: Mapping[ItemState, int]
    done: int
    total: int | None
    begun_at: datetime
    ended_at: datetime | None
    error_code: str | None


@dataclass(frozen=True)
class LastTimes:
    """When a direction of a connection was tried last, how that stands, and when it went through without fault."""

    connection: str
    direction: Direction
    run: str
    tried_at: datetime
    state: RunState
    succeeded_at: datetime | None


@dataclass(frozen=True)
class RunList:
    page: Page[ListedRun]
    last: tuple[LastTimes, ...]
    connections: Mapping[str, str]
    """Key → name of all there are."""


def run_list(ctx: Context, wanted: Wanted, *, after: int | None = None, limit: int = PAGE_SIZE) -> RunList:
    with ctx.unit_of_work().reading() as uow:
        connections = uow.connections.list_all()
        names = {connection.id: connection.name for connection in connections}
        ids = {connection.key: connection.id for connection in connections}
        found = _filter(wanted, ids)
        rows = [] if found is None else uow.runs.search(found, after=after, limit=limit + 1)
        shown = rows[:limit]
        counts = counts_of_runs(uow, shown)
        actors = known_actors(uow, (row.started_by for row in shown))
        last = uow.runs.last_runs()
    lines = tuple(_line(row, names[row.connection_id], actors[row.started_by], counts[row.id]) for row in shown)
    return RunList(
        page=Page(lines, shown[-1].id if len(rows) > limit else None),
        last=tuple(
            LastTimes(
                connection=names[each.connection_id],
                direction=each.direction,
                run=each.tried.public_id,
                tried_at=each.tried.created_at,
                state=each.tried.state,
                succeeded_at=each.succeeded_at,
            )
            for each in last
        ),
        connections={connection.key: connection.name for connection in connections},
    )


def _filter(wanted: Wanted, ids: Mapping[str, int]) -> RunFilter | None:
    """None: nothing can be found."""
    if wanted.connection is not None and wanted.connection not in ids:
        return None
    return RunFilter(
        connection_id=ids[wanted.connection] if wanted.connection is not None else None,
        direction=wanted.direction,
        trigger=wanted.trigger,
        state=wanted.state,
        since=_begin_of(wanted.first_day) if wanted.first_day else None,
        until=_begin_of(wanted.last_day + timedelta(days=1)) if wanted.last_day else None,
    )


def _begin_of(day: date) -> datetime:
    return datetime.combine(day, time(), JAPAN)


def _line(row: RunRow, connection: str, actor: Actor, counts: Mapping[ItemState, int]) -> ListedRun:
    return ListedRun(
        id=row.public_id,
        connection=connection,
        direction=row.direction,
        trigger=row.trigger,
        started_by=actor,
        state=row.state,
        compared_only=row.dry_run and row.approved_at is None,
        counts=counts,
        done=sum(count for state, count in counts.items() if state in FINAL_ITEM_STATES),
        total=row.total,
        begun_at=row.created_at,
        ended_at=row.finished_at,
        error_code=row.error_code,
    )
