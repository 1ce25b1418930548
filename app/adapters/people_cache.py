"""PeopleCache: all employees of one system as listed within the last minute, per process.

It serves jobs that meet a new employee: to decide who the employee is, a job looks at all employees, and an import of
two hundred newcomers must not list all employees two hundred times. It never serves a write: a job reads the employee
anew before it writes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from app.domain.employee import EmployeeRecord
from app.domain.ports import Clock

_Key = tuple[str, str, date]


class PeopleCache:
    """Shared by the gateways of one process. Keys: (system, tenant, as-of date)."""

    def __init__(self, clock: Clock, ttl: float = 60.0) -> None:
        self._clock = clock
        self._ttl = timedelta(seconds=ttl)
        self._lock = threading.Lock()
        self._turns: dict[_Key, threading.Lock] = {}
        self._kept: dict[_Key, tuple[datetime, Sequence[EmployeeRecord]]] = {}

    def get(
        self,
        key: _Key,
        load: Callable[[], Sequence[EmployeeRecord]],
        *,
        fresh: bool = False,
        since: datetime | None = None,
    ) -> Sequence[EmployeeRecord]:
        """The kept list, or a new one when there is none, it is too old, it was begun before `since`, or the caller
        wants a `fresh` one."""
        called = self._clock.now()
        kept = None if fresh else self._young(key, since)
        if kept is not None:
            return kept
        with self._turn(key):  # twenty threads that want the same list at once list everybody once
            kept = self._young(key, called if fresh else since)
            return self._listed(key, load) if kept is None else kept

    def _young(self, key: _Key, since: datetime | None) -> Sequence[EmployeeRecord] | None:
        now = self._clock.now()
        with self._lock:
            self._kept = {each: kept for each, kept in self._kept.items() if self._is_young(kept[0], now)}
            kept = self._kept.get(key)
        return kept[1] if kept is not None and (since is None or kept[0] > since) else None

    def _listed(self, key: _Key, load: Callable[[], Sequence[EmployeeRecord]]) -> Sequence[EmployeeRecord]:
        began = self._clock.now()
        people = load()
        with self._lock:
            self._kept[key] = began, people
        return people

    def _turn(self, key: _Key) -> threading.Lock:
        with self._lock:
            return self._turns.setdefault(key, threading.Lock())

    def _is_young(self, since: datetime, now: datetime) -> bool:
        return timedelta(0) <= now - since < self._ttl
