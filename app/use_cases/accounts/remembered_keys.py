"""API keys while the database is away: what was a good key when it last answered."""

from __future__ import annotations

import threading

from app.domain.access.token_hash import hash_of
from app.storage.outages import OUTAGES
from app.use_cases.accounts.api_keys import KeyView, verify_key
from app.use_cases.context import Context

MOST_KEYS = 100
"""More are not remembered: an installation has a handful."""


class RememberedKeys:
    """Of each process its own. Keeps digests, never a key."""

    def __init__(self) -> None:
        self._good: dict[str, KeyView] = {}
        self._lock = threading.Lock()

    def verify(self, ctx: Context, token: str) -> KeyView | None:
        """The key behind a token, as `verify_key` says; while the database is away, as it said last. Raises the
        database's error for a key of which nothing is remembered."""
        digest = hash_of(token)
        try:
            key = verify_key(ctx, token)
        except OUTAGES:
            with self._lock:
                if digest not in self._good:
                    raise
                return self._good[digest]
        self._remember(digest, key)
        return key

    def _remember(self, digest: str, key: KeyView | None) -> None:
        with self._lock:
            self._good.pop(digest, None)
            if key is not None and len(self._good) < MOST_KEYS:
                self._good[digest] = key
