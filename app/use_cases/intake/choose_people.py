"""Previews: choose the people whom an approval will write, read a preview anew, and discard it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from app.domain.enums import Trigger
from app.domain.errors import Refused
from app.domain.runs.commands import StartRun
from app.domain.runs.run_state import RunState
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.intake import approve_retry_cancel, start_run
from app.use_cases.queries.preview import asked_in, preview_of
from app.use_cases.queries.preview_views import GROUPS, Group
from app.use_cases.shared.name_search import sought
from app.use_cases.shared.run_lookup import find_run


def choose(ctx: Context, run_id: str, ticks: Mapping[int, bool]) -> int:
    """Choose single people of a preview, or take them out. `ticks`: position → ticked or not. Returns how many people
    are chosen now. Raises Refused: the run is no longer a preview."""
    with ctx.unit_of_work() as uow:
        run = _open_preview(uow, run_id)
        for wanted in (True, False):
            places = [position for position, tick in ticks.items() if tick is wanted]
            uow.preview_selection.choose_at(run.id, places, chosen=wanted)
        return uow.preview_selection.chosen_count(run.id)


def choose_all(ctx: Context, run_id: str, *, chosen: bool, groups: Collection[Group] = GROUPS, search: str = "") -> int:
    """Choose all people whom the filter and the search find, on all pages, or take them out. Returns how many people
    are chosen now. Raises Refused."""
    with ctx.unit_of_work() as uow:
        run = _open_preview(uow, run_id)
        asked = asked_in(run, groups, sought(search, ctx.keys.signing))
        uow.preview_selection.choose(asked, chosen=chosen)
        return uow.preview_selection.chosen_count(run.id)


def read_again(ctx: Context, run_id: str, *, by: str, key: str) -> str:
    """Start a new preview with the same question, and discard this one if it is still open. Returns the new run's id.

    `key`: two calls with the same key start only one run. Raises Refused."""
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, run_id)
        preview = preview_of(uow, run)
    if not preview.can_read_again:
        raise Refused("cannot_read_again", status=409)
    command = StartRun(
        connection_key=preview.connection,
        direction=run.direction,
        as_of_date=run.as_of_date,
        employees=None if run.scope is None else tuple(run.scope),
        dry_run=True,
        trigger=Trigger.MANUAL,
        started_by=by,
        idempotency_key=key,
    )
    started = start_run.start_run(ctx, command)
    if not preview.approved and _is_still_open(ctx, run_id, but=started.id):
        discard(ctx, run_id, by=by)
    return started.id


def _is_still_open(ctx: Context, run_id: str, *, but: str) -> bool:
    """Whether the run goes on, and is not the new one itself: it may have been the open survey, or have given way."""
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, run_id)
    return run_id != but and not run.state.is_final and run.ends_as is None


def discard(ctx: Context, run_id: str, *, by: str) -> None:
    """Cancel a preview that a user does not want; it has written nothing. Raises Refused: the run writes already, or is
    over."""
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, run_id)
    if run.state is RunState.RUNNING or run.state.is_final:
        raise Refused("not_previewed.discard", status=409)
    approve_retry_cancel.cancel(ctx, run_id, by=by)


def _open_preview(uow: UnitOfWork, run_id: str) -> RunRow:
    run = find_run(uow, run_id)
    if run.state is not RunState.PREVIEWED or run.ends_as is not None:
        raise Refused("not_previewed.over", status=409)
    return run
