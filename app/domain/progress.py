"""How fast a run goes and how long it will still take."""

from __future__ import annotations


def measure(
    done: int,
    total: int | None,
    *,
    recent_done: int,
    recent_seconds: float,
    calls_per_item: float,
    pace: float,
) -> tuple[float | None, float | None]:
    """(finished items per second, seconds to go); None where nothing can be said.

    `recent_done` items were finished within the last `recent_seconds`: the rate. While nothing was finished lately the
    seconds to go come from the vendors' limits: `calls_per_item` requests each at `pace` requests per second.
    """
    rate = recent_done / recent_seconds if recent_seconds > 0 else None
    if total is None:
        return rate, None
    remaining = max(total - done, 0)
    if remaining == 0:
        return rate, 0.0
    if rate:
        return rate, remaining / rate
    if calls_per_item > 0 and pace > 0:
        return rate, remaining * calls_per_item / pace
    return rate, None
