"""Logs of every process: JSON lines on stderr with ids, states and keys; never a value, a name or an address."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

_GATHERED_SECONDS = 0.005
QUIET_SECONDS = 5.0
"""How long nobody may have met an outage before it counts as over."""

_LAST: list[structlog.typing.Processor] = [
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(ensure_ascii=False),
]


def configure_logging(level: str) -> None:
    """Log one JSON object per line, for our own and the libraries' lines. Standard output stays free for the answers of
    commands."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *_LAST],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_to_stderr,
        cache_logger_on_first_use=False,
    )
    handler = _StderrHandler()
    own = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[own, *_LAST], foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    logging.getLogger("rq").setLevel(max(number, logging.WARNING))  # its two lines a job say nothing that ours do not
    logging.getLogger("alembic").setLevel(max(number, logging.WARNING))  # two lines each time the revision is asked
    logging.getLogger("urllib3").setLevel(max(number, logging.INFO))  # its DEBUG lines hold queries: numbers, codes


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Looks standard error up at each line, because a command runner may put another stream in its place."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: Any) -> None:
        return None


class _Lines:
    """Lines on standard error. One thread writes for all that have a line at the same moment, so that no thread waits.

    `gather`: a separate thread writes the lines that have come together in some milliseconds. Without it, each of 32
    threads that answer webhooks would give the interpreter up for its own write and queue for it again, which costs as
    much as the rest of an answer. Warnings and worse are written at once, after the lines that came before them.
    """

    def __init__(self) -> None:
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        """Begin without lines and locks. In a child of a fork no other thread is left, and a lock that one of them held
        would stay held."""
        self._lines: deque[str] = deque()
        self._writing = threading.Lock()
        self._some = threading.Event()
        self._gathering = False

    def gather(self) -> None:
        self._gathering = True
        threading.Thread(target=self._write_gathered, name="log lines", daemon=True).start()
        atexit.register(self.flush)

    def flush(self) -> None:
        self._write(waiting=True)

    def _write_gathered(self) -> None:
        while True:
            self._some.wait()
            time.sleep(_GATHERED_SECONDS)
            self._some.clear()
            self._write()

    def info(self, line: str) -> None:
        self._lines.append(line + "\n")
        if not self._gathering:
            self._write()
        elif not self._some.is_set():
            self._some.set()

    def warning(self, line: str) -> None:
        self._lines.append(line + "\n")
        self._write()

    msg = log = debug = info
    error = critical = warning

    def _write(self, *, waiting: bool = False) -> None:
        """Write all lines, unless another thread is writing them. `waiting`: wait for that thread, at the end of the
        process, when it may not live to look again."""
        while self._lines and self._writing.acquire(blocking=waiting):  # a writing thread looks again before it leaves
            try:
                sys.stderr.write("".join([self._lines.popleft() for _ in range(len(self._lines))]))
                sys.stderr.flush()
            finally:
                self._writing.release()


_LINES = _Lines()


class Outage:
    """Something outside that is away, as one process tells it: one line when it begins and one when it is over, however
    many jobs and threads meet it."""

    def __init__(self, began: str, over: str, *, now: Callable[[], float] = time.monotonic) -> None:
        """`began`, `over`: the events of the two lines."""
        self._began, self._over, self._now = began, over, now
        self._lock = threading.Lock()
        self._since: float | None = None
        self._last = 0.0
        self._met = 0

    def met(self, kind: str) -> None:
        """Somebody has met it. `kind`: the type of the error; its text may quote a value."""
        with self._lock:
            now = self._now()
            begins, self._last = self._since is None, now
            self._met = 1 if begins else self._met + 1
            self._since = now if self._since is None else self._since
        if begins:
            structlog.get_logger("awase.outage").warning(self._began, kind=kind)

    def works(self) -> None:
        """It has answered. The outage is over when nobody has met it for a while, because in its last moments some are
        answered and some are not."""
        if self._since is None or self._now() - self._last < QUIET_SECONDS:
            return
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            lasted = round(self._last - since, 1)
            structlog.get_logger("awase.outage").info(self._over, seconds=lasted, met=self._met)


DATABASE = Outage("database_unavailable", "database_back")


def gather_lines() -> None:
    """Let a separate thread write the lines. Only for a process with many threads and an orderly end, such as the web
    server; a worker's child ends without one."""
    _LINES.gather()


def flush_lines() -> None:
    """Write what is gathered: for a process that ends by `os._exit`, which calls nothing that is registered."""
    _LINES.flush()


def _to_stderr(*_names: Any) -> _Lines:
    return _LINES
