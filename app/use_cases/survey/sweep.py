"""The sweep: compares all employees of a connection by lists every hour or so, because webhooks miss changes.

A sweep is one run per automatic direction, one after the other. All it needs to know stands in the database: any number
of processes may ask whether a sweep is due, a lease lets one of them start runs, and the run is stored together with
the beginning of the sweep, so a crash neither doubles nor skips one.

Where the automatic sync of a direction begins with a preview (`shared/beginnings`), its run is one. The direction is
skipped while that preview waits for a person, for as long as a run may take (RUN_DEADLINE_HOURS). So the person who
follows the notice finds the run that it names, and there is one notice a day instead of one an hour. After that time
the next sweep's preview takes its place, so that a person never approves a plan older than a day. The other direction
goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import structlog

from app.domain.enums import Direction, Trigger
from app.domain.runs.commands import StartRun
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Connection
from app.storage.automatic.rows import SweepRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.at_home import only_at_home
from app.use_cases.shared.leading import take_lead
from app.use_cases.shared.process_name import HOLDER
from app.use_cases.shared.store_run import store_run

log = structlog.get_logger(__name__)

LEADER = "sweeper"
SECONDS = 30.0
"""How often the cron process asks whether a sweep is due."""
STARTED_BY = "schedule"
DAY_BEGINS = timedelta(hours=1, minutes=10)
"""When the day of a sweep begins in Japan. SmartHR changes 在籍状況 at 01:00, so a sweep sees
the day's joiners and leavers only after that."""


@only_at_home(0)
def sweep_due(ctx: Context, *, holder: str = HOLDER) -> int:
    """Start a run for every sweep that is due, or that goes on with its other direction. Returns how many runs were
    started; 0 also when another process leads."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        if not take_lead(ctx, uow, LEADER, holder=holder, now=now, lease=timedelta(seconds=SECONDS * 3)):
            return 0
    with ctx.unit_of_work().reading() as uow:
        connections = [each for each in uow.connections.list_all() if _takes_part(each)]
    return sum(_advance(ctx, connection.id, now) for connection in connections)


def request_sweep(ctx: Context, connection_id: int) -> None:
    """Ask for a sweep of this connection. It starts as soon as no other sweep of the connection is under way."""
    with ctx.unit_of_work() as uow:
        uow.sweeps.ask(connection_id)


def _takes_part(connection: Connection) -> bool:
    return bool(connection.automatic.directions) and not connection.paused and not connection.needs_consent


def _advance(ctx: Context, connection_id: int, now: datetime) -> bool:
    """Take the next step of one connection's sweep: begin it, go on with the other direction, or end it. True: this
    step has started a run."""
    with ctx.unit_of_work() as uow:
        uow.beginnings.lock(connection_id)
        connection = uow.connections.get(connection_id)
        if connection is None or not _takes_part(connection) or uow.sweeps.has_open_run(connection_id):
            return False
        sweep = uow.sweeps.get(connection_id)
        directions = connection.automatic.directions
        free = [each for each in directions if not uow.sweeps.is_previewed(connection_id, each, now)]
        direction = _still_to_do(uow, free, connection_id, sweep)
        if direction is None:
            if sweep.started_at is not None and sweep.done_at is None:
                uow.sweeps.done(connection_id, now)
            if not free or not _is_due(ctx, connection, sweep, now):
                return False
            direction = free[0]
            uow.sweeps.started(connection_id, now)
        begins = uow.beginnings.get(connection_id, direction) is not None
        run = store_run(ctx, uow, connection, _command(connection, direction, today_in_japan(now), preview=begins))
    log.info("sweep_started", connection_id=connection_id, run_id=run.id, direction=direction.value, preview=begins)
    return True


def _still_to_do(
    uow: UnitOfWork, directions: Sequence[Direction], connection_id: int, sweep: SweepRow
) -> Direction | None:
    """A direction that has not had its turn in the sweep under way. None: there is none, or no sweep is under way."""
    if sweep.started_at is None or sweep.done_at is not None:
        return None
    begun = uow.sweeps.directions_since(connection_id, sweep.started_at)
    return next((direction for direction in directions if direction not in begun), None)


def _is_due(ctx: Context, connection: Connection, sweep: SweepRow, now: datetime) -> bool:
    if sweep.started_at is None:
        return True
    every = timedelta(minutes=connection.sweep_minutes or ctx.settings.sweep_minutes)
    return now - sweep.started_at >= every or _day_of(now) != _day_of(sweep.started_at)


def _day_of(moment: datetime) -> date:
    """The day in Japan, counted from `DAY_BEGINS` on."""
    return today_in_japan(moment - DAY_BEGINS)


def _command(connection: Connection, direction: Direction, today: date, *, preview: bool) -> StartRun:
    return StartRun(
        connection_key=connection.key,
        direction=direction,
        as_of_date=today,
        employees=None,
        dry_run=preview,
        trigger=Trigger.SCHEDULE,
        started_by=STARTED_BY,
    )
