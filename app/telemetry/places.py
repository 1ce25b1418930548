"""Where a span stands: in which trace, under which span. What belongs together is derived from what the database holds.

A run's trace follows from its public id and a webhook's from its digest, so nothing has to travel with a job: relay,
workers and web processes find the same place by themselves, also after a restart.
"""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple


class Place(NamedTuple):
    """A span's place in its trace: 128 and 64 bits, never 0."""

    trace_id: int
    span_id: int


def of_run(public_id: str) -> Place:
    """The place of the span that stands for a whole run."""
    return _derived("run", public_id)


def of_delivery(delivery_id: int, digest: str) -> Place:
    """The place of the span of a webhook's receipt. `digest`: the keyed one that is stored with it; the id alone would
    be the same in every installation."""
    return _derived("delivery", f"{delivery_id}:{digest}")


def anywhere(trace_id: int | None = None) -> Place:
    """A new place: in this trace, else in one of its own."""
    drawn = os.urandom(24)
    return Place(trace_id or _number(drawn[:16]), _number(drawn[16:]))


def _derived(kind: str, what: str) -> Place:
    digest = hashlib.sha256(f"awase {kind} {what}".encode()).digest()
    return Place(_number(digest[:16]), _number(digest[16:24]))


def _number(some: bytes) -> int:
    return int.from_bytes(some) or 1
