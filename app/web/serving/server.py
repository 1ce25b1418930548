"""The listening side: takes connections, cuts who is too slow, makes room in a flood, and ends in order."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from app.web.http.problems import MAX_BODY_BYTES
from app.web.serving.channel import Channel, Deadlines
from app.web.serving.lanes import Lanes
from app.web.serving.reading import BodyLimit
from app.web.serving.rounds import Rounds

log = structlog.get_logger("awase.web")

MOST_CONNECTIONS = 4000
HEAD_BYTES = 16_384
GRACE_SECONDS = 15.0
"""How long requests that are being answered may take when the process is told to end."""
HALF_SENT_SECONDS = 2.0
"""How long a request may take then that is still coming in, or that a new connection is about to send: one taken a
moment ago may hold a request that nobody has read yet, and would be reset if it were closed at once."""
LOOK_SECONDS = 0.5
"""How often somebody too slow is looked for."""
CLOSED_AT_ONCE = 25
"""So many of the slow are closed in one round. Who came together ends together: 800 in one round would make everybody
else wait for a second, as each costs a turn of the interpreter."""
_CROWDED, _FULL = 0.75, 0.95
_MADE_FREE = 0.1
NEWCOMER_SECONDS = 1.0
"""A connection has so long to bring its request before it can be pushed out, unless nearly all are taken."""
_FILES_BESIDES = 256
"""Open files that are no connections: database, broker, vendors, logs."""
_BUFFERED_BYTES = 65_536
"""What is larger waits in a temporary file, not in memory."""


def body_limits(webhook_bytes: int) -> BodyLimit:
    """How large a body may be by its address."""
    return lambda path: webhook_bytes if path.startswith("/webhooks/") else MAX_BODY_BYTES


def connections_allowed() -> int:
    """How many connections this process may hold, after it has raised its limit of open files as far as it may. A
    connection may have two temporary files besides."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * MOST_CONNECTIONS + _FILES_BESIDES
    files = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(64, min(MOST_CONNECTIONS, (files - _FILES_BESIDES) // 3))


class Server(TcpWSGIServer):  # type: ignore[misc]
    """One process's server on a socket that listens already. `parent`: the process without which this one ends.
    `beat`: called each round, at least every LOOK_SECONDS."""

    channel_class = Channel

    def __init__(
        self,
        application: Any,
        listening: socket.socket,
        *,
        lanes: Lanes,
        body_limit: BodyLimit,
        deadlines: Deadlines | None = None,
        connections: int = MOST_CONNECTIONS,
        parent: int | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.deadlines = deadlines or Deadlines()
        self.draining = False
        self.stopping = False
        self._parent = parent
        self._beat = beat
        self.thread = threading.get_ident()
        """The thread that reads and writes all connections."""
        self._looked_at = 0.0
        self._crowded, self._full = int(connections * _CROWDED), int(connections * _FULL)
        self._pushed_out = 0
        """How many connections were closed to make room and are not told of yet."""
        adjustments = Adjustments(
            sockets=[listening],
            connection_limit=connections,
            max_request_header_size=HEAD_BYTES,
            max_request_body_size=2**62,  # reading.py knows the limit of each address
            inbuf_overflow=_BUFFERED_BYTES,
            ident=None,
            log_socket_errors=False,
            clear_untrusted_proxy_headers=False,  # app.web.http.proxies decides which of them are believed
            server_name="localhost",
        )
        adjustments.body_limit = body_limit
        about = (listening.family, listening.type, listening.proto, listening.getsockname())
        super().__init__(
            application, Rounds(), True, listening, dispatcher=lanes, adj=adjustments, sockinfo=about, bind_socket=False
        )

    def add_task(self, task: Channel) -> None:
        """Have the next request of this connection answered; called by any thread."""
        if task.total_outbufs_len:
            task.hold_back()
        else:
            self.task_dispatcher.add_task(task)

    # ── connections ───────────────────────────────────────────────────────────────────────────────────────────────

    def handle_accept(self) -> None:
        """Take new connections: several at a time when there are many, so that a flood does not make others wait."""
        for _ in range(1 + len(self.active_channels) // 50):
            before = len(self._map)
            super().handle_accept()
            if len(self._map) == before:
                return

    def maintenance(self, _now: float) -> None:
        """Nothing: waitress would close connections while it goes through them. `_keep_order` does it between two
        rounds."""

    def _keep_order(self) -> None:
        now = time.monotonic()
        self._make_room(now)
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._tell_of_the_crowd()
        overdue = [channel for channel in self._channels() if channel.is_overdue(now, self.deadlines)]
        for channel in overdue[:CLOSED_AT_ONCE]:
            channel.handle_close()
        if len(overdue) <= CLOSED_AT_ONCE:
            self._looked_at = now
        if self._parent is not None and os.getppid() != self._parent:
            self.stopping = True

    def _make_room(self, now: float) -> None:
        """Close those who have kept us waiting for longest when most connections are taken. Where most are being
        answered, whoever comes is the only one who waits: so newcomers are spared while there is room."""
        used = len(self.active_channels)
        if used < self._crowded:
            return
        spared = NEWCOMER_SECONDS if used < self._full else 0.0
        waiting = [c for c in self._channels() if c.waits and now - c.waiting_since >= spared]
        waiting.sort(key=lambda channel: channel.waiting_since)
        for channel in waiting[: max(1, int(self._crowded * _MADE_FREE))]:
            channel.handle_close()
            self._pushed_out += 1

    def _tell_of_the_crowd(self) -> None:
        """Now and then, not each round: in a flood there are a thousand rounds a second."""
        if self._pushed_out:
            log.warning("connections_crowded_out", closed=self._pushed_out, open=len(self.active_channels))
            self._pushed_out = 0

    def _channels(self) -> list[Channel]:
        return list(self.active_channels.values())

    # ── beginning and end ─────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Serve until `stop` is called, then end in order."""
        self.thread = threading.get_ident()
        while not self.stopping:
            self._beat()
            self._map.play(LOOK_SECONDS)
            self.task_dispatcher.answer_live()
            self._keep_order()
        self._drain()

    def stop(self, *_signal: object) -> None:
        """Begin the end; may be called by a signal or by another thread."""
        self.stopping = True
        self.pull_trigger()

    def _drain(self) -> None:
        """Take nobody new, finish what has begun, close the others."""
        self.draining, self.accepting = True, False
        self.del_channel()
        self.socket.close()
        began = time.monotonic()
        while time.monotonic() - began < GRACE_SECONDS and self._has_work(time.monotonic() - began):
            self._map.play(0.05)
            self.task_dispatcher.answer_live()
            self._keep_order()
        self.task_dispatcher.shutdown()
        for channel in self._channels():
            channel.handle_close()

    def _has_work(self, seconds: float) -> bool:
        for channel in self._channels():
            rests = channel.waits and not channel.total_outbufs_len
            is_between_requests = channel.request is None and channel.has_asked
            if rests and (is_between_requests or seconds > HALF_SENT_SECONDS):
                channel.handle_close()
        return bool(self.active_channels) or self.task_dispatcher.work
