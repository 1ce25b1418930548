"""How many employees of a connection may be taken up now. Whoever is taken up only to be put back costs a job, and the
calls that it has made meanwhile are made again: nobody is handed over for a vendor that is silent, or whose permits are
used up for longer than a job waits for one."""

from __future__ import annotations

from app.domain.ports import Outlook
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context

CALLS = 3
"""What most employees need of the busier vendor: both readings, and one request that writes."""


def room_now(ctx: Context, uow: UnitOfWork) -> dict[int, int]:
    """Connection → how many of its employees may be in hand, where that is less than `connection_jobs`. While a vendor
    is silent none, one while it is on trial, which asks first; else as many as its permits will soon do for."""
    at_once = ctx.settings.connection_jobs
    keys = uow.connection_facts.limiter_keys()
    silent = {each.key: 0 if each.seconds else 1 for each in ctx.limiter.silences()}
    outlook = ctx.limiter.outlook({key for pair in keys.values() for key in pair}, most=at_once * CALLS)
    by_key = silent | {key: min(_employees(each), silent.get(key, at_once)) for key, each in outlook.items()}
    rooms = {connection_id: min(by_key.get(key, at_once) for key in pair) for connection_id, pair in keys.items()}
    return {connection_id: room for connection_id, room in rooms.items() if room < at_once}


def _employees(outlook: Outlook) -> int:
    """One with whatever a vendor gives at best, so that the narrowest limits starve nobody."""
    enough = outlook.permits >= min(CALLS, outlook.at_best) > 0
    return max(outlook.permits // CALLS, 1 if enough else 0)


def resting_connections(ctx: Context, uow: UnitOfWork) -> frozenset[int]:
    """Those of which nobody may be taken up now, so that nothing of theirs is late."""
    return frozenset(connection_id for connection_id, room in room_now(ctx, uow).items() if not room)
