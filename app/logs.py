"""Logs of every process: JSON lines on stderr with ids, states and keys; never a value, a name or an address."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections import deque
from typing import Any

import structlog

_GATHERED_SECONDS = 0.005

_LAST: list[structlog.typing.Processor] = [
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(ensure_ascii=False),
]


def configure_logging(level: str) -> None:
    """One JSON object per line, of ours and of the libraries'. Standard output stays free for what commands answer."""
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
    logging.getLogger("rq").setLevel(max(number, logging.WARNING))  # two lines a job say nothing ours do not
    logging.getLogger("alembic").setLevel(max(number, logging.WARNING))  # two lines each time the revision is asked
    logging.getLogger("urllib3").setLevel(max(number, logging.INFO))  # its DEBUG lines hold queries: numbers, codes


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Looks standard error up at each line: a command runner may put another stream in its place."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: Any) -> None:
        return None


class _Lines:
    """Lines on standard error, written by one thread for all who have one at the same moment: nobody waits.

    `gather`: a thread of their own writes what has come together in some milliseconds. Of 32 threads that answer
    webhooks each gives the interpreter up for its own write and queues for it again, which costs as much as the rest of
    an answer. Warnings and worse are written at once, after what came before them.
    """

    def __init__(self) -> None:
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        """In a child of a fork no other thread is left, and a lock that one of them held would stay held."""
        self._lines: deque[str] = deque()
        self._writing = threading.Lock()
        self._some = threading.Event()
        self._gathering = False

    def gather(self) -> None:
        self._gathering = True
        threading.Thread(target=self._write_gathered, name="log lines", daemon=True).start()
        atexit.register(self._write, waiting=True)

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
        """`waiting`: at the end of the process, when whoever is writing may not live to look again."""
        while self._lines and self._writing.acquire(blocking=waiting):  # who writes looks again before he goes
            try:
                sys.stderr.write("".join([self._lines.popleft() for _ in range(len(self._lines))]))
                sys.stderr.flush()
            finally:
                self._writing.release()


_LINES = _Lines()


def gather_lines() -> None:
    """For a process with many threads and an orderly end: the web server. A worker's child ends without one."""
    _LINES.gather()


def _to_stderr(*_names: Any) -> _Lines:
    return _LINES
