"""Passwords at rest: hashed with argon2id. When a user signs in, an outdated hash is replaced by one with the present
parameters. The `hasher` of the context knows them."""

from __future__ import annotations

import secrets
import threading
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_TURN = threading.BoundedSemaphore(4)
"""At most four hashes are computed at a time: each takes 64 MiB, and sign-ins must not eat up the memory of the whole
service."""


def hash_password(hasher: PasswordHasher, password: str) -> str:
    with _TURN:
        return hasher.hash(password)


def is_right(hasher: PasswordHasher, stored: str | None, password: str) -> bool:
    """Whether the hash `stored` was made from this password. `stored` None: no user has this login; the check then
    takes as long as any other, so that its time does not tell, and its result is False."""
    nobody = _nobody(hasher)
    with _TURN:
        try:
            hasher.verify(nobody if stored is None else stored, password)
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def is_outdated(hasher: PasswordHasher, stored: str) -> bool:
    """Whether this hash was made with other parameters than the present ones."""
    return hasher.check_needs_rehash(stored)


@lru_cache(maxsize=8)
def _nobody(hasher: PasswordHasher) -> str:
    return hasher.hash(secrets.token_hex(16))
