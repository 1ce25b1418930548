"""The pulse of a child: a moment in memory that the child writes again and again, and its parent reads.

Nothing else tells a child that waits for requests from one that hangs: both live, both hold the socket. The moment is
written by the thread that reads and writes all connections, so it also stands still when another thread does not let
the interpreter go.
"""

from __future__ import annotations

import mmap
import struct
import time

_MOMENT = struct.Struct("d")


class Pulse:
    """Made before the fork. It begins with the first beat: how long the application takes to load is nobody's fault."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _MOMENT.size)  # anonymous: gone with the last process that has it

    def beat(self) -> None:
        _MOMENT.pack_into(self._shared, 0, time.monotonic())  # the same clock in all processes of a machine

    @property
    def has_begun(self) -> bool:
        return bool(_MOMENT.unpack_from(self._shared)[0])

    def stop(self) -> None:
        _MOMENT.pack_into(self._shared, 0, 0.0)

    def silent_for(self, now: float, *, since: float) -> float:
        """Seconds since the last beat, or since that moment if it is later; 0 where the pulse has not begun."""
        (moment,) = _MOMENT.unpack_from(self._shared)
        return now - max(moment, since) if moment else 0.0
