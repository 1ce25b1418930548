"""History: runs and their items as users and programs see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from app.domain.enums import System, Trigger
from app.domain.error_catalogue.catalogue import who_of
from app.domain.mail_text.letter import Words
from app.domain.runs.progress import measure
from app.domain.runs.run_state import FINAL_ITEM_STATES, ItemState, RunState
from app.domain.runs.words import RunWord, run_word
from app.domain.settings.connection_settings import Connection
from app.domain.settings.recipients import Language
from app.domain.vendors.rates import limiter_keys
from app.storage.enums import MailState
from app.storage.repository import as_row
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.planning.stop_changes import told_alarms
from app.use_cases.queries.item_views import item_view
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.run_lookup import find_run
from app.use_cases.shared.views import ItemView, Page, ProgressView, RunView

RECENT = timedelta(minutes=1)
CALLS_PER_READ = 1.0
CALLS_PER_ITEM: Mapping[System, float] = {System.FREEE: 6.0, System.SMARTHR: 2.0}
"""How many requests one employee is assumed to take at the target before any were measured: one per step written, and
the reads."""


def get_run(ctx: Context, public_id: str) -> RunView:
    """One run. Raises Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        row = find_run(uow, public_id)
        view = with_mended(uow, run_views(ctx, uow, [row])[0])
        return replace(view, left_out=uow.items.left_out(row)) if view.counts.get(ItemState.LEFT_OUT) else view


def list_runs(
    ctx: Context, *, after: int | None = None, limit: int = 50, connection: str | None = None
) -> Page[RunView]:
    """One page of runs, newest first. Raises Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        connection_id = None
        if connection is not None:
            connection_id = known_connection(uow, connection).id
        rows = uow.runs.page(after=after, limit=limit + 1, connection_id=connection_id)
        shown = rows[:limit]
        views = run_views(ctx, uow, shown)
    return Page(tuple(views), shown[-1].id if len(rows) > limit else None)


def list_items(
    ctx: Context, public_id: str, *, after: int | None = None, limit: int = 50, state: ItemState | None = None
) -> Page[ItemView]:
    """One page of a run's items in the order of employee numbers. Raises Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, public_id)
        rows = uow.items.page(run.id, after=-1 if after is None else after, limit=limit + 1, state=state)
        shown = rows[:limit]
        ids = [row.id for row in shown]
        changes, steps = uow.changes.of_items(ids), uow.steps.of_items(ids)
    say = ctx.wording(Language.JAPANESE)
    views = tuple(
        replace(
            item_view(row, changes[row.id], steps[row.id], trigger=run.trigger, say=say),
            counted=row.chosen or not run.only_chosen,
        )
        for row in shown
    )
    return Page(views, shown[-1].position if len(rows) > limit else None)


def run_views(ctx: Context, uow: UnitOfWork, rows: Sequence[RunRow]) -> list[RunView]:
    """Rows → views. Costs a handful of queries however many rows there are."""
    counts, mails = counts_of_runs(uow, rows), uow.runs.mail_states([row.id for row in rows])
    origins = uow.runs.public_ids([each for row in rows for each in (row.retried_run_id, row.undone_run_id) if each])
    connections = {connection.id: connection for connection in uow.connections.list_all()}
    return [
        run_view(
            row,
            say=ctx.wording(Language.JAPANESE),
            connection=connections[row.connection_id],
            counts=counts[row.id],
            progress=progress_of(ctx, uow, row, connections[row.connection_id], counts=counts[row.id]),
            mail=mails.get(row.id),
            retried=origins.get(row.retried_run_id) if row.retried_run_id is not None else None,
            undone=origins.get(row.undone_run_id) if row.undone_run_id is not None else None,
        )
        for row in rows
    ]


def with_mended(uow: UnitOfWork, view: RunView) -> RunView:
    """With the reason for which a comparison has tried people again."""
    told = uow.healing.tried_again(view.id) if view.trigger is Trigger.SCHEDULE else None
    return replace(view, mended_people=told["people"], mended=tuple(told["items"])) if told else view


def run_view(
    row: RunRow,
    *,
    say: Words,
    connection: Connection,
    counts: Mapping[ItemState, int],
    progress: ProgressView,
    mail: MailState | None,
    retried: str | None,
    undone: str | None = None,
    left_out: Mapping[str, int] | None = None,
) -> RunView:
    return as_row(
        RunView,
        row,
        id=row.public_id,
        connection=connection.key,
        counts=counts,
        progress=progress,
        vendor_calls={"smarthr": row.smarthr_calls, "freee": row.freee_calls},
        error_message=say.message(row.error_code, row) if row.error_code else None,
        error_remedy=say.remedy(row.error_code, row) if row.error_code else None,
        error_who=who_of(row.error_code, row) if row.error_code else None,
        retried_run=retried,
        undone_run=undone,
        alarms=told_alarms(row),
        held_run=(row.stopped or {}).get("run"),
        missed=len(row.missed or ()),
        left_out={} if row.only_chosen else left_out or {},
        looked_at=row.beside,
        mail_state=mail.value if mail else "skipped" if row.finished_at else None,
    )


def word_of(row: RunRow) -> RunWord:
    """The word for a run that is over; for another one its state says enough."""
    return run_word(row.state, {ItemState(state): people for state, people in (row.counts or {}).items()})


def counts_of_runs(uow: UnitOfWork, rows: Sequence[RunRow]) -> dict[int, dict[ItemState, int]]:
    """Run id → {state: employees}. A finished run's row holds its counts; for the other runs the items are counted."""
    uncounted = [row.id for row in rows if row.finished_at is None or row.counts is None]
    counted = uow.items.counts_of(uncounted) if uncounted else {}
    return counted | {
        row.id: {state: row.counts[state.value] for state in ItemState if row.counts.get(state.value)}
        for row in rows
        if row.id not in counted and row.counts is not None
    }


def progress_of(
    ctx: Context, uow: UnitOfWork, run: RunRow, connection: Connection, *, counts: Mapping[ItemState, int]
) -> ProgressView:
    done = sum(count for state, count in counts.items() if state in FINAL_ITEM_STATES)
    if run.finished_at is not None:
        return ProgressView(done=done, total=run.total, rate=None, eta_seconds=0.0)
    if run.total is None or run.state is not RunState.RUNNING:
        return ProgressView(done=done, total=run.total, rate=None, eta_seconds=None)  # nothing tells when it goes on
    now = ctx.clock.now()
    recent_done, began = uow.items.worked_since(run.id, now - RECENT)
    recent_seconds = 0.0 if began is None else max((now - max(now - RECENT, began)).total_seconds(), 1.0)
    rate, eta = measure(
        done,
        run.total,
        recent_done=recent_done,
        recent_seconds=recent_seconds,
        item_seconds=_item_seconds(ctx, run, connection),
        closed_seconds=max(map(ctx.limiter.closed_for, _keys(connection).values())),
    )
    held = connection.paused or connection.needs_consent
    return ProgressView(done=done, total=run.total, rate=rate, eta_seconds=None if held else eta)


def _item_seconds(ctx: Context, run: RunRow, connection: Connection) -> float:
    """How many seconds one employee takes at least: each system has its own rate limit, and the slower one counts."""
    calls = {run.direction.source: CALLS_PER_READ, run.direction.target: CALLS_PER_ITEM[run.direction.target]}
    return max(count / ctx.limiter.pace(_keys(connection)[system]) for system, count in calls.items())


def _keys(connection: Connection) -> dict[System, str]:
    return limiter_keys(connection.smarthr_subdomain, connection.freee_company_id)
