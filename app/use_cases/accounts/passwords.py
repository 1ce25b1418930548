"""Passwords at rest: hashed with argon2id. When a user signs in, an outdated hash is replaced by one with the present
parameters. The `hasher` of the context knows them."""

from __future__ import annotations

import os
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from functools import lru_cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.domain.errors import TemporaryError
from app.places import place_given_up

TURNS = max(1, min(4, (os.cpu_count() or 1) // 2))
"""At most so many hashes are computed at a time: each takes 64 MiB and several processors, and sign-ins must not eat up
those of the whole service."""
MOST_WAITING = 4
PATIENCE_SECONDS = 10.0
RETRY_SECONDS = 3.0
_LESS_URGENT = 10
"""How much lower the priority of these threads is (as `nice` counts), where the system has one per thread (Linux): the
library computes with several threads, and with a lower figure a flood of sign-ins takes half of two processors."""
T = TypeVar("T")


class Hashing:
    """A bounded pool: so many compute, so many wait for a moment, everybody else is told at once that it is full. A
    flood of sign-ins so takes neither the processor nor the threads of the rest."""

    def __init__(self, *, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        """With no thread and no place taken. In a child of a fork the threads of the parent do not exist."""
        self._lock = threading.Lock()
        self.taken = 0
        """How many hashes wait or are being computed."""
        self._threads = ThreadPoolExecutor(TURNS, thread_name_prefix="password", initializer=_yield_to_others)

    def compute(self, hashing: Callable[[], T]) -> T:
        """What `hashing` returns or raises. Raises TemporaryError "passwords_busy" when there is no turn."""
        with self._lock:
            if self.taken >= TURNS + MOST_WAITING:
                raise _busy()
            self.taken += 1
        try:
            computed = self._threads.submit(hashing)
        except RuntimeError:  # the system gives no thread, or the process is ending
            self._free()
            raise _busy() from None
        computed.add_done_callback(self._free)
        try:
            with place_given_up():
                return computed.result(self._patience)
        except FutureTimeout:
            computed.cancel()
            raise _busy() from None

    def _free(self, _computed: object = None) -> None:
        with self._lock:
            self.taken -= 1


def _busy() -> TemporaryError:
    return TemporaryError("passwords_busy", retry_after=RETRY_SECONDS)


def _yield_to_others() -> None:
    if sys.platform != "linux":
        return  # elsewhere it would be the priority of the whole process
    with suppress(OSError):  # where that is forbidden, sign-ins are worth more than their priority
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + _LESS_URGENT)


_HASHING = Hashing()


def hash_password(hasher: PasswordHasher, password: str) -> str:
    """The hash to be stored. Raises TemporaryError "passwords_busy"."""
    return _HASHING.compute(lambda: hasher.hash(password))


def is_right(hasher: PasswordHasher, stored: str | None, password: str) -> bool:
    """Whether the hash `stored` was made from this password. `stored` None: no user has this login; the check then
    takes as long as any other, so that its time does not tell, and its result is False. Raises TemporaryError
    "passwords_busy"."""

    def verifies() -> bool:
        nobody = _nobody(hasher)  # for everybody, so that the very first time does not tell either
        return _verifies(hasher, nobody if stored is None else stored, password)

    return _HASHING.compute(verifies) and stored is not None


def _verifies(hasher: PasswordHasher, stored: str, password: str) -> bool:
    try:
        return hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(hasher: PasswordHasher, stored: str) -> bool:
    """Whether this hash was made with other parameters than the present ones."""
    return hasher.check_needs_rehash(stored)


@lru_cache(maxsize=8)
def _nobody(hasher: PasswordHasher) -> str:
    return hasher.hash(secrets.token_hex(16))
