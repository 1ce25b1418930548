"""Troubles, for operators: shows which employees keep failing for one cause in automatic runs, and lets automatic runs
try them again."""

from __future__ import annotations

from collections.abc import Collection

import structlog

from app.domain.enums import Trigger
from app.domain.error_catalogue.catalogue import Place
from app.domain.errors import Refused, Sentence
from app.domain.settings.recipients import Language
from app.storage.automatic.rows import TroubleRow
from app.storage.repository import as_row
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.views import TroubleView

log = structlog.get_logger(__name__)


def list_troubles(ctx: Context, connection_key: str) -> list[TroubleView]:
    """The troubles of a connection in the order they began. Raises Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, connection_key)
        return [_view(ctx, row) for row in uow.troubles.of_connection(connection.id)]


def lift_troubles(ctx: Context, connection_key: str, *, numbers: Collection[str] | None = None) -> list[TroubleView]:
    """Forget the troubles of these employee numbers (None: of all employees of the connection), so that the next
    webhook or sweep takes these employees up again. Items that rest because writing them twice has not helped are
    written once more. Returns the troubles that were lifted. Raises Refused: unknown connection, or a number without
    trouble."""
    with ctx.unit_of_work() as uow:
        connection = known_connection(uow, connection_key)
        rows = uow.troubles.of_connection(connection.id)
        missing = set(numbers or ()) - {row.employee_number for row in rows}
        if missing:
            raise Refused(
                "unknown_trouble",
                status=404,
                fields=dict.fromkeys(sorted(missing), Sentence("fields.trouble")),
            )
        lifted = [row for row in rows if numbers is None or row.employee_number in numbers]
        for row in lifted:
            uow.troubles.resolve(connection.id, row.direction, [row.source_id])
            uow.links.try_again(connection.id, direction=row.direction, source_ids=[row.source_id])
        subject, detail = f"connection:{connection_key}", {"employees": len(lifted)}
        uow.audit.add(action="troubles_lifted", subject=subject, now=ctx.clock.now(), detail=detail)
    log.info("troubles_lifted", connection_id=connection.id, employees=len(lifted))
    return [_view(ctx, row) for row in lifted]


def release_cause(ctx: Context, connection_key: str, *, code: str, by: str) -> int:
    """End the quarantine of all employees whom this cause has put there. The next webhook or sweep takes them up again.
    Returns how many they are. Raises Refused: unknown connection, or no employee is in quarantine for this
    cause."""
    with ctx.unit_of_work() as uow:
        connection = known_connection(uow, connection_key)
        rows = [row for row in uow.troubles.of_connection(connection.id) if row.quarantined_at and row.code == code]
        for row in rows:
            uow.links.try_again(connection.id, direction=row.direction, source_ids=[row.source_id])
        released = uow.troubles.release(connection.id, code)
        if not released:
            raise Refused("nobody_in_quarantine", status=409)
        uow.audit.add(
            actor=by,
            action="quarantine_released",
            subject=f"connection:{connection_key}",
            now=ctx.clock.now(),
            detail={"code": code, "employees": released},
        )
    log.info("quarantine_released", connection_id=connection.id, code=code, employees=released)
    return released


def _view(ctx: Context, row: TroubleRow) -> TroubleView:
    where = Place(row.direction, Trigger.SCHEDULE)  # only automatic runs leave anybody alone
    say = ctx.wording(Language.JAPANESE)
    return as_row(TroubleView, row, message=say.message(row.code, where), remedy=say.remedy(row.code, where) or None)
