"""Vault: encrypts the values that must not be readable in the database.

It uses MultiFernet (the first key encrypts, all keys decrypt, `rotate` re-encrypts). HKDF derives the Fernet keys, so
that any string of 16 characters or more can be a key.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SHORTEST_KEY = 16


class VaultError(Exception):
    """A key is too short, or a stored value was encrypted with a key that is no longer given."""


class Vault:
    """`keys`: newest first, each at least 16 characters. Raises VaultError."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys or any(len(key) < SHORTEST_KEY for key in keys):
            raise VaultError(f"ENCRYPTION_KEYS: at least one key, each {SHORTEST_KEY} characters or more")
        self._fernet = MultiFernet([Fernet(_derive(key)) for key in keys])

    def __repr__(self) -> str:
        return "Vault(...)"

    def encrypt(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """The text behind a token. Raises VaultError when none of the given keys opens it."""
        return self.decrypt_bytes(token.encode()).decode()

    def encrypt_bytes(self, content: bytes) -> bytes:
        return self._fernet.encrypt(content)

    def decrypt_bytes(self, token: bytes) -> bytes:
        try:
            return self._fernet.decrypt(token)
        except InvalidToken:
            raise VaultError("a stored value cannot be opened with the given ENCRYPTION_KEYS") from None

    def encrypt_json(self, value: Any) -> str:
        return self.encrypt(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def decrypt_json(self, token: str) -> Any:
        return json.loads(self.decrypt(token))

    def rotate(self, token: str) -> str:
        """The same value under the newest key."""
        try:
            return self._fernet.rotate(token.encode()).decode()
        except InvalidToken:
            raise VaultError("a stored value cannot be opened with the given ENCRYPTION_KEYS") from None


def _derive(key: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"awase:values").derive(key.encode())
    return base64.urlsafe_b64encode(derived)
