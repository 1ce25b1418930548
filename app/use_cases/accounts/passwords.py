"""Passwords at rest: argon2id. A stored one is made anew with the parameters of today when its owner signs in."""

from __future__ import annotations

import secrets
import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()
"""argon2id with the library's parameters (RFC 9106, low memory: 64 MiB, 3 passes): they grow with its versions."""
_TURN = threading.BoundedSemaphore(4)
"""So many at a time: each takes 64 MiB, and sign-ins must not eat up the memory of the whole service."""


def hash_password(password: str) -> str:
    with _TURN:
        return _HASHER.hash(password)


def is_right(stored: str | None, password: str) -> bool:
    """Whether this is the password of `stored`; None (nobody has this login) takes as long and is never right."""
    nobody = _nobody()
    with _TURN:
        try:
            _HASHER.verify(nobody if stored is None else stored, password)
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    """Made with other parameters than those of today."""
    return _HASHER.check_needs_rehash(stored)


@cache
def _nobody() -> str:
    return _HASHER.hash(secrets.token_hex(16))
