"""Household: whether the database of this process belongs to the installation in whose name the process works.

A database that wakes up under another identity is a copy: it may stand beside the living original, and then whatever it
writes is written twice, and a refresh of freee's token takes the original's consent away. So a copy rests until a
person adopts it (`use_cases.upkeep.adoption`). What rests is decided in `use_cases.shared.at_home`; here is what every
process remembers, and the last check, which stands before every request that changes something at a vendor.

A database that was put back in place, under the same identity, has forgotten what people decided since: who was
declined, which connection was paused. It is known by its count of beats, which is lower than the one remembered outside
(`safety.high_water`). Neither PostgreSQL's own marks would do: a timeline changes with every failover, and the numbers
of system and database stay as they are in a restore to a point in time, but not when a server moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from app.domain.errors import TemporaryError
from app.domain.ports import Clock
from app.safety.high_water import Count, HighWater
from app.safety.identity import Identity, mark_of
from app.storage.outages import OUTAGES
from app.storage.unit_of_work import UnitOfWork

KEPT_SECONDS = 30.0
"""How long a process goes on with what it has read; its heartbeat reads anew more often."""
RESTING_SECONDS = 2.0
"""The same while it rests, so that it wakes up soon after the adoption."""
RETRY_SECONDS = 60.0
BEAT = timedelta(seconds=30)
LOST_BEATS = 10
"""So many beats, five minutes of work, a database may lose without being taken for one that was put back: a failover to
a replica that lags loses some seconds."""
CODE = "house_rests"


class Standing(StrEnum):
    AT_HOME = "at_home"
    UNCLAIMED = "unclaimed"  # belongs to nobody yet: the first process that stays, or writes, claims it
    COPY = "copy"  # belongs to another identity
    RESTORED = "restored"  # belongs to this identity, and has gone back to an earlier state
    NO_IDENTITY = "no_identity"  # this process has no identity, so nobody knows whether it is at home
    UNMIGRATED = "unmigrated"

    @property
    def rests(self) -> bool:
        return self in (Standing.COPY, Standing.RESTORED, Standing.NO_IDENTITY)


class Household:
    """Of one process. `identity`: None where the file could not be read or made. `high_water`: None where nothing is
    remembered outside the database."""

    def __init__(
        self,
        identity: Identity | None,
        unit_of_work: Callable[[], UnitOfWork],
        clock: Clock,
        high_water: HighWater | None = None,
    ) -> None:
        self.identity = identity
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._high_water = high_water or HighWater(())
        self._known = Standing.UNMIGRATED
        self._kept_until = 0.0
        self.owner: str | None = None
        """The mark of the house to which the database belongs, as it was read last; None while it belongs to nobody."""
        self.others: tuple[str, ...] = ()
        """Processes that live on this database in the name of another house, as the heartbeat saw them last."""

    @property
    def mark(self) -> str | None:
        """By which the houses are told apart; None without an identity."""
        return None if self.identity is None else self.identity.mark

    def standing(self) -> Standing:
        """As it was read lately. Raises what a database raises that does not answer, when nothing is known."""
        return self._known if time.monotonic() < self._kept_until else self.look()

    def shown(self) -> Standing:
        """As `standing`, for pages: while the database does not answer, what was known last."""
        try:
            return self.standing()
        except OUTAGES:
            return self._known

    def look(self) -> Standing:
        """Read it now."""
        with self._unit_of_work().reading() as uow:
            found = self._found(uow)
        rests = found.rests or found is Standing.UNMIGRATED
        self._known, self._kept_until = found, time.monotonic() + (RESTING_SECONDS if rests else KEPT_SECONDS)
        return found

    def claim(self) -> Standing:
        """As `look`; a database that belongs to nobody is claimed."""
        if self.look() is Standing.UNCLAIMED and self.identity is not None:
            with self._unit_of_work() as uow:
                uow.houses.claim(self.identity.digest, self._clock.now())
            self.look()
        return self._known

    def beat(self) -> None:
        """Count that this house goes on, in the database and outside. Nothing is counted while it is not at home."""
        if self._known is not Standing.AT_HOME:
            return
        now = self._clock.now()
        with self._unit_of_work().reading() as uow:
            row = uow.houses.get()
        if row is not None and (row.beat_at is None or row.beat_at <= now - BEAT):
            with self._unit_of_work() as uow:
                uow.houses.beat(now, last_before=now - BEAT)
                row = uow.houses.get()
        if row is not None:
            self._high_water.note(Count(row.since, row.beats))

    def require(self) -> None:
        """The check before every request that changes something outside. Raises TemporaryError when this process is not
        at home: nothing is sent, and it counts as nobody's failure."""
        if self.standing() is not Standing.AT_HOME and self.claim() is not Standing.AT_HOME:
            raise TemporaryError(CODE, self._known.value, retry_after=RETRY_SECONDS, counts=False)

    def _found(self, uow: UnitOfWork) -> Standing:
        if self._known is Standing.UNMIGRATED and not uow.houses.is_there():
            return Standing.UNMIGRATED
        row = uow.houses.get()
        self.owner = None if row is None else mark_of(row.digest)
        if self.identity is None:
            return Standing.NO_IDENTITY
        if row is None:
            return Standing.UNCLAIMED
        if row.digest != self.identity.digest:
            return Standing.COPY
        gone_back = has_gone_back(Count(row.since, row.beats), self._high_water)
        return Standing.RESTORED if gone_back else Standing.AT_HOME


def has_gone_back(found: Count, high_water: HighWater) -> bool:
    """Whether a database with this count is an earlier state of the one that is remembered."""
    remembered = high_water.highest()
    return remembered is not None and replace(found, beats=found.beats + LOST_BEATS) < remembered
