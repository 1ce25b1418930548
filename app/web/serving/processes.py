"""Processes on one socket: a parent that listens and keeps them alive, and children that answer.

The parent knows nothing of the application: when a child dies, however it dies, the socket stays open and callers wait
in it for the next child. A child whose parent has died ends by itself, because nobody would tell it to.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
import time
from types import FrameType
from typing import Any

import structlog

from app.config import Settings
from app.logs import configure_logging, flush_lines, gather_lines
from app.web.current import announce
from app.web.serving.lanes import Lanes, rooms
from app.web.serving.server import GRACE_SECONDS, Server, body_limits, connections_allowed

log = structlog.get_logger("awase.web")

CANNOT_LOAD = 3
"""Exit code of a child that could not load the application: another one could not either."""
BACKLOG = 2048
_BIND_SECONDS = 20.0
"""How long a taken address is tried again: a former parent's last child may still hold it."""
_PAUSE_SECONDS = 0.5
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


class Parent:
    """Keeps `processes` children alive."""

    def __init__(self, application: str, settings: Settings, listening: socket.socket, processes: int) -> None:
        self._application = application
        self._settings = settings
        self._listening = listening
        self._processes = processes
        self._children: dict[int, float] = {}
        """Process id → when it was begun, on the monotonic clock."""
        self._ends = False
        self._code = 0

    def run(self) -> int:
        for each in _ENDINGS:
            signal.signal(each, self._end)
        while not self._ends:
            while len(self._children) < self._processes and not self._ends:
                self._begin_child()
            self._await_child()
        self._listening.close()
        self._await_all()
        return self._code

    def _begin_child(self) -> None:
        """With signals held back, so that none comes between a child's beginning and its place in the list, or to a
        child that would still deal with it as its parent does."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
        child = os.fork()
        if not child:
            code = answer(self._application, self._settings, self._listening)
            flush_lines()
            os._exit(code)
        self._children[child] = time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)

    def _await_child(self) -> None:
        """Wait until a child ends. One that could not load the application ends everything."""
        try:
            child, status = os.wait()
        except ChildProcessError:
            return
        lived = time.monotonic() - self._children.pop(child, 0.0)
        code = os.waitstatus_to_exitcode(status)
        if code == CANNOT_LOAD:
            self._code, self._ends = code, True
            self._tell_children()
        elif not self._ends:
            log.warning("web_process_ended", pid=child, code=code)
            time.sleep(_PAUSE_SECONDS if lived < 1 else 0)

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
        self._tell_children()

    def _tell_children(self) -> None:
        for child in self._children:
            os.kill(child, signal.SIGTERM)


def answer(application: str, settings: Settings, listening: socket.socket) -> int:
    """What a child does until it is told to end. Returns its exit code."""
    told: list[int] = []
    for each in _ENDINGS:  # the parent's way is not ours; before there is a server, just note it
        signal.signal(each, lambda number, _frame: told.append(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)
    parent = os.getppid()
    try:
        app = load(application)
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
    )
    for each in _ENDINGS:
        signal.signal(each, server.stop)
    if told:
        return 0
    with announce(app):
        server.run()
    return 0


def load(application: str) -> Any:
    """The WSGI application `module:name`."""
    module, _, name = application.partition(":")
    return getattr(importlib.import_module(module), name)
