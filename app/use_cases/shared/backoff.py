"""How long to wait before the next try: growing pauses with jitter, never shorter than the other side asked for."""

from __future__ import annotations

import random
from datetime import timedelta

from app.config import Settings

LONGEST_SECONDS = 3600.0


def next_try(settings: Settings, *, failures: int, retry_after: float | None) -> timedelta:
    """The pause before the next try. `failures`: how many tries have failed so far; `retry_after`: seconds the other
    side asked us to wait. With `retry_after` the pause is that long plus up to a tenth, so that many waiting jobs do
    not all come back at the same moment. Without it the pause is drawn between half of base · 2^(failures - 1) seconds
    and all of it. Neither counts for more than LONGEST_SECONDS."""
    if retry_after is not None and retry_after > 0:  # a moment in the past asks for nothing; NaN is no wish either
        wished = min(retry_after, LONGEST_SECONDS)
        return timedelta(seconds=wished + random.uniform(0, 0.1 * wished + 0.1))  # noqa: S311 - not a secret
    longest = min(settings.retry_base_seconds * 2 ** max(failures - 1, 0), LONGEST_SECONDS)
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311 - not a secret
