"""Household: whether the database of this process belongs to the installation in whose name the process works.

A database that wakes up under another identity is a copy: it may stand beside the living original, and then whatever it
writes is written twice, and a refresh of freee's token takes the original's consent away. So a copy rests until a
person adopts it (`use_cases.upkeep.adoption`). What rests is decided in `use_cases.shared.at_home`; here is what every
process remembers, and the last check, which stands before every request that changes something at a vendor.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

from app.domain.errors import TemporaryError
from app.domain.ports import Clock
from app.safety.identity import Identity, mark_of
from app.storage.outages import OUTAGES
from app.storage.unit_of_work import UnitOfWork

KEPT_SECONDS = 30.0
"""How long a process goes on with what it has read; its heartbeat reads anew more often."""
RESTING_SECONDS = 2.0
"""The same while it rests, so that it wakes up soon after the adoption."""
RETRY_SECONDS = 60.0
CODE = "house_rests"


class Standing(StrEnum):
    AT_HOME = "at_home"
    UNCLAIMED = "unclaimed"  # belongs to nobody yet: the first process that stays, or writes, claims it
    COPY = "copy"  # belongs to another identity
    NO_IDENTITY = "no_identity"  # this process has no identity, so nobody knows whether it is at home
    UNMIGRATED = "unmigrated"

    @property
    def rests(self) -> bool:
        return self in (Standing.COPY, Standing.NO_IDENTITY)


class Household:
    """Of one process. `identity`: None where the file could not be read or made."""

    def __init__(self, identity: Identity | None, unit_of_work: Callable[[], UnitOfWork], clock: Clock) -> None:
        self.identity = identity
        self._unit_of_work = unit_of_work
        self._clock = clock
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
        return Standing.AT_HOME if row.digest == self.identity.digest else Standing.COPY
