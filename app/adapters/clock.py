"""FollowingClock: the time of the database, told without asking for it at each use.

Leases, due times and leaderships of several hosts stand in one database, so one clock has to decide about them: the
database's. A process asks for it at its start and at each heartbeat and goes on from there by the monotonic clock of
its host, which nobody sets. So a host whose clock is wrong does all as the others do, and how wrong it is, is known.

The time of a process that follows never jumps back. When the reference does (somebody has corrected it), the process
goes on at half the pace until the reference has come up with it. (Not chosen: to stand still meanwhile. Then a pause of
a second would last as long as the whole correction.)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from app.domain.ports import ClockReading

USELESS_SECONDS = 2.0
"""A round trip as long as this tells too little to correct a clock that is known already."""
ASK_AGAIN_SECONDS = 5.0
"""After the database has not answered, so long the host's own clock has to do before it is asked again."""
_CATCHING_UP = 0.5
"""The pace at which a clock goes that is ahead of the reference."""


@dataclass(frozen=True)
class _Course:
    """How the time follows from the monotonic clock. `ahead`: seconds by which we were ahead of the reference at the
    monotonic moment `since`."""

    offset: float
    ahead: float = 0.0
    since: float = 0.0

    def reference(self, moment: float) -> float:
        return moment + self.offset

    def told(self, moment: float) -> float:
        left = self.ahead - (moment - self.since) * _CATCHING_UP if self.ahead else 0.0
        return self.reference(moment) + max(left, 0.0)

    def corrected(self, moment: float, reference: float) -> _Course:
        """The course from this moment on, at which the reference shows that time."""
        return _Course(reference - moment, max(self.told(moment) - reference, 0.0), moment)


class FollowingClock:
    """The ports `Clock` and `SteeredClock`. `read`: asks the database, None when it does not answer; without `read`
    the host's clock is the reference, as for SQLite, which is on the same host."""

    def __init__(
        self,
        read: Callable[[], ClockReading | None] | None = None,
        *,
        host: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._host, self._monotonic = read, host, monotonic
        self._course = _Course(host() - monotonic())
        self._follows = False
        self._ask_at = 0.0
        self._turn = threading.Lock()

    def now(self) -> datetime:
        """The instant now, aware, UTC."""
        if self._read is None:
            self._correct(self._host(), self._monotonic())
        elif not self._follows:
            self._begin()
        return datetime.fromtimestamp(self._course.told(self._monotonic()), UTC)

    def sleep(self, seconds: float) -> None:
        """Let this thread wait."""
        time.sleep(seconds)

    def follow(self) -> None:
        """Ask the database. While it does not answer, the time goes on as before."""
        reading = self._read() if self._read is not None else None
        if reading is None:
            return
        error = (reading.answered - reading.asked) / 2
        theirs = reading.theirs.timestamp() + error
        off = abs(theirs - self._course.reference(reading.answered))
        if self._follows and (error * 2 > USELESS_SECONDS or off <= error):
            return  # nothing that this reading could show
        if self._follows:
            self._correct(theirs, reading.answered)
        else:  # what was told before was the host's time, and is no reason to go slow
            self._course = _Course(theirs - reading.answered)
        self._follows = True

    @property
    def skew(self) -> float | None:
        if self._read is None:
            return 0.0
        if not self._follows:
            return None
        return self._host() - self._course.reference(self._monotonic())

    def _begin(self) -> None:
        """Follow from the first use on. Whoever comes meanwhile waits, so that nobody works by the host's clock."""
        with self._turn:
            if not self._follows and self._monotonic() >= self._ask_at:
                self.follow()
                self._ask_at = self._monotonic() + ASK_AGAIN_SECONDS

    def _correct(self, reference: float, moment: float) -> None:
        self._course = self._course.corrected(moment, reference)
