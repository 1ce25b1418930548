"""What our code sets for its whole process, put back after a test: the umask and the way of logging."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

_LOGGERS = ("", "rq", "alembic", "urllib3")


@contextmanager
def restored(umask: int = 0o022) -> Iterator[None]:
    """Begin with this umask, and leave the process as it was found."""
    before, configured = os.umask(umask), structlog.get_config()
    handlers, levels = logging.getLogger().handlers[:], {name: logging.getLogger(name).level for name in _LOGGERS}
    try:
        yield
    finally:
        os.umask(before)
        structlog.configure(**configured)
        logging.getLogger().handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
