"""How many threads of one kind work at a time. One that only waits, for a vendor or for a hash, gives its place up
meanwhile.

Python runs one thread at a time, so more threads that work make nothing faster: each only waits longer for its turn,
and so does everybody who needs what one of them holds. With 50 threads that rendered pages a health check took seconds.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_here = threading.local()


class Places:
    """So many places, given in the order in which they were asked for, and first to those who had one already: whoever
    is nearly done would wait behind every newcomer of a flood otherwise."""

    def __init__(self, number: int) -> None:
        self._lock = threading.Lock()
        self._free = number
        self._newcomers: deque[threading.Lock] = deque()
        self._returning: deque[threading.Lock] = deque()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Work in a place, after waiting for one."""
        self._take(self._newcomers)
        try:
            _here.places = self
            yield
        finally:
            _here.places = None
            self._leave()

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Wait inside for something else, without the place of this thread."""
        self._leave()
        try:
            yield
        finally:
            self._take(self._returning)

    def _take(self, waiting: deque[threading.Lock]) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            waiting.append(turn)
        turn.acquire()  # `_leave` lets us in, and the place goes straight from one to the other

    def _leave(self) -> None:
        with self._lock:
            queue = self._returning or self._newcomers
            if queue:
                queue.popleft().release()
            else:
                self._free += 1


@contextmanager
def place_given_up() -> Iterator[None]:
    """Wait inside: the place of this thread, if it has one, is somebody else's until the end."""
    places: Places | None = getattr(_here, "places", None)
    if places is None:
        yield
        return
    with places.given_up():
        yield
