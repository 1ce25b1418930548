"""One connection: how long it may take over a request and over an answer, and how it ends.

waitress cuts only who is silent, so whoever sends one byte every few seconds stays for ever: here a request has an end
from its first byte on, and what arrives does not move it. Answers have one as well. No path is logged: some hold a
token.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import structlog
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask, WSGITask

from app.web.http.problems import PROBLEMS, code_of_status
from app.web.serving.reading import Request

log = structlog.get_logger("awase.web")


@dataclass(frozen=True)
class Deadlines:
    """How long a client may take, in seconds."""

    head: float = 10.0
    request: float = 30.0
    """A head and its body together."""
    silence: float = 10.0
    """Within a request."""
    idle: float = 15.0
    """Between requests, and before the first."""
    answer: float = 30.0
    """An answer has to be read within so long, and a second more for each `SLOWEST_BYTES` of it."""
    linger: float = 2.0
    """How long we listen on after an answer that came before the end of the request. Closed at once, the connection
    would be reset, and the answer lost with it."""


SLOWEST_BYTES = 8192
_MOST_LINGERED = 4_000_000


class _NoPaths:
    """In place of waitress's logger, whose lines quote paths and the texts of errors."""

    def info(self, *_words: object) -> None:
        """Somebody has left before the answer, which happens all the time."""

    warning = info

    def exception(self, *_words: object) -> None:
        error = sys.exc_info()[0]
        log.error("server_fault", error=error.__name__ if error else None)


class Answering(WSGITask):  # type: ignore[misc]
    """The application answers."""

    logger = _NoPaths()

    def execute(self) -> None:
        if self.request.unread:
            self.set_close_on_finish()
        super().execute()

    def build_response_header(self) -> bytes:
        if self.channel.server.draining:
            self.set_close_on_finish()
        head: bytes = super().build_response_header()
        return head

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ["SERVER_SOFTWARE"] = "awase"  # waitress would put None there, as it is told to name no server
        return environ


class Refusing(ErrorTask):  # type: ignore[misc]
    """The answer to what is no request: a problem document, as the application gives them."""

    logger = _NoPaths()

    def execute(self) -> None:
        error = self.request.error
        code = code_of_status(error.code)
        kind = PROBLEMS[code]
        told = {"title": kind.title, "status": error.code, "detail": kind.detail, "code": code}
        body = json.dumps({"type": "about:blank", **told}, ensure_ascii=False).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", "application/problem+json"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
        log.info("not_a_request", status=error.code)


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection. The server's thread reads and writes it, one thread at a time answers its requests."""

    parser_class = Request
    task_class = Answering
    error_task_class = Refusing
    logger = _NoPaths()
    close_when_flushed: bool

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any = None) -> None:
        self.resting_since = self.heard_at = time.monotonic()
        """Since when no request has been answered."""
        self.began_at: float | None = None
        """When the first byte of the request came that is not complete yet."""
        self.unsent_since: float | None = None
        self.unsent = 0
        self.has_asked = False
        """Whether a whole request has come on this connection."""
        self.held = False
        """True: the next request is complete, and waits until the answer before it is read."""
        self.lingers = False
        self.lingering_since: float | None = None
        self.lingered = 0
        super().__init__(server, sock, addr, adj, map=map)

    # ── what comes in ─────────────────────────────────────────────────────────────────────────────────────────────

    def received(self, data: bytes) -> bool:
        before, self.heard_at = self.request, time.monotonic()
        taken: bool = super().received(data)
        if self.request is not before:
            self.began_at = None if self.request is None else self.heard_at
        return taken

    def readable(self) -> bool:
        return self.lingering_since is not None or bool(super().readable())

    def handle_read(self) -> None:
        if self.lingering_since is None:
            super().handle_read()
            return
        self.lingered += len(self.recv(65536))  # a closed connection is noticed in there
        if self.lingered > _MOST_LINGERED:
            self.will_close = True

    # ── what goes out ─────────────────────────────────────────────────────────────────────────────────────────────

    def service(self) -> None:
        request = self.requests[0]
        self.has_asked = True
        self.lingers = request.unread or request.error is not None
        super().service()
        self.resting_since = time.monotonic()

    def hold_back(self) -> None:
        """Hold the next request back until the answers before it have been read: else one connection could have any
        number of answers made that nobody reads."""
        self.held = True

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Nothing: waitress would let the thread wait here for a client that does not read. An answer waits in memory
        or in a file instead, for as long as `Deadlines.answer` says, and there is one at a time."""

    def writable(self) -> bool:
        return self.held or bool(super().writable())

    def handle_write(self) -> None:
        self._send()
        if self.held and not self.total_outbufs_len and self.connected:
            self.held = False
            self.server.task_dispatcher.add_task(self)

    def _send(self) -> None:
        ends = self.lingers and self.close_when_flushed
        if ends:
            self.close_when_flushed = False
        super().handle_write()
        if ends and not self.will_close and self.connected:
            self._linger()

    def _linger(self) -> None:
        if self.total_outbufs_len:
            self.close_when_flushed = True
            return
        self.lingering_since = time.monotonic()
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.will_close = True

    def handle_close(self) -> None:
        if threading.get_ident() == self.server.thread:
            super().handle_close()
        else:  # a thread that answers has met a broken connection: its end is the business of who reads it
            self.will_close = True
            self.server.pull_trigger()

    def handle_error(self) -> None:
        self.logger.exception()
        self.handle_close()

    # ── how long ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def waits(self) -> bool:
        """Whether we wait for the client: no request of this connection is being answered."""
        return not self.requests

    @property
    def waiting_since(self) -> float:
        return self.resting_since if self.began_at is None else self.began_at

    def is_overdue(self, now: float, allowed: Deadlines) -> bool:
        """Whether the client has taken too long, at `now` on the monotonic clock."""
        if self.lingering_since is not None:
            return now - self.lingering_since > allowed.linger
        if self._is_unread_too_long(now, allowed):
            return True
        if not self.waits or self.total_outbufs_len:
            return False
        if self.request is None or self.began_at is None:
            return now - self.resting_since > allowed.idle
        longest = allowed.request if self.request.headers_finished else allowed.head
        # what came while an earlier request was being answered begins when that is answered
        began, heard = (max(each, self.resting_since) for each in (self.began_at, self.heard_at))
        return now - began > longest or now - heard > allowed.silence

    def _is_unread_too_long(self, now: float, allowed: Deadlines) -> bool:
        waiting = self.total_outbufs_len
        if not waiting:
            self.unsent_since, self.unsent = None, 0
            return False
        if self.unsent_since is None:
            self.unsent_since = now
        self.unsent = max(self.unsent, waiting)
        return now - self.unsent_since > allowed.answer + self.unsent / SLOWEST_BYTES
