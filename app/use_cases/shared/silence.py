"""Which connections rest because one of their vendors is silent."""

from __future__ import annotations

from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context


def room_beside_silence(ctx: Context, uow: UnitOfWork) -> dict[int, int]:
    """Connection → how many of its employees may be in hand while one of its vendors is silent: none, so that none is
    taken up only to be put back; one while the vendor is on trial, which asks first."""
    silences = {each.key: each for each in ctx.limiter.silences()}
    found = {}
    for connection_id, keys in uow.connection_facts.limiter_keys().items() if silences else ():
        mine = [silences[key] for key in keys if key in silences]
        if mine:
            found[connection_id] = 0 if any(each.seconds for each in mine) else 1
    return found


def resting_connections(ctx: Context, uow: UnitOfWork) -> frozenset[int]:
    return frozenset(room_beside_silence(ctx, uow))
