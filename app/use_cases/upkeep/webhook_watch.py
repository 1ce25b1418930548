"""Watches the webhook registrations at SmartHR: the cron process checks them, and a mail tells when SmartHR is
silent."""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog

from app.domain.errors import AwaseError
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Automatic, Connection
from app.use_cases.connections.webhook_registration import check_webhook
from app.use_cases.context import Context
from app.use_cases.finish.notices import tell_webhook_silent
from app.use_cases.shared.at_home import only_at_home
from app.use_cases.shared.leading import take_lead

log = structlog.get_logger(__name__)

CHECK_SECONDS = 900.0
LEADER = "webhook_check"


@only_at_home(0)
def check_webhooks(ctx: Context) -> int:
    """Check every automatic connection that has a registration; one mail tells when SmartHR no longer sends to it.
    Returns how many connections were checked.

    One process per period does this. When SmartHR does not answer, the stored state stays.
    """
    now = ctx.clock.now()
    lease = timedelta(seconds=CHECK_SECONDS - 60)  # shorter than the period: the next turn is not missed
    with ctx.unit_of_work() as uow:
        if not take_lead(ctx, uow, LEADER, holder=uuid.uuid4().hex, now=now, lease=lease):
            return 0
    with ctx.unit_of_work().reading() as uow:
        registered = uow.webhook_registrations.states()
        connections = [
            each for each in uow.connections.list_all() if each.id in registered and each.automatic is not Automatic.OFF
        ]
    for connection in connections:
        _look_after(ctx, connection)
    return len(connections)


def _look_after(ctx: Context, connection: Connection) -> None:
    bound = log.bind(connection_id=connection.id)
    try:
        check = check_webhook(ctx, connection)
    except AwaseError as error:
        bound.warning("webhook_check_failed", code=error.code)
        return
    if check.ok or not check.registered:
        return
    bound.warning("webhook_silent", state=check.state.value)
    day = today_in_japan(ctx.clock.now())
    occasion = check.disabled_at.isoformat() if check.disabled_at else f"{check.state.value}-{day.isoformat()}"
    tell_webhook_silent(ctx, connection.id, occasion=occasion)
