"""A brake on guessing passwords: after so many attempts per account and per address in a window, the sign-in waits.

Redis holds the counts, so that several web processes count together; while Redis is away, each process counts for
itself. A sign-in never hangs because Redis does: every wait for Redis is short, and after a failure this process leaves
Redis alone for a while. Every attempt is counted before the password is looked at, and by the login that was typed: so
nothing tells whether such an account exists. The brake is a window and not a lock: it ends by itself, however long the
guessing goes on.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import threading
import time
from collections.abc import Callable
from typing import TypeVar, cast

import structlog
from flask import Flask, current_app, request
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from app.config import Settings
from app.domain.errors import Refused

PER_ACCOUNT = parse("10 per 15 minutes")
PER_ADDRESS = parse("100 per 15 minutes")
"""Higher than for an account, because all people of an office may share one address."""
WAIT_SECONDS = 0.25
"""How long each step of a call to Redis may take."""
LEFT_ALONE_SECONDS = 10.0
_EXTENSION = "awase-sign-ins"
T = TypeVar("T")

log = structlog.get_logger("awase.web")


class TooManyAttempts(Refused):
    """The sign-in has to wait. `seconds`: the time until the next attempt is looked at."""

    def __init__(self, seconds: int) -> None:
        minutes = math.ceil(seconds / 60)
        message = f"サインインの試行が多すぎます。{minutes}分ほど待ってから、もう一度お試しください。"
        super().__init__("too_many_sign_ins", message, status=429)
        self.seconds = seconds
        self.minutes = minutes


class Attempts:
    """Counts sign-in attempts, in Redis or, while Redis is away, in this process."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.secret_key.encode()
        self._here = FixedWindowRateLimiter(MemoryStorage())
        self._shared = FixedWindowRateLimiter(_redis(settings.redis_url))
        self._away_until = -math.inf
        self._lock = threading.Lock()

    def count(self, login: str, address: str) -> None:
        """Count one more attempt. Raises TooManyAttempts when the sign-in must not look at this attempt."""
        counted = ((PER_ADDRESS, ("address", address)), (PER_ACCOUNT, ("account", self._named(login))))
        wait = self._asked(lambda limiter: max(_wait(limiter, item, names) for item, names in counted))
        if wait:
            raise TooManyAttempts(math.ceil(wait))

    def forget(self, login: str) -> None:
        """Forget the account's attempts, because the right password was given: the account starts from nothing."""
        self._asked(lambda limiter: limiter.clear(PER_ACCOUNT, "account", self._named(login)))

    def _named(self, login: str) -> str:
        """A keyed digest of the login, so that no login itself stands in Redis."""
        return hmac.new(self._key, login.strip().casefold().encode(), hashlib.sha256).hexdigest()[:32]

    def _asked(self, question: Callable[[FixedWindowRateLimiter], T]) -> T:
        with self._lock:
            away = time.monotonic() < self._away_until
        if not away:
            try:
                return question(self._shared)
            except StorageError as error:
                with self._lock:
                    self._away_until = time.monotonic() + LEFT_ALONE_SECONDS
                log.warning("sign_ins_counted_here", error=type(error.storage_error).__name__)
        return question(self._here)


def attach_throttle(app: Flask, settings: Settings) -> None:
    app.extensions[_EXTENSION] = Attempts(settings)


def count_attempt(login: str) -> None:
    """Count a sign-in attempt that this request makes. Raises TooManyAttempts."""
    _attempts().count(login, request.remote_addr or "unknown")


def forget_attempts(login: str) -> None:
    _attempts().forget(login)


def _attempts() -> Attempts:
    return cast(Attempts, current_app.extensions[_EXTENSION])


def _wait(limiter: FixedWindowRateLimiter, item: RateLimitItem, names: tuple[str, str]) -> float:
    """0 when this attempt may be looked at, else the seconds until the window ends."""
    if limiter.hit(item, *names):
        return 0.0
    return max(1.0, limiter.get_window_stats(item, *names).reset_time - time.time())


def _redis(url: str) -> Storage:
    """The storage in Redis, which connects at its first use."""
    address = url.replace("unix://", "redis+unix://", 1) if url.startswith("unix://") else url
    waits = {"socket_timeout": WAIT_SECONDS, "socket_connect_timeout": WAIT_SECONDS}
    return cast(Storage, storage_from_string(address, wrap_exceptions=True, key_prefix="awase", **waits))
