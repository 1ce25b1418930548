"""The 連携履歴 as a list: the runs that a filter finds, newest first, and the last times of each direction.

The list costs the same handful of queries however many runs there are, because a finished run's row holds its counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from app.domain.enums import Direction, Trigger
from app.domain.runs.dates import JAPAN
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import FINAL_ITEM_STATES, ItemState, RunState
from app.domain.runs.words import RunWord, run_word
from app.storage.repository import as_row
from app.storage.runs.rows import RunRow
from app.storage.runs.run_reading import RunFilter
from app.use_cases.context import Context
from app.use_cases.queries.history import counts_of_runs, word_of
from app.use_cases.shared.actors import Actor, known_actors
from app.use_cases.shared.views import Page

PAGE_SIZE = 50
FOLDED_MOST = 1_000
"""How many folded runs are counted at most."""


@dataclass(frozen=True)
class Wanted:
    """The filter of the list; None where it does not matter. It finds runs that began between two days in Japan, both
    included."""

    connection: str | None = None
    """The key of a connection. A key that no connection has finds no run."""
    direction: Direction | None = None
    trigger: Trigger | None = None
    result: RunWord | None = None
    quiet: bool = False
    """True: also automatic runs that had nothing to write and nothing to tell."""
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
    """True: a preview that was never approved, so the run has only compared."""
    counts: Mapping[ItemState, int]
    done: int
    total: int | None
    begun_at: datetime
    ended_at: datetime | None
    error_code: str | None
    kind: RunKind = RunKind.SYNC
    beside: int = 0
    """How many people were only looked at."""

    @property
    def word(self) -> RunWord:
        return run_word(self.state, self.counts)


@dataclass(frozen=True)
class LastTimes:
    """Of one direction of a connection: when a run was last tried, the state of that run, and when a run last ended
    without fault."""

    connection: str
    direction: Direction
    run: str
    tried_at: datetime
    word: RunWord
    succeeded_at: datetime | None


@dataclass(frozen=True)
class RunList:
    page: Page[ListedRun]
    last: tuple[LastTimes, ...]
    connections: Mapping[str, str]
    """Key → name, of all connections."""
    folded: int = 0
    """How many runs the filter finds besides, which had nothing to write and nothing to tell; FOLDED_MOST at most."""


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
        folded = 0 if found is None or wanted.quiet else uow.runs.quiet_runs(found, limit=FOLDED_MOST)
    lines = tuple(_line(row, names[row.connection_id], actors[row.started_by], counts[row.id]) for row in shown)
    return RunList(
        page=Page(lines, shown[-1].id if len(rows) > limit else None),
        last=tuple(
            LastTimes(
                connection=names[each.connection_id],
                direction=each.direction,
                run=each.tried.public_id,
                tried_at=each.tried.created_at,
                word=word_of(each.tried),
                succeeded_at=each.succeeded_at,
            )
            for each in last
        ),
        connections={connection.key: connection.name for connection in connections},
        folded=folded,
    )


def _filter(wanted: Wanted, ids: Mapping[str, int]) -> RunFilter | None:
    """The filter as the repository takes it. None: no run can be found."""
    if wanted.connection is not None and wanted.connection not in ids:
        return None
    return RunFilter(
        connection_id=ids[wanted.connection] if wanted.connection is not None else None,
        direction=wanted.direction,
        trigger=wanted.trigger,
        **_states(wanted.result),
        quiet=None if wanted.quiet else False,
        since=_begin_of(wanted.first_day) if wanted.first_day else None,
        until=_begin_of(wanted.last_day + timedelta(days=1)) if wanted.last_day else None,
    )


def _states(word: RunWord | None) -> dict[str, Any]:
    """The word as a filter: the state, and for two words of one state whether somebody failed."""
    if word is None:
        return {}
    if word is RunWord.NEEDS_REVIEW:
        return {"state": RunState.PARTLY_FAILED, "failures": False}
    return {"state": RunState(word.value), "failures": True if word is RunWord.PARTLY_FAILED else None}


def _begin_of(day: date) -> datetime:
    return datetime.combine(day, time(), JAPAN)


def _line(row: RunRow, connection: str, actor: Actor, counts: Mapping[ItemState, int]) -> ListedRun:
    return as_row(
        ListedRun,
        row,
        id=row.public_id,
        connection=connection,
        started_by=actor,
        compared_only=row.dry_run and row.approved_at is None,
        counts=counts,
        done=sum(count for state, count in counts.items() if state in FINAL_ITEM_STATES),
        begun_at=row.created_at,
        ended_at=row.finished_at,
        beside=sum(row.beside.values()),
    )
