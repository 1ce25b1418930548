"""Token keeping: renews freee's pairs of tokens before their access tokens end, one after the other, through one door.

Every connection has a moment of its own in the last third of its token's life
(`domain.vendors.token_door.renewal_due_at`), so
that many connections never ask freee together. A refresh token lives 90 days, so the pairs of idle connections are
renewed as well.
"""

from __future__ import annotations

import time

import structlog

from app.domain.enums import System
from app.domain.errors import RunError, TemporaryError
from app.domain.vendors.token_door import renewal_due_at
from app.storage.vault import VaultError
from app.use_cases.connections.connections import check_system
from app.use_cases.context import Context
from app.use_cases.finish.notices import hold_for_consent
from app.use_cases.shared.at_home import only_at_home

log = structlog.get_logger(__name__)

KEEP_SECONDS = 10.0
"""How often the cron process looks for pairs that are due: often, because freee's endpoint, when it limits us, lets
only a few requests through each minute."""
DOUBT_SECONDS = 120.0
"""How often the cron process looks at a renewal in doubt: seldom, because each look is a call to freee."""
TURN_SECONDS = 15.0
"""How long one turn lasts at most: the other periodic jobs of the process must not wait for a slow endpoint."""


@only_at_home(0)
def keep_tokens_alive(ctx: Context) -> int:
    """Renew the pairs that are due, until the door closes or the turn is over. The pair that ends first comes first.
    Returns how many were renewed. The other pairs wait for the next turn, and no work is refused meanwhile."""
    now = ctx.clock.now()
    with ctx.unit_of_work().reading() as uow:
        pairs = uow.connections.pairs_to_keep()
    due = [
        each.connection_id
        for each in pairs
        if renewal_due_at(each.connection_id, issued_at=each.issued_at, expires_at=each.expires_at) <= now
    ]
    renewed, end = 0, time.monotonic() + TURN_SECONDS
    for connection_id in due:
        if time.monotonic() > end:
            break
        try:
            renewed += _keep(ctx, connection_id)
        except TemporaryError as error:
            log.info("tokens_wait", connections=len(due) - renewed, seconds=error.retry_after, code=error.code)
            break
    return renewed


@only_at_home(0)
def settle_doubts(ctx: Context) -> int:
    """Find out for every connection in doubt whether freee has carried out its last renewal. One call to freee tells:
    while the old access token works, the renewal has not happened. Returns how many connections were asked for."""
    with ctx.unit_of_work().reading() as uow:
        doubtful = uow.connections.refreshes_in_doubt(ctx.clock.now())
        connections = [connection for each in doubtful if (connection := uow.connections.get(each))]
    for connection in connections:
        check = check_system(ctx, connection, System.FREEE)
        log.info("token_doubt_settled", connection_id=connection.id, ok=check.ok, code=check.code)
        if check.code == "needs_consent":
            hold_for_consent(ctx, connection.id)
    return len(connections)


def _keep(ctx: Context, connection_id: int) -> int:
    """Renew one connection's pair. 1: renewed now, 0: not. Raises TemporaryError when no pair can be renewed at the
    moment, because the door to freee's endpoint is closed or busy."""
    with ctx.unit_of_work().reading() as uow:
        connection = uow.connections.get(connection_id)
    if connection is None:
        return 0
    try:
        done = ctx.keep_alive(connection)
    except VaultError as error:  # only this pair is locked, so the others have their turn
        log.warning("token_not_kept", connection_id=connection_id, code=error.code)
        return 0
    except RunError as error:
        log.warning("token_not_kept", connection_id=connection_id, code=error.code)
        if error.needs_consent:
            hold_for_consent(ctx, connection_id)
        return 0
    log.info("token_kept_alive", connection_id=connection_id, renewed=done)
    return int(done)
