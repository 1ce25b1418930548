"""Vault: encrypts the values that must not be readable in the database.

Fernet encrypts with the key in use (see `keyring`) and decrypts with every key given. HKDF derives the Fernet keys, so
that any string of 16 characters or more can be a key.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any, overload

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.domain.errors import TemporaryError
from app.storage.enums import KeyKind
from app.storage.keyring import Ring

SHORTEST_KEY = 16


LOCKED = "stored_value_locked"
LOCKED_SECONDS = 60.0
"""After how long a job looks again whether a key has been given by now."""


class VaultError(TemporaryError):
    """A stored value was encrypted with a key that this process was not given. Nothing is lost: whoever gives the key
    again reads it, so whatever needs it waits, and no employee is blamed."""

    def __init__(self) -> None:
        super().__init__(LOCKED, retry_after=LOCKED_SECONDS, counts=False)


class BadKey(Exception):
    """A key of ENCRYPTION_KEYS is too short."""


class Vault:
    """`keys`: newest first, each at least 16 characters, or a ring of them. Raises BadKey."""

    def __init__(self, keys: Sequence[str] | Ring) -> None:
        texts = [key.text for key in keys.keys] if isinstance(keys, Ring) else keys
        if not texts or any(len(text) < SHORTEST_KEY for text in texts):
            raise BadKey(f"ENCRYPTION_KEYS: at least one key, each {SHORTEST_KEY} characters or more")
        self.ring = keys if isinstance(keys, Ring) else Ring(KeyKind.ENCRYPTION, keys)
        self._fernets = {key.id: Fernet(_derive(key.text)) for key in self.ring.keys}

    def __repr__(self) -> str:
        return "Vault(...)"

    def encrypt(self, text: str) -> str:
        return self.encrypt_bytes(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """The text behind a token. Raises VaultError when none of the given keys opens it."""
        return self.decrypt_bytes(token.encode()).decode()

    def encrypt_bytes(self, content: bytes) -> bytes:
        return self._fernets[self.ring.in_use.id].encrypt(content)

    def decrypt_bytes(self, token: bytes) -> bytes:
        return self._opened(token)[1]

    def sealed_list(self, texts: Sequence[str]) -> str:
        """The token of these texts; of texts that were never opened the token that they have."""
        return texts.token if isinstance(texts, SealedList) else self.encrypt_json(list(texts))

    def key_of(self, token: bytes) -> str | None:
        """Id of the key under which a token stands; None when none of the given keys opens it."""
        try:
            return self._opened(token)[0]
        except VaultError:
            return None

    def renewed(self, token: bytes) -> bytes | None:
        """The same value under the key in use; None where it stands under that already. Raises VaultError."""
        key_id, content = self._opened(token)
        return None if key_id == self.ring.in_use.id else self.encrypt_bytes(content)

    def _opened(self, token: bytes) -> tuple[str, bytes]:
        for key in self.ring.by_preference():
            try:
                return key.id, self._fernets[key.id].decrypt(token)
            except InvalidToken:
                continue
        raise VaultError

    def encrypt_json(self, value: Any) -> str:
        return self.encrypt(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def decrypt_json(self, token: str) -> Any:
        return json.loads(self.decrypt(token))


class SealedList(Sequence[str]):
    """Texts that are opened only when somebody looks at them: whoever needs them not goes on without their key. Raises
    VaultError at that moment."""

    def __init__(self, vault: Vault, token: str) -> None:
        self._vault, self.token = vault, token

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        return tuple(self._vault.decrypt_json(self.token))

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self._texts[index]

    def __len__(self) -> int:
        return len(self._texts)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SealedList) and other.token == self.token:
            return True  # known without the key: whoever changes something else must not need it
        return isinstance(other, Sequence) and self._texts == tuple(other)

    def __hash__(self) -> int:
        return hash(self._texts)

    def __repr__(self) -> str:
        return "SealedList(...)"


def _derive(key: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"awase:values").derive(key.encode())
    return base64.urlsafe_b64encode(derived)
