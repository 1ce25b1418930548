"""How many employees of a connection may be taken up now. Whoever is taken up only to be put back costs a job, and the
calls that it has made meanwhile are made again: nobody is handed over for a vendor that is silent, or whose permits are
used up for longer than a job waits for one."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from app.domain.ports import Outlook
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context

CALLS, FEWEST = 3, 2
"""What an employee needs of the busier vendor: mostly a reading and one request that writes, sometimes more. With fewer
than three permits left one is taken up for two, because whatever is left over is lost."""


def room_now(ctx: Context, uow: UnitOfWork, connections: Collection[int]) -> dict[int, int]:
    """Which of these connections → how many of its employees may be in hand, where that is less than `connection_jobs`.
    While a vendor is silent none, one while it is on trial, which asks first; else as many as its permits will soon do
    for. Nobody is asked about no connection."""
    if not connections:
        return {}
    at_once, tenants = ctx.settings.connection_jobs, uow.connection_facts.limiter_keys()
    keys = {connection_id: pair for connection_id, pair in tenants.items() if connection_id in connections}
    by_key = {key: _employees(each) for key, each in _outlook(ctx, keys).items()}
    for each in ctx.limiter.silences():
        by_key[each.key] = min(0 if each.seconds else 1, by_key.get(each.key, 1))
    rooms = {connection_id: min(by_key.get(key, at_once) for key in pair) for connection_id, pair in keys.items()}
    return {connection_id: room for connection_id, room in rooms.items() if room < at_once}


def _outlook(ctx: Context, keys: Mapping[int, tuple[str, ...]]) -> dict[str, Outlook]:
    wanted = {key for pair in keys.values() for key in pair}
    return ctx.limiter.outlook(wanted, most=ctx.settings.connection_jobs * CALLS)


def _employees(outlook: Outlook) -> int:
    """One also with whatever a vendor gives at best, so that the narrowest limits starve nobody."""
    enough = outlook.permits >= min(FEWEST, outlook.at_best) > 0
    return max(outlook.permits // CALLS, 1 if enough else 0)


def resting_connections(ctx: Context, uow: UnitOfWork) -> frozenset[int]:
    """Those whose vendor is silent, or has given permits just now: whoever of them waits has a reason, and nothing of
    theirs is late."""
    keys = uow.connection_facts.limiter_keys()
    resting = {each.key for each in ctx.limiter.silences() if each.seconds}
    resting |= {key for key, each in _outlook(ctx, keys).items() if each.permits < each.at_best}
    return frozenset(connection_id for connection_id, pair in keys.items() if resting.intersection(pair))
