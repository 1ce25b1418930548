"""Rate limits as the vendors count them, and the headers in which they say so.

SmartHR: 10 calls a second and 5,000 an hour per token; headers on every answer, reset in seconds; over the limit 429.
Which limit the `x-intensive-…` headers report is not documented: here the one per second.
freee: 10,000 calls an hour, reset as an ISO timestamp, 429; besides, "too much in a short while" is 403 for about 10
minutes, without published numbers: here 300 calls in 10 seconds.
Windows are fixed, not sliding (not documented either).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Epoch seconds now."""


@dataclass(frozen=True)
class Rates:
    """The numbers. `burst` calls within `burst_seconds` close freee's door for `closed_seconds`."""

    smarthr_hour: int = 5_000
    smarthr_second: int = 10
    freee_hour: int = 10_000
    freee_burst: int = 300
    burst_seconds: float = 10.0
    closed_seconds: float = 600.0


REAL = Rates()
FAST = Rates(smarthr_hour=3_600_000, smarthr_second=1_000, freee_hour=3_600_000, freee_burst=10_000)
BY_NAME = {"real": REAL, "fast": FAST}


@dataclass(frozen=True)
class Verdict:
    """`refused`: "" when the call may pass, "quota" (429) or "burst" (freee's 403). `headers` go on every answer."""

    refused: str
    headers: dict[str, str]


class FixedWindow:
    """Counts calls in windows that start at whole multiples of their length. Not locked."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._window = -1
        self._used = 0

    def take(self, now: float) -> bool:
        """Count one call; False when the window is full."""
        window = int(now // self.seconds)
        if window != self._window:
            self._window, self._used = window, 0
        if self._used >= self.limit:
            return False
        self._used += 1
        return True

    @property
    def remaining(self) -> int:
        return self.limit - self._used

    def resets_at(self, now: float) -> float:
        """The moment the present window ends."""
        return (now // self.seconds + 1) * self.seconds


class SmartHRLimits:
    """SmartHR's counters, per token."""

    def __init__(self, rates: Rates = REAL, *, clock: Clock = time.time) -> None:
        self._rates = rates
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[FixedWindow, FixedWindow]] = {}

    def check(self, token: str) -> Verdict:
        """Count one call of this token."""
        now = self._clock()
        with self._lock:
            new = (FixedWindow(self._rates.smarthr_hour, 3600), FixedWindow(self._rates.smarthr_second, 1))
            hour, second = self._windows.setdefault(token, new)
            passed = second.take(now) and hour.take(now)
            headers = _seconds_headers("x-rate-limit", hour, now=now)
            headers |= _seconds_headers("x-intensive-rate-limit", second, now=now)
        return Verdict("" if passed else "quota", headers)

    def reset(self) -> None:
        with self._lock:
            self._windows.clear()


class FreeeLimits:
    """freee's counters, per company (freee does not document by what it counts)."""

    def __init__(self, rates: Rates = REAL, *, clock: Clock = time.time) -> None:
        self._rates = rates
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[FixedWindow, FixedWindow]] = {}
        self._closed_until: dict[str, float] = {}

    def check(self, key: str) -> Verdict:
        """Count one call. A burst closes the door; calls against the closed door do not keep it closed for longer."""
        now = self._clock()
        with self._lock:
            new = (
                FixedWindow(self._rates.freee_hour, 3600),
                FixedWindow(self._rates.freee_burst, self._rates.burst_seconds),
            )
            hour, burst = self._windows.setdefault(key, new)
            refused = self._refusal(key, hour, burst, now=now)
            headers = _timestamp_headers(hour, now=now)
        return Verdict(refused, headers)

    def _refusal(self, key: str, hour: FixedWindow, burst: FixedWindow, *, now: float) -> str:
        if now < self._closed_until.get(key, 0.0):
            return "burst"
        if not burst.take(now):
            self._closed_until[key] = now + self._rates.closed_seconds
            return "burst"
        return "" if hour.take(now) else "quota"

    def reset(self) -> None:
        with self._lock:
            self._windows.clear()
            self._closed_until.clear()


def _seconds_headers(prefix: str, window: FixedWindow, *, now: float) -> dict[str, str]:
    return {
        f"{prefix}-limit": str(window.limit),
        f"{prefix}-remaining": str(window.remaining),
        f"{prefix}-reset": str(max(1, round(window.resets_at(now) - now))),
    }


def _timestamp_headers(window: FixedWindow, *, now: float) -> dict[str, str]:
    reset = datetime.fromtimestamp(window.resets_at(now), UTC)
    return {
        "X-RateLimit-Limit": str(window.limit),
        "X-RateLimit-Remaining": str(window.remaining),
        "X-RateLimit-Reset": reset.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
