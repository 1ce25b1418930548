"""The dashboard: per connection and direction the last run and how it ended, and what waits for a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.enums import Direction, System, Trigger
from app.domain.reading import items_under
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import ItemState, RunState
from app.domain.runs.words import RunWord, run_word
from app.domain.settings.connection_settings import Automatic, Connection
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.queries.attention import attention_summary
from app.use_cases.queries.attention_sources import Asked
from app.use_cases.queries.attention_views import Attention
from app.use_cases.queries.beginnings import beginnings_in, by_connection
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.views import BeginningView


@dataclass(frozen=True)
class LastRun:
    id: str
    trigger: Trigger
    state: RunState
    at: datetime
    counts: Mapping[ItemState, int]
    error_code: str | None
    only_target_changed: int = 0

    @property
    def word(self) -> RunWord:
        return run_word(self.state, self.counts)

    @property
    def failed(self) -> int:
        return self.counts.get(ItemState.FAILED, 0)

    @property
    def to_look_at(self) -> int:
        return self.counts.get(ItemState.NEEDS_REVIEW, 0) + self.counts.get(ItemState.CONFLICT, 0)


@dataclass(frozen=True)
class OpenRun:
    """A run that has not ended. `held`: the run was held as a mass change until a person approves it."""

    id: str
    trigger: Trigger
    state: RunState
    created_at: datetime
    approved: bool
    held: bool
    begins: bool = False
    """It is the preview with which the automatic sync begins."""
    kind: RunKind = RunKind.SYNC

    @property
    def word(self) -> RunWord:
        return run_word(self.state, {})


@dataclass(frozen=True)
class DirectionPanel:
    """One direction of a connection. `last`: the last run that ended; `last_success`: when a run last succeeded."""

    direction: Direction
    last: LastRun | None
    last_success: datetime | None
    going: tuple[OpenRun, ...]
    previews: tuple[OpenRun, ...]
    automatic: bool


@dataclass(frozen=True)
class Dashboard:
    key: str
    name: str
    paused: bool
    needs_consent: bool
    export_settings_missing: bool
    automatic: Automatic
    broken_links: int
    unreadable: tuple[str, ...]
    """Keys of items that had values and are shown for nobody any more: a person is asked why."""
    panels: tuple[DirectionPanel, ...]
    beginnings: tuple[BeginningView, ...] = ()
    """The directions whose automatic sync waits for the approval of a preview."""

    @property
    def is_going(self) -> bool:
        return any(panel.going for panel in self.panels)


def connection_names(ctx: Context) -> list[tuple[str, str]]:
    """(key, name) of every connection, the oldest first."""
    with ctx.unit_of_work().reading() as uow:
        return [(connection.key, connection.name) for connection in uow.connections.list_all()]


@dataclass(frozen=True)
class Home:
    """The first page. `names`: (key, name) of every connection, the oldest first; without any there is nothing else."""

    names: tuple[tuple[str, str], ...] = field(repr=False)
    board: Dashboard | None = None
    attention: Attention | None = None


def see_home(ctx: Context, wanted: str) -> Home:
    """What needs somebody in any connection, and the dashboard of the wanted one, else of the oldest."""
    with ctx.unit_of_work().reading() as uow:
        known = uow.connections.list_all()
        if not known:
            return Home(())
        asked = Asked(ctx, uow, known)
        attention = attention_summary(asked)
        shown = next((each for each in known if each.key == wanted), known[0])
        board = _dashboard(uow, shown, by_connection(asked.beginnings).get(shown.id, ()))
    return Home(tuple((each.key, each.name) for each in known), board, attention)


def see_dashboard(ctx: Context, connection_key: str) -> Dashboard:
    """The dashboard of one connection. Raises Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, connection_key)
        return _dashboard(uow, connection, beginnings_in(uow, connection.id))


def _dashboard(uow: UnitOfWork, connection: Connection, beginnings: tuple[BeginningView, ...]) -> Dashboard:
    waiting = {each.direction for each in beginnings}
    open_runs = [run for run in uow.preview_selection.open_runs(connection.id) if not _waits(run, waiting)]
    last = uow.preview_selection.last_attempts(connection.id)
    return Dashboard(
        key=connection.key,
        name=connection.name,
        paused=connection.paused,
        needs_consent=connection.needs_consent,
        export_settings_missing=connection.export_settings is None,
        automatic=connection.automatic,
        broken_links=len(uow.links.broken(connection.id)),
        unreadable=tuple(key for system in System for key in items_under(system, connection.gone(system).keys())),
        panels=tuple(_panel(uow, connection, each, open_runs, last.get(each)) for each in reversed(Direction)),
        beginnings=beginnings,
    )


def _waits(run: RunRow, waiting: Collection[Direction]) -> bool:
    """Whether the run only gathers what webhooks tell until a beginning is approved."""
    return run.direction in waiting and run.state is RunState.WAITING and run.gather_until is not None


def _panel(
    uow: UnitOfWork, connection: Connection, direction: Direction, open_runs: Sequence[RunRow], last: RunRow | None
) -> DirectionPanel:
    success = last
    if last is not None and last.state is not RunState.SUCCEEDED:
        success = uow.preview_selection.last_success(connection.id, direction)
    mine = [_open(run) for run in open_runs if run.direction is direction]
    return DirectionPanel(
        direction=direction,
        last=None if last is None else _last(last),
        last_success=success.finished_at if success else None,
        going=tuple(run for run in mine if run.state is not RunState.PREVIEWED),
        previews=tuple(run for run in mine if run.state is RunState.PREVIEWED),
        automatic=direction in connection.automatic.directions,
    )


def _last(run: RunRow) -> LastRun:
    counts = {ItemState(state): people for state, people in (run.counts or {}).items()}
    assert run.finished_at is not None
    return LastRun(
        run.public_id, run.trigger, run.state, run.finished_at, counts, run.error_code, run.only_target_changed
    )


def _open(run: RunRow) -> OpenRun:
    approved = run.approved_at is not None or not run.shows_first
    held = run.shows_first and not run.dry_run and run.decide_until is None
    return OpenRun(run.public_id, run.trigger, run.state, run.created_at, approved, held, run.is_beginning, run.kind)
