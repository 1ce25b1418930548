"""Who leads: of the processes that do a periodic job, the one that holds a lease by name, and whose clock is right.

A process goes by the database's clock, so a wrong clock of its host does no harm that we know of. Yet what such a host
does by its own clock (logs, certificates, other programs) is not to be trusted, and a leader acts on everybody's work.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context

SKEW_SECONDS = 3.0
"""Far beyond what a measurement over a network errs by, and what a clock under NTP is off by."""


def take_lead(ctx: Context, uow: UnitOfWork, name: str, *, holder: str, now: datetime, lease: timedelta) -> bool:
    """Lead, or go on leading, for the time of the lease. False: another process leads, or our clock is wrong."""
    return not is_skewed(own_skew(ctx)) and uow.leader.take(name, holder=holder, now=now, lease_until=now + lease)


def own_skew(ctx: Context) -> float | None:
    """Seconds by which the clock of this host is ahead of the database's. None: not known, so nobody may trust it."""
    return ctx.steered_clock.skew if ctx.steered_clock is not None else 0.0


def is_skewed(skew: float | None) -> bool:
    return skew is None or abs(skew) > SKEW_SECONDS
