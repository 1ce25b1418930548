"""The automatic sync of a direction begins with a preview: setting the mark, and taking it away.

While the mark stands, comparisons of the direction stop before their first write and wait for a person, what webhooks
ask for is gathered and not begun, and jobs of automatic runs from before write nothing. All of it is decided under one
lock per connection, taken before the rows of marks and runs.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from app.domain.enums import Direction
from app.domain.planning.beginning import BeginReason, beginnings_by
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Connection
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

OUTDATED = "preview_outdated"
"""Why a preview was cancelled: the settings have changed, or a newer comparison takes its place."""

REPLACED = "preview_replaced"
"""Why a preview was cancelled: whoever asked for it has asked for another one."""


def keep_settings(ctx: Context, uow: UnitOfWork, before: Connection, after: Connection) -> None:
    """Store changed settings. Where they may change the plan of somebody, the next comparison is a preview."""
    uow.beginnings.lock(before.id)
    uow.connections.set_options(after)
    begin_with_preview(ctx, uow, before.id, beginnings_by(before, after))
    for direction in set(before.automatic.directions) - set(after.automatic.directions):
        uow.attention.no_longer_by_itself(before.id, direction)
        if uow.beginnings.remove(before.id, direction):
            _withdraw(ctx, uow, before.id, direction)


def begin_with_preview(
    ctx: Context, uow: UnitOfWork, connection_id: int, reasons: Mapping[Direction, BeginReason]
) -> None:
    """Let the automatic sync of these directions begin with a preview, which is made at once. Comparisons on their way
    and previews of the settings before are cancelled; what a person has approved goes on."""
    now = ctx.clock.now()
    if reasons:
        uow.beginnings.lock(connection_id)
        uow.sweeps.ask(connection_id)
    for direction, reason in reasons.items():
        uow.beginnings.mark(connection_id, direction, reason, now=now)
        _withdraw(ctx, uow, connection_id, direction)
        log.info("begins_with_preview", connection_id=connection_id, direction=direction.value, reason=reason.value)


def look_again(ctx: Context, uow: UnitOfWork, connection_id: int) -> list[Direction]:
    """Make the previews of a connection anew, now. Returns their directions."""
    uow.beginnings.lock(connection_id)
    directions = [mark.direction for mark in uow.beginnings.all(connection_id)]
    for direction in directions:
        _withdraw(ctx, uow, connection_id, direction)
    if directions:
        uow.sweeps.ask(connection_id)
    return directions


def begun(ctx: Context, uow: UnitOfWork, run: RunRow, *, by: str) -> bool:
    """The preview of a beginning is approved, or has nothing to write: from now on the direction syncs by itself.
    False: the run is no such preview, or the settings have changed since."""
    if not run.is_beginning or not uow.beginnings.remove(run.connection_id, run.direction, begun_at=run.created_at):
        return False
    uow.runs.date_gathering(run.connection_id, run.direction, today_in_japan(ctx.clock.now()))
    connection = uow.connections.get(run.connection_id)
    subject = f"connection:{connection.key if connection else ''}"
    detail = {"direction": run.direction.value, "run": run.public_id}
    uow.audit.add(actor=by, action="automatic_begun", subject=subject, now=ctx.clock.now(), detail=detail)
    log.info("automatic_begun", connection_id=run.connection_id, run_id=run.id, direction=run.direction.value)
    return True


def all_directions(connection: Connection, reason: BeginReason) -> dict[Direction, BeginReason]:
    """Every direction that is on."""
    return dict.fromkeys(connection.automatic.directions, reason)


def _withdraw(ctx: Context, uow: UnitOfWork, connection_id: int, direction: Direction) -> None:
    for run_id in uow.beginnings.undecided(connection_id, direction):
        uow.runs.withdraw(run_id, OUTDATED, ctx.clock.now())
