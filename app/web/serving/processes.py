"""Processes on one socket: a parent that listens and keeps them alive, and children that answer.

The parent knows nothing of the application: when a child dies, however it dies, the socket stays open and callers wait
in it for the next child. So it does when a child lives and does nothing any more (`pulse`): the child is killed. A
child whose parent has died ends by itself, because nobody would tell it to.

Signals only wake the parent. What they ask for is done between two looks at the children, so that no signal meets a
child that is gone already or not yet in the list.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import structlog

from app.config import Settings
from app.logs import configure_logging, flush_lines, gather_lines
from app.signals import ignore_hangups
from app.supervision import Watchdog
from app.telemetry.process import telling
from app.web.current import announce
from app.web.serving.lanes import Lanes, rooms
from app.web.serving.pulse import Pulse
from app.web.serving.server import GRACE_SECONDS, Server, body_limits, connections_allowed

log = structlog.get_logger("awase.web")

CANNOT_LOAD = 3
"""Exit code of a child that could not load the application: another one could not either."""
BACKLOG = 2048
_BIND_SECONDS = 20.0
"""How long a taken address is tried again: a former parent's last child may still hold it."""
_PAUSE_SECONDS = 0.5
_LOOK_SECONDS = 1.0
"""How often the parent looks at the pulses of its children."""
SILENT_SECONDS = 30.0
"""A child whose thread of all connections has done nothing for so long does nothing any more: it goes round twice a
second even when nobody comes."""
_ENDINGS = (signal.SIGTERM, signal.SIGINT)
_SWITCH_SECONDS = 0.001
"""After so long Python lets another thread run; its own 5 ms add up to seconds for a health check behind 50 threads."""


def serve(application: str, settings: Settings, *, processes: int) -> int:
    """Listen and answer until SIGTERM or Ctrl-C. Returns the exit code."""
    configure_logging(settings.log_level)
    try:
        listening = listen(settings.bind, settings.port)
    except OSError as error:
        log.error("cannot_listen", bind=settings.bind, port=settings.port, error=error.strerror)
        return 1
    return Parent(application, settings, listening, processes).run()


def listen(bind: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError when the address stays taken."""
    host = bind.removeprefix("[").removesuffix("]")
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    end = time.monotonic() + _BIND_SECONDS
    while True:
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(BACKLOG)
            return listening
        except OSError:
            listening.close()
            if time.monotonic() > end:
                raise
            time.sleep(_PAUSE_SECONDS)


@dataclass
class _Child:
    pulse: Pulse = field(default_factory=Pulse)
    began: float = field(default_factory=time.monotonic)
    """On the monotonic clock."""


class Parent:
    """Keeps `processes` children alive."""

    def __init__(
        self,
        application: str,
        settings: Settings,
        listening: socket.socket,
        processes: int,
        *,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        self._application = application
        self._settings = settings
        self._listening = listening
        self._processes = processes
        self._silent_seconds = silent_seconds
        self._children: dict[int, _Child] = {}
        """By process id."""
        self._looked_at = self._watched_since = time.monotonic()
        self._ends = False
        self._code = 0

    def run(self) -> int:
        ignore_hangups()
        watchdog = Watchdog()
        for each in _ENDINGS:
            signal.signal(each, self._end)
        with _woken_by_signals() as woken:
            while not self._ends:
                while len(self._children) < self._processes:
                    self._begin_child()
                if select.select([woken], [], [], _LOOK_SECONDS)[0]:
                    woken.recv(4096)
                self._take_ended()
                self._end_silent()
                if self._children and all(child.pulse.has_begun for child in self._children.values()):
                    watchdog.went_round()
        self._tell_children()
        self._listening.close()
        self._await_all()
        return self._code

    def _begin_child(self) -> None:
        """With signals held back, so that none comes to a child that would still deal with it as its parent does."""
        begun = _Child()
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
        child = os.fork()
        if not child:
            signal.set_wakeup_fd(-1)
            code = answer(self._application, self._settings, self._listening, begun.pulse)
            flush_lines()
            os._exit(code)
        self._children[child] = begun
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)

    def _take_ended(self) -> None:
        """Take the children that have ended off the list. One that could not load the application ends everything."""
        while self._children:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            ended, code = self._children.pop(child), os.waitstatus_to_exitcode(status)
            if code == CANNOT_LOAD:
                self._code, self._ends = code, True
            elif not self._ends:
                log.warning("web_process_ended", pid=child, code=code)
                time.sleep(_PAUSE_SECONDS if time.monotonic() - ended.began < 1 else 0)

    def _end_silent(self) -> None:
        """Kill the children that do nothing any more: they would not heed anything milder. Their successors come when
        they are gone."""
        now = time.monotonic()
        if now - self._looked_at > 5 * _LOOK_SECONDS:
            self._watched_since = now  # we ourselves stood still (a paused machine), and so perhaps did they
        self._looked_at = now
        for child, watched in self._children.items():
            silent = watched.pulse.silent_for(now, since=self._watched_since)
            if silent > self._silent_seconds:
                log.error("web_process_silent", pid=child, seconds=round(silent))
                watched.pulse.stop()
                os.kill(child, signal.SIGKILL)

    def _await_all(self) -> None:
        """Give the children their time, then end those that are left."""
        end = time.monotonic() + GRACE_SECONDS + 3
        while self._children and time.monotonic() < end:
            child, _ = os.waitpid(-1, os.WNOHANG)
            self._children.pop(child, None)
            time.sleep(0 if child else 0.02)
        for child in self._children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._ends = True

    def _tell_children(self) -> None:
        for child in self._children:
            os.kill(child, signal.SIGTERM)


@contextmanager
def _woken_by_signals() -> Iterator[socket.socket]:
    """A socket that can be read when a signal has come: one of `_ENDINGS`, or that a child has ended."""
    woken, waking = socket.socketpair()
    with woken, waking:
        waking.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler it would wake nobody
        signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        try:
            yield woken
        finally:
            signal.set_wakeup_fd(-1)


def answer(application: str, settings: Settings, listening: socket.socket, pulse: Pulse) -> int:
    """What a child does until it is told to end. Returns its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told: list[int] = []
    for each in _ENDINGS:  # the parent's way is not ours; before there is a server, just note it
        signal.signal(each, lambda number, _frame: told.append(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
    parent = os.getppid()
    try:
        app = load(application)
    except SystemExit as refused:  # wsgi.py has said why
        return CANNOT_LOAD if refused.code else 0
    except Exception as error:  # noqa: BLE001 - whatever it is, this process cannot work, and the operator has to see why
        print(f"the application cannot be loaded: {error}", file=sys.stderr)  # noqa: T201
        return CANNOT_LOAD
    sys.setswitchinterval(_SWITCH_SECONDS)
    gather_lines()
    server = Server(
        app,
        listening,
        lanes=Lanes(rooms(settings.web_threads)),
        body_limit=body_limits(settings.webhook_max_bytes),
        connections=connections_allowed(),
        parent=parent,
        beat=pulse.beat,
    )
    for each in _ENDINGS:
        signal.signal(each, server.stop)
    if told:
        return 0
    with telling(settings, "web"), announce(app):
        server.run()
    return 0


def load(application: str) -> Any:
    """The WSGI application `module:name`."""
    module, _, name = application.partition(":")
    return getattr(importlib.import_module(module), name)
