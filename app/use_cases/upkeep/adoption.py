"""Adoption: a person says that the original has stopped, and that this installation goes on with the database.

What was written since the copy was made is not known here. So whatever was about to write is stopped, and the first
thing is a comparison of every connection, in both directions, which writes nothing: automatic sync begins anew with a
preview, and nobody, no program either, starts a run that writes before somebody has decided on the comparison
(`intake.start_run`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import structlog

from app.domain.enums import Direction, System, Trigger
from app.domain.errors import Refused
from app.domain.planning.beginning import BeginReason
from app.domain.runs.commands import StartRun
from app.domain.runs.dates import today_in_japan
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Connection
from app.domain.settings.export_settings import complete
from app.safety.identity import Identity, mark_of
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.household import Standing as Standing
from app.use_cases.shared.at_home import ADOPTER
from app.use_cases.shared.beginnings import all_directions, begin_with_preview
from app.use_cases.shared.store_run import store_run
from app.use_cases.survey.lost_hours import LostHours, noted_lost_hours
from app.use_cases.upkeep.homekeeping import others_of

log = structlog.get_logger(__name__)

CODE = "house_adopted"


@dataclass(frozen=True)
class Comparison:
    """The comparison of one connection and direction since the adoption. `run`: public id of its newest preview, None
    where none could be made (paused, or without export settings). `waiting`: people it would write. `lost`: what it has
    found of the lost hours, None while it is under way."""

    connection: str
    direction: Direction
    run: str | None
    state: RunState | None
    waiting: int
    lost: LostHours | None


@dataclass(frozen=True)
class HouseView:
    """`mark`, `owner`: this process's house and the one to which the database belongs. `others`: living processes of
    another house."""

    standing: Standing
    mark: str | None
    owner: str | None
    adopted_at: datetime | None
    others: tuple[str, ...]
    comparisons: tuple[Comparison, ...]


def house_view(ctx: Context) -> HouseView:
    standing, household = ctx.household.look(), ctx.household
    with ctx.unit_of_work().reading() as uow:
        row = uow.houses.get()
        adopted_at = row.adopted_at if row else None
        comparisons = tuple(_comparisons(uow, adopted_at)) if adopted_at else ()
    return HouseView(standing, household.mark, household.owner, adopted_at, others_of(ctx), comparisons)


def adopt(ctx: Context, *, by: str) -> HouseView:
    """Take the database over for this installation. Raises Refused without an identity, and where it belongs to this
    installation already and has not gone back to an earlier state."""
    identity = ctx.household.identity
    if identity is None:
        raise Refused("no_identity", status=409)
    stopped = _take_over(ctx, identity, by=by)
    for run_id in stopped:
        close_run_if_done(ctx, run_id)
    ctx.household.look()
    compared = _compare(ctx)
    log.warning("house_adopted", house=identity.mark, runs_stopped=len(stopped), comparisons=compared)
    return house_view(ctx)


def _take_over(ctx: Context, identity: Identity, *, by: str) -> list[int]:
    """The runs that were stopped."""
    now, went_back = ctx.clock.now(), ctx.household.look() is Standing.RESTORED
    with ctx.unit_of_work() as uow:
        former = uow.houses.adopt(identity.digest, now)
        if former == identity.digest and not went_back:
            raise Refused("already_at_home", status=409)
        for connection in uow.connections.list_all():
            begin_with_preview(ctx, uow, connection.id, all_directions(connection, BeginReason.ADOPTED))
        stopped = [run_id for run_id in uow.adoptions.about_to_write() if uow.runs.cancel(run_id, now, code=CODE)]
        detail = {"from": mark_of(former) if former else None, "to": identity.mark, "runs": len(stopped)}
        uow.audit.add(actor=by, action="house_adopted", subject="house", now=now, detail=detail)
    return stopped


# ── the comparison ────────────────────────────────────────────────────────────────────────────────────────────────


def _compare(ctx: Context) -> int:
    """Ask for the comparisons. They only read; the sweep goes on from there. Returns how many."""
    with ctx.unit_of_work() as uow:
        wanted = [
            (each, way) for each in uow.connections.list_all() for way in Direction if _can_be_compared(each, way)
        ]
        for connection, direction in wanted:
            store_run(ctx, uow, connection, _command(ctx, connection, direction))
    return len(wanted)


def _can_be_compared(connection: Connection, direction: Direction) -> bool:
    to_freee = direction.target is System.FREEE
    return not connection.paused and not (to_freee and not complete(connection.export_settings))


def _command(ctx: Context, connection: Connection, direction: Direction) -> StartRun:
    return StartRun(
        connection_key=connection.key,
        direction=direction,
        as_of_date=today_in_japan(ctx.clock.now()),
        employees=None,
        dry_run=True,
        trigger=Trigger.SCHEDULE if direction in connection.automatic.directions else Trigger.MANUAL,
        started_by=ADOPTER,
    )


def _comparisons(uow: UnitOfWork, since: datetime) -> Iterator[Comparison]:
    previews = uow.adoptions.previews_since(since)
    newest = {(run.connection_id, run.direction): run for run in map(uow.runs.get, previews) if run is not None}
    for connection in uow.connections.list_all():
        for direction in Direction:
            run = newest.get((connection.id, direction))
            waiting = uow.items.counts(run.id).get(ItemState.WAITING, 0) if run else 0
            public_id, state = (run.public_id, run.state) if run else (None, None)
            lost = noted_lost_hours(uow, run.public_id) if run else None
            yield Comparison(connection.key, direction, public_id, state, waiting, lost)
