"""A brake on guessing passwords: so many attempts per account and per address in a window, then the sign-in waits.

Counted in Redis, so that several web processes count together; in this process while Redis is away. A sign-in never
hangs because Redis does: short limits on every wait, and after a failure Redis is left alone for a while. Every attempt
is counted, before the password is looked at, by what was typed: nothing tells whether such an account exists. A window,
no lock: it ends by itself, however long somebody goes on.
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
"""An office may share one address."""
WAIT_SECONDS = 0.25
"""For Redis, per step."""
LEFT_ALONE_SECONDS = 10.0
_EXTENSION = "awase-sign-ins"
T = TypeVar("T")

log = structlog.get_logger("awase.web")


class TooManyAttempts(Refused):
    """`seconds`: until the next attempt is looked at."""

    def __init__(self, seconds: int) -> None:
        minutes = math.ceil(seconds / 60)
        message = f"サインインの試行が多すぎます。{minutes}分ほど待ってから、もう一度お試しください。"
        super().__init__("too_many_sign_ins", message, status=429)
        self.seconds = seconds
        self.minutes = minutes


class Attempts:
    """Counts attempts, in Redis or here."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.secret_key.encode()
        self._here = FixedWindowRateLimiter(MemoryStorage())
        self._shared = FixedWindowRateLimiter(_redis(settings.redis_url))
        self._away_until = -math.inf
        self._lock = threading.Lock()

    def count(self, login: str, address: str) -> None:
        """One more. Raises TooManyAttempts when this one is not to be looked at."""
        counted = ((PER_ADDRESS, ("address", address)), (PER_ACCOUNT, ("account", self._named(login))))
        wait = self._asked(lambda limiter: max(_wait(limiter, item, names) for item, names in counted))
        if wait:
            raise TooManyAttempts(math.ceil(wait))

    def forget(self, login: str) -> None:
        """The right password was given: the account starts from nothing."""
        self._asked(lambda limiter: limiter.clear(PER_ACCOUNT, "account", self._named(login)))

    def _named(self, login: str) -> str:
        """Nobody's login stands in Redis."""
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
    """Raises TooManyAttempts."""
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
    """Connects at the first use."""
    address = url.replace("unix://", "redis+unix://", 1) if url.startswith("unix://") else url
    waits = {"socket_timeout": WAIT_SECONDS, "socket_connect_timeout": WAIT_SECONDS}
    return cast(Storage, storage_from_string(address, wrap_exceptions=True, key_prefix="awase", **waits))
