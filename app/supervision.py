"""What a process tells whoever has started it: that it is ready, and that it still goes round.

systemd (Type=notify) hears it by the protocol of sd_notify(3): one datagram to NOTIFY_SOCKET, without its library. A
container's health check looks how old ALIVE_FILE is. Without these variables nothing is told.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

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
            touch()


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


def touch() -> None:
    """Leave a sign of life for a health check, where one is wanted."""
    file = os.environ.get("ALIVE_FILE", "")
    if not file:
        return
    try:
        Path(file).touch()
    except OSError as error:
        log.warning("alive_file_unwritable", kind=type(error).__name__)
