"""Readiness: whether Awase can accept requests (needs the database) and hand their work on (needs the broker)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain.errors import TemporaryError
from app.use_cases.context import Context


@dataclass(frozen=True)
class Readiness:
    database: bool
    migrated: bool
    broker: bool


def check_readiness(ctx: Context) -> Readiness:
    """Ask database and broker once each. When one of them is away, the result says so and no error is raised."""
    database, migrated = database_state(ctx)
    return Readiness(database=database, migrated=migrated, broker=_broker_answers(ctx))


def database_state(ctx: Context) -> tuple[bool, bool]:
    """(the database answers, its tables are migrated to what this version of the code needs)."""
    try:
        with ctx.unit_of_work().reading() as uow:
            return True, uow.metrics.is_migrated()
    except (OperationalError, PoolTimeout):
        return False, False


def _broker_answers(ctx: Context) -> bool:
    try:
        ctx.job_queue.depths()
    except TemporaryError:
        return False
    return True
