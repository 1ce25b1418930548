"""Keeps in mind whether a process is at home: claims a database that belongs to nobody, and says once when it rests."""

from __future__ import annotations

from datetime import timedelta

import structlog

from app.use_cases.context import Context
from app.use_cases.household import Standing

SILENT_SECONDS = 60.0
"""Six beats: a process that stands still for a while, or waits for a locked database, does not count as ended."""

log = structlog.get_logger(__name__)


class Homekeeping:
    """Of one process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._told = Standing.AT_HOME

    def keep(self) -> Standing:
        """Read where the process stands. A change, for the worse or back, is told once."""
        household = self._ctx.household
        standing = household.claim()
        household.beat()
        self._look_for_others()
        if standing.rests and standing is not self._told:
            log.error(
                "house_rests",
                why=standing.value,
                house=household.mark,
                database_of=household.owner,
                remedy="flask house adopt",
            )
        elif self._told.rests and standing is Standing.AT_HOME:
            log.warning("house_awake", house=household.mark)
        self._told = standing
        return standing

    def _look_for_others(self) -> None:
        """Note the living processes of another house. While there are any, both houses say so."""
        household, before = self._ctx.household, self._ctx.household.others
        household.others = others_of(self._ctx)
        if household.others and not before:
            log.error("two_houses", house=household.mark, others=household.others)


def others_of(ctx: Context) -> tuple[str, ...]:
    """The living processes of another house on this database. A process of a version that has no house is none."""
    with ctx.unit_of_work().reading() as uow:
        rows = uow.processes.living(ctx.clock.now() - timedelta(seconds=SILENT_SECONDS))
    return tuple(row.name for row in rows if row.house not in (None, ctx.household.mark))
