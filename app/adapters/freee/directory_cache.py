"""DirectoryCache: which employee has which 従業員番号, listed at most once a minute per company and process."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from app.domain.ports import Clock

Numbers = Mapping[str, Sequence[str]]
"""従業員番号 in comparable form → ids."""


class DirectoryCache:
    """Number → ids, per company, kept for `ttl` seconds. Shared by the gateways of one process.

    It serves only where no create is in doubt, because it does not hold an employee whose create lost its answer.
    """

    def __init__(self, clock: Clock, ttl: float = 60.0) -> None:
        self._clock = clock
        self._ttl = timedelta(seconds=ttl)
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[datetime, Numbers]] = {}

    def now(self) -> datetime:
        return self._clock.now()

    def get(self, company_id: int) -> Numbers | None:
        """Number → ids, None when not known or too old."""
        with self._lock:
            kept = self._kept.get(company_id)
        return kept[1] if kept and self._clock.now() - kept[0] < self._ttl else None

    def keep(self, company_id: int, numbers: Numbers, *, since: datetime) -> None:
        """Keep a listing. `since`: the moment before it began, because the listing may lack what came later."""
        with self._lock:
            self._kept[company_id] = (since, numbers)

    def forget(self, company_id: int) -> None:
        """Forget the listing, because an employee was created, or may have been."""
        with self._lock:
            self._kept.pop(company_id, None)

    def add(self, company_id: int, number: str, person_id: str) -> None:
        """Add an employee whom Awase has just created."""
        with self._lock:
            kept = self._kept.get(company_id)
            if kept:
                since, numbers = kept
                self._kept[company_id] = since, {**numbers, number: (*numbers.get(number, ()), person_id)}
