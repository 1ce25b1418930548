"""A loop that calls one function again and again until it is told to stop, and survives a database that is away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

import structlog

from app.domain.errors import TemporaryError
from app.signals import ignore_hangups
from app.supervision import Watchdog
from app.use_cases.shared.outages import OUTAGES, met

log = structlog.get_logger(__name__)

_LONGEST_PAUSE = 5.0


class Stop:
    """The wish to stop, set by SIGTERM or SIGINT; a loop waits for it as the pause between two rounds."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def on_signals(self) -> Stop:
        ignore_hangups()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)
        return self

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked.set()

    def ask(self) -> None:
        self._asked.set()

    def wait(self, seconds: float) -> bool:
        """Wait up to so many seconds. True once the process has been asked to stop."""
        return self._asked.wait(seconds)


def run_loop(work: Callable[[], object], *, pause: float, stop: Stop) -> None:
    """Call `work` and pause, until asked to stop. A database that is away or locked, or a value whose key is missing,
    only makes the pauses longer: a process that waits for it is well, and the service manager is told so."""
    failures, watchdog = 0, Watchdog()
    while True:
        try:
            work()
            failures = 0
        except OUTAGES as error:
            failures += 1
            met(error)
        except TemporaryError as error:
            failures += 1
            log.warning("loop_waits", code=error.code, failures=failures)
        watchdog.went_round()
        if stop.wait(min(pause * 2**failures, max(pause, _LONGEST_PAUSE))):
            return
