"""Keeps the time of a process: lets it follow the database's clock, and says when the clock of its host is wrong."""

from __future__ import annotations

import structlog

from app.use_cases.context import Context
from app.use_cases.shared.leading import is_skewed, own_skew

log = structlog.get_logger(__name__)


class Timekeeping:
    """Of one process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._told = False

    def keep(self) -> float | None:
        """Ask the database for its time. Returns the skew of this host, None while it is not known; a change from right
        to wrong, and back, is told once."""
        if self._ctx.steered_clock is not None:
            self._ctx.steered_clock.follow()
        skew = own_skew(self._ctx)
        if skew is not None and is_skewed(skew) is not self._told:
            self._told = not self._told
            if self._told:
                log.error("clock_skewed", skew_seconds=round(skew, 1), leads=False)
            else:
                log.info("clock_right_again", skew_seconds=round(skew, 1))
        return skew
