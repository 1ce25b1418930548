"""What a process tells systemd that has started it (Type=notify): that it is ready, and that it still goes round.

It is the protocol of sd_notify(3), one datagram, without its library. Without NOTIFY_SOCKET nothing is told.
"""

from __future__ import annotations

import os
import socket
import time

import structlog

log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 1.0


class Watchdog:
    """Tells of the rounds of one process, at most once a second. Only of the main one: systemd believes no other."""

    def __init__(self) -> None:
        self._next = 0.0

    def went_round(self) -> None:
        """The process is ready (told each time: a manager that was started anew has forgotten it) and does not hang."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PAUSE_SECONDS
            tell("READY=1\nWATCHDOG=1")


def tell(words: str) -> None:
    """Tell the service manager, if there is one. A manager that does not listen ends nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    path = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as way:
        try:
            way.sendto(words.encode(), path)
        except OSError as error:
            log.warning("service_manager_away", kind=type(error).__name__)
