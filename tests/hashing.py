"""Passwords of tests are hashed the same way and cost nothing: what the product spends on a hash is most of what a test
of a sign-in would take. `tests/web/test_web_access.py` holds what the product spends."""

from __future__ import annotations

from argon2 import PasswordHasher

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
