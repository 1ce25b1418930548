"""How fast a run goes and how long it will still take."""

from __future__ import annotations


def measure(
    done: int,
    total: int | None,
    *,
    recent_done: int,
    recent_seconds: float,
    item_seconds: float,
    closed_seconds: float = 0.0,
) -> tuple[float | None, float | None]:
    """(finished items per second, seconds to go); None where nothing can be said.

    `recent_done` items were finished within the last `recent_seconds`: the rate. While nothing was finished lately the
    seconds to go come from the vendors' limits: they let one item through every `item_seconds` (0: no limit is known).
    `closed_seconds`: how long a vendor lets nothing through at all before it goes on.
    """
    rate = recent_done / recent_seconds if recent_seconds > 0 else None
    if total is None:
        return rate, None
    remaining = max(total - done, 0)
    if remaining == 0:
        return rate, 0.0
    if rate:
        return rate, closed_seconds + remaining / rate
    if item_seconds > 0:
        return rate, closed_seconds + remaining * item_seconds
    return rate, None
