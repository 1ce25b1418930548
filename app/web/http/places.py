"""How many requests of one kind work at a time. One that only waits, for a vendor, gives its place up meanwhile.

Python runs one thread at a time, so more threads that work make nothing faster: each only waits longer for its turn,
and so does everybody who needs what one of them holds. With 50 threads that rendered pages a health check took seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_here = threading.local()


class Places:
    """So many places. The web server has one of these for pages and one for programs."""

    def __init__(self, number: int) -> None:
        self._free = threading.BoundedSemaphore(number)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Work in a place, after waiting for one."""
        with self._free:
            _here.place = self._free
            try:
                yield
            finally:
                _here.place = None


@contextmanager
def place_given_up() -> Iterator[None]:
    """Wait inside: the place of this thread is somebody else's until the end, and then one has to be free again."""
    place = getattr(_here, "place", None)
    if place is None:
        yield
        return
    place.release()
    try:
        yield
    finally:
        place.acquire()
