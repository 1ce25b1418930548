"""Beats: something that has to be done again and again while work goes on, such as renewing a lease.

One thread does this for all the work of a process, because most work ends before its first beat. Where a beat takes
long (the database is away, or a row is locked), the others are not late: a second thread stands by.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MOST_THREADS = 8
"""So many beats of one process may be under way at once."""
_NEVER = float("inf")


@contextmanager
def beating(beat: Callable[[], bool], *, seconds: float) -> Iterator[None]:
    """Call `beat` every so many seconds until it returns False or the block ends. None is under way after the block.
    An exception of `beat` ends its own calls only."""
    keeper, work = _keeper, _Work(beat, seconds)
    keeper.add(work)
    try:
        yield
    finally:
        keeper.remove(work)


class _Work:
    def __init__(self, beat: Callable[[], bool], seconds: float) -> None:
        self._beat, self._seconds = beat, seconds
        self._beats = threading.Lock()
        self.ended = False
        self.due = time.monotonic() + seconds

    def beat(self) -> None:
        with self._beats:
            self.ended = self.ended or not self._beat()
            self.due = time.monotonic() + self._seconds

    def end(self) -> None:
        """Wait for a beat that is under way; none follows."""
        with self._beats:
            self.ended = True


class _Keeper:
    """Knows what beats in this process. Its threads never end: they wait for the next beat."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._beating: set[_Work] = set()
        self._threads = self._idle = 0
        self._wakes_at = _NEVER

    def add(self, work: _Work) -> None:
        with self._changed:
            self._beating.add(work)
            self._stand_by()
            if work.due < self._wakes_at:
                self._changed.notify()

    def remove(self, work: _Work) -> None:
        work.end()
        with self._changed:
            self._beating.discard(work)

    def _stand_by(self) -> None:
        """See to it that a thread waits for the next beat."""
        if not self._idle and self._threads < MOST_THREADS:
            self._threads += 1
            self._idle += 1
            threading.Thread(target=self._keep, name="beats", daemon=True).start()

    def _keep(self) -> None:
        try:
            while True:
                work = self._next()
                work.beat()
                with self._changed:
                    self._idle += 1
                    if not work.ended:
                        self._beating.add(work)
        finally:  # a beat has raised
            with self._changed:
                self._threads -= 1
                self._stand_by()

    def _next(self) -> _Work:
        """Wait until a beat is due, and take it. Another thread stands by for the others meanwhile."""
        with self._changed:
            while True:
                first = min(self._beating, key=lambda work: work.due, default=None)
                self._wakes_at = first.due if first else _NEVER
                seconds = self._wakes_at - time.monotonic()
                if first is not None and seconds <= 0:
                    self._beating.remove(first)
                    self._idle -= 1
                    self._wakes_at = _NEVER
                    self._stand_by()
                    self._changed.notify()
                    return first
                self._changed.wait(None if first is None else seconds)


_keeper = _Keeper()


def _begin_anew() -> None:
    global _keeper
    _keeper = _Keeper()


os.register_at_fork(after_in_child=_begin_anew)  # the parent's threads are not in the child
