"""Which connections have something to do, asked of the system at a price that does not grow with those that rest.

waitress goes through all connections several times per request: with 900 half-open ones that alone is half of what the
process can do. Here a connection is looked at only while something happens with it; one that rests is known to the
system (epoll, kqueue) and wakes us when it speaks.
"""

from __future__ import annotations

import selectors
from typing import Any

from waitress import wasyncore

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Rounds(dict[int, Any]):
    """waitress's map of sockets: file → dispatcher, which says whether it wants to read or write. For one thread."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = selectors.DefaultSelector()
        self._wanted: dict[int, int] = {}
        """File → what it is registered for; 0: not registered."""
        self._awake: dict[int, Any] = {}
        """Whoever may want something else by now, because a thread works for it or something has come."""

    def __setitem__(self, file: int, watched: Any) -> None:
        super().__setitem__(file, watched)
        self._wanted[file] = 0
        self._awake[file] = watched

    def __delitem__(self, file: int) -> None:
        """Called before the file is closed."""
        super().__delitem__(file)
        self._awake.pop(file, None)
        if self._wanted.pop(file):
            self._selector.unregister(file)

    def play(self, seconds: float) -> None:
        """Wait at most so long for something to happen, and deal with it."""
        for file, watched in list(self._awake.items()):
            self._register(file, watched)
        for key, events in self._selector.select(seconds):
            if events & READ and self.get(key.fd) is key.data:  # else an event before this one has closed it
                self._awake[key.fd] = key.data
                wasyncore.read(key.data)
            if events & WRITE and self.get(key.fd) is key.data:
                self._awake[key.fd] = key.data
                wasyncore.write(key.data)

    def _register(self, file: int, watched: Any) -> None:
        has = self._wanted[file]
        wants = (READ if watched.readable() else 0) | (WRITE if watched.writable() else 0)
        if wants == READ and not watched.accepting:
            self._awake.pop(file, None)  # rests: only its client can change that
        if wants == has:
            return
        if not has:
            self._selector.register(file, wants, watched)
        elif wants:
            self._selector.modify(file, wants, watched)
        else:
            self._selector.unregister(file)
        self._wanted[file] = wants
