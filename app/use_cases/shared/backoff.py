"""How long to wait before something is tried again: growing pauses with full jitter, never shorter than asked for."""

from __future__ import annotations

import random
from datetime import timedelta

from app.config import Settings

LONGEST_SECONDS = 3600.0


def next_try(settings: Settings, *, failures: int, retry_after: float | None) -> timedelta:
    """`failures` so far; `retry_after` seconds the other side asked for. With a wish: that long plus up to a tenth, so
    that a crowd does not come back at once. Without: anywhere up to base · 2^failures."""
    if retry_after is not None:
        wished = min(max(retry_after, 0.0), LONGEST_SECONDS)
        return timedelta(seconds=wished + random.uniform(0, 0.1 * wished + 0.1))  # noqa: S311 - not a secret
    longest = min(settings.retry_base_seconds * 2 ** max(failures - 1, 0), LONGEST_SECONDS)
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311 - not a secret
