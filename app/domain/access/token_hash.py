"""What is kept of a token, a state or an API key in place of itself."""

from __future__ import annotations

import hashlib


def hash_of(secret: str) -> str:
    """A quick hash is enough, because these secrets are random and long: nobody tries them all. What a browser sends
    may hold bytes that are no text; its hash is then that of no secret which we have given out."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
