"""Holding a lease while work goes on: it is renewed meanwhile, and the work can ask whether it still holds it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.use_cases.context import Context
from app.use_cases.shared.beats import beating


class LeaseLost(Exception):
    """Another worker took this work over, because this one was frozen or slow: it may write nothing more."""


class Lease:
    """The right to do one piece of work. This process holds it until a renewal changes no row."""

    def __init__(self) -> None:
        self._lost = threading.Event()

    def lose(self) -> None:
        self._lost.set()

    def check(self) -> None:
        """Raises LeaseLost when the lease is lost. A job calls this before every request that writes."""
        if self._lost.is_set():
            raise LeaseLost


@contextmanager
def held(ctx: Context, renew: Callable[[datetime], bool]) -> Iterator[Lease]:
    """Call `renew(lease_until)` three times per lease time until the block ends. When `renew` returns False, the lease
    is lost."""
    lease = Lease()

    def beat() -> bool:
        try:
            still_ours = renew(lease_end(ctx))
        except (DBAPIError, PoolTimeout):
            return True  # the database is busy or away: the next beat, or the lease's own end, decides
        if not still_ours:
            lease.lose()
        return still_ours

    with beating(beat, seconds=ctx.settings.lease_seconds / 3):
        yield lease


def lease_end(ctx: Context) -> datetime:
    return ctx.clock.now() + timedelta(seconds=ctx.settings.lease_seconds)
