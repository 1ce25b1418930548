"""Several threads that begin at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
SECONDS = 60


def together(work: Callable[[int], T], times: int) -> list[T]:
    """The results of `work(0)` to `work(times - 1)`, in order. Raises what one of them raised."""
    barrier = threading.Barrier(times)

    def one(number: int) -> T:
        barrier.wait(timeout=20)
        return work(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times), timeout=SECONDS))
