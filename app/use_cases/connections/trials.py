"""Tries settings before they are saved: how many people they would change now, and how.

A trial is a run that surveys both systems as a preview does, and that nobody can approve. A connection has one at a
time; another one, or the settings saved, takes its place. Saving never waits for a trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.enums import Direction, Trigger
from app.domain.errors import Refused
from app.domain.planning.plan import PlanKind
from app.domain.runs.commands import StartRun
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Connection
from app.storage.runs.rows import RunRow
from app.use_cases.connections import automatic_settings
from app.use_cases.connections.connection_settings import ItemChoice, with_items
from app.use_cases.context import Context
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake.start_run import start_run
from app.use_cases.queries.person_tables import TableLook
from app.use_cases.queries.preview import see_plan, see_reading
from app.use_cases.queries.preview_views import PlanPage, Reading
from app.use_cases.shared.beginnings import REPLACED
from app.use_cases.shared.connection_lookup import find_connection, known_connection
from app.use_cases.shared.run_lookup import find_run
from app.use_cases.shared.trial_settings import FEWER, of_automatic, of_items, with_tried


@dataclass(frozen=True)
class Trial:
    """One trial and what has come of it so far. `error_code`: of the error catalogue, when it could not be made.
    `replaced`: another one, or the settings saved, has taken its place."""

    run_id: str
    section: str
    direction: Direction
    connection: Connection
    """With the settings that were tried."""
    going: bool
    replaced: bool
    error_code: str | None
    readings: tuple[Reading, ...] = ()
    people: int = 0
    """How many people the tried settings would change beyond the saved ones."""
    fewer: int = 0
    """How many people have changes now that they would no longer have."""
    by_item: tuple[tuple[str, int], ...] = field(default=())
    """(key of FIELDS, people), the most frequent first; of people who are already there."""
    created: int = 0


def try_items(ctx: Context, key: str, choice: ItemChoice, *, direction: Direction, by: str) -> str:
    """Begin a trial of items and blank rules. Returns the run's public id. Raises Refused as `start_run`."""
    return _begin(ctx, key, direction, of_items(with_items(find_connection(ctx, key), choice)), by=by)


def try_automatic(ctx: Context, key: str, changes: Mapping[str, Any], *, direction: Direction, by: str) -> str:
    """Begin a trial of the rules for what both sides have changed. Returns the run's public id. Raises Refused as
    `start_run`."""
    changed = automatic_settings.changed(find_connection(ctx, key), changes)
    return _begin(ctx, key, direction, of_automatic(changed), by=by)


def _begin(ctx: Context, key: str, direction: Direction, trial: dict[str, Any], *, by: str) -> str:
    command = StartRun(
        connection_key=key,
        direction=direction,
        as_of_date=today_in_japan(ctx.clock.now()),
        employees=None,
        dry_run=True,
        trigger=Trigger.MANUAL,
        started_by=by,
        trial=trial,
    )
    return start_run(ctx, command).id


def end_trials(ctx: Context, key: str) -> None:
    """Withdraw the trials of a connection: its settings are others now. Raises Refused for an unknown connection."""
    with ctx.unit_of_work() as uow:
        trials = uow.trials.waiting(known_connection(uow, key).id)
        ended = [run_id for run_id in trials if uow.runs.withdraw(run_id, REPLACED, ctx.clock.now())]
    for run_id in ended:
        close_run_if_done(ctx, run_id)


def see_trial(ctx: Context, key: str, run_id: str) -> Trial:
    """Raises Refused for an unknown connection or run, or a run that is no trial of this connection."""
    with ctx.unit_of_work().reading() as uow:
        connection, run = known_connection(uow, key), find_run(uow, run_id)
    if run.trial is None or run.connection_id != connection.id:
        raise Refused("run_not_found", status=404)
    going = run.finished_at is None and run.ends_as is None and run.surveyed_at is None
    shown: dict[str, Any] = {
        "run_id": run.public_id,
        "section": run.trial["section"],
        "direction": run.direction,
        "connection": with_tried(connection, run.trial),
        "going": going,
        "replaced": run.error_code == REPLACED,
        "error_code": run.error_code,
    }
    if going:
        return Trial(**shown, readings=see_reading(ctx, run_id)[1])
    return Trial(**shown, **_found(ctx, run))


def _found(ctx: Context, run: RunRow) -> dict[str, Any]:
    with ctx.unit_of_work().reading() as uow:
        by_key = uow.preview_selection.changes_by_key(run.id, kind=PlanKind.UPDATE)
    plan = see_plan(ctx, run.public_id)
    frequent = tuple(sorted(by_key.items(), key=lambda each: (-each[1], each[0])))
    fewer = (run.trial or {}).get(FEWER, 0)
    return {"people": plan.chosen, "created": plan.created, "by_item": frequent, "fewer": fewer}


def see_trial_people(ctx: Context, key: str, run_id: str, *, page: int, reveal: bool) -> tuple[Trial, PlanPage]:
    """A trial and one page, from 1, of the people it would change. Raises Refused as `see_trial`."""
    return see_trial(ctx, key, run_id), see_plan(ctx, run_id, look=TableLook(page=page), reveal=reveal)
