"""How long the job of one employee may take. A thread cannot be broken off from outside, and nothing may break off in
the middle of a request, so whoever is about to send the next one asks here first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_UNTIL: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What this block does, in this thread, should be done in so many seconds."""
    token = _UNTIL.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _UNTIL.reset(token)


def is_over() -> bool:
    until = _UNTIL.get()
    return until is not None and time.monotonic() > until
