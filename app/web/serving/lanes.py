"""Threads per kind of request, so that no kind takes the threads of another. The table stands in the package's text.

The kind is read from the address alone, before anybody knows who asks: whoever sends a flood to one address waits in
the queue of that address's kind.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from waitress.task import ThreadedTaskDispatcher

from app.places import Places
from app.use_cases.accounts.passwords import MOST_WAITING, TURNS
from app.web.http.vendor_turns import OF_PAGES, OF_PROGRAMS


class Kind(StrEnum):
    LIVE = "live"
    OPS = "ops"
    WEBHOOKS = "webhooks"
    PASSWORDS = "passwords"
    ASKING = "asking"
    API = "api"
    PAGES = "pages"


_TELLING = 2
"""Requests at work that tell others that a pool is full."""
_PASSWORDS = re.compile(
    r"/sign-in|/account/(new-)?password|/invitation/[^/]*"
    r"|/users/(\d+/(role|enable|password)|invitations)|/keys|/connections/[^/]+/two_persons"
)
"""Forms with a password: the user's own, a new one, or one that is given again before rights change."""
_ASKING = re.compile(
    r"/links/[^/]+/(compare|pair|join|decide)|/connections/new(/.*)?|/connections/[^/]+/[^/]+|/connect/freee/callback"
)
"""Pages that wait for a vendor. One that is missing here waits among the pages, where there is room for it as well."""

_silent = logging.getLogger("awase.web.lanes")
_silent.setLevel(logging.CRITICAL)


def kind_of(method: str, path: str) -> Kind:
    """The kind of a request."""
    if path == "/health/live":
        return Kind.LIVE
    if path.startswith("/health/") or path == "/metrics":
        return Kind.OPS
    if path.startswith("/webhooks/"):
        return Kind.WEBHOOKS
    if path.startswith("/api/"):
        return Kind.API
    if method == "POST" and _PASSWORDS.fullmatch(path):
        return Kind.PASSWORDS
    return Kind.ASKING if _ASKING.fullmatch(path) else Kind.PAGES


@dataclass(frozen=True)
class Room:
    """What one kind of request has: so many threads, of which `at_work` work at a time and the others only wait for a
    vendor; None: all."""

    threads: int
    at_work: int | None = None


def rooms(web_threads: int) -> dict[Kind, Room]:
    """What each kind has that is answered by threads."""
    pages, programs = max(2, web_threads // 8), max(2, web_threads // 16)
    return {
        Kind.OPS: Room(2),
        Kind.WEBHOOKS: Room(web_threads),
        Kind.PASSWORDS: Room(TURNS + MOST_WAITING + _TELLING, 1),
        Kind.ASKING: Room(_TELLING + OF_PAGES.most, 1),
        Kind.API: Room(programs + OF_PROGRAMS.most, programs),
        Kind.PAGES: Room(pages + OF_PAGES.most, pages),
    }


class _InPlace:
    """A connection whose request is answered in one of a kind's places."""

    def __init__(self, channel: Any, places: Places) -> None:
        self._channel = channel
        self._places = places

    def service(self) -> None:
        with self._places.taken():
            self._channel.service()

    def cancel(self) -> None:
        self._channel.cancel()


class Lane(ThreadedTaskDispatcher):  # type: ignore[misc]
    """The threads of one kind and the queue before them."""

    queue_logger = _silent  # waitress warns of each request that has to wait

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._places = Places(room.at_work) if room.at_work else None
        self.set_thread_count(room.threads)

    def add_task(self, task: Any) -> None:
        super().add_task(_InPlace(task, self._places) if self._places else task)

    @property
    def works(self) -> bool:
        return bool(self.queue) or self.active_count > 0


class Lanes:
    """What waitress calls a task dispatcher."""

    def __init__(self, rooms: Mapping[Kind, Room]) -> None:
        self._lanes = {kind: Lane(room) for kind, room in rooms.items()}
        self._live: deque[Any] = deque()

    def add_task(self, channel: Any) -> None:
        """Have the first request of this connection answered. What is no request has no kind: it counts as a page."""
        request = channel.requests[0]
        kind = Kind.PAGES if request.error is not None else kind_of(request.command, request.path)
        if kind is Kind.LIVE:
            self._live.append(channel)
        else:
            self._lanes[kind].add_task(channel)

    def answer_live(self) -> None:
        """Answer whoever asks whether the process lives; called by the thread of all connections, in every round. It is
        the one that is asked about, and in a flood every other thread would wait for its turn of the interpreter."""
        for _ in range(len(self._live)):  # what one connection sends besides comes in the next round
            self._live.popleft().service()

    @property
    def work(self) -> bool:
        """Whether a request is being answered, or waits for its turn."""
        return bool(self._live) or any(lane.works for lane in self._lanes.values())

    def shutdown(self) -> None:
        """Let the threads end when they have nothing to do; what still waits is dropped."""
        for lane in self._lanes.values():
            lane.set_thread_count(0)
