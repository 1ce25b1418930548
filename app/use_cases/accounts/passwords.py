"""Passwords at rest: hashed with argon2id. When a user signs in, an outdated hash is replaced by one with the present
parameters."""

from __future__ import annotations

import secrets
import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()
"""argon2id with the library's parameters (RFC 9106, low memory: 64 MiB, 3 passes): they grow with its versions."""
_TURN = threading.BoundedSemaphore(4)
"""At most four hashes are computed at a time: each takes 64 MiB, and sign-ins must not eat up the memory of the whole
service."""


def hash_password(password: str) -> str:
    with _TURN:
        return _HASHER.hash(password)


def is_right(stored: str | None, password: str) -> bool:
    """Whether the hash `stored` was made from this password. `stored` None: no user has this login; the check then
    takes as long as any other, so that its time does not tell, and its result is False."""
    nobody = _nobody()
    with _TURN:
        try:
            _HASHER.verify(nobody if stored is None else stored, password)
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    """Whether this hash was made with other parameters than the present ones."""
    return _HASHER.check_needs_rehash(stored)


@cache
def _nobody() -> str:
    return _HASHER.hash(secrets.token_hex(16))
