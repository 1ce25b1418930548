"""Keeps every table within its bounds (`storage.upkeep.bounds`): in small transactions, every few minutes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog

from app.storage.unit_of_work import UnitOfWork
from app.storage.upkeep.bounds import BOUNDED, Bound
from app.use_cases.context import Context
from app.use_cases.shared.at_home import only_at_home
from app.use_cases.shared.leading import take_lead

log = structlog.get_logger(__name__)

_NOTHING: dict[str, int] = {}

SECONDS = 300.0
"""How often. In between a table grows by what comes in meanwhile."""
LEADER = "bounds"


@only_at_home(_NOTHING)
def keep_bounds(ctx: Context, bounds: Sequence[Bound] = BOUNDED) -> dict[str, int]:
    """Delete what is too old or too much. Returns table → rows deleted, {} when another process has just done it."""
    now = ctx.clock.now()
    lease = timedelta(seconds=SECONDS - 60)  # shorter than the period: the next turn is not missed
    with ctx.unit_of_work() as uow:
        if not take_lead(ctx, uow, LEADER, holder=uuid.uuid4().hex, now=now, lease=lease):
            return {}
    deleted: dict[str, int] = {}
    for bound in bounds:
        if count := _keep(ctx, bound):
            deleted[bound.table] = deleted.get(bound.table, 0) + count
    if deleted:
        log.info("bounds_kept", **deleted)
    return deleted


def _keep(ctx: Context, bound: Bound) -> int:
    now = ctx.clock.now()
    count = _in_portions(ctx, lambda uow: uow.bounds.forget_old(bound, now))
    with ctx.unit_of_work().reading() as uow:
        crowds = uow.bounds.crowds(bound)
    return count + sum(_thin_out(ctx, bound, owner) for owner in crowds)


def _thin_out(ctx: Context, bound: Bound, owner: tuple[Any, ...]) -> int:
    return _in_portions(ctx, lambda uow: uow.bounds.thin_out(bound, owner))


def _in_portions(ctx: Context, delete: Callable[[UnitOfWork], int]) -> int:
    total, gone = 0, 1
    while gone:
        with ctx.unit_of_work() as uow:
            gone = delete(uow)
        total += gone
    return total
