"""Signs cookies and form tokens with the signing key in use, and takes those that a former key has signed."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer


class KeyedSessions(SecureCookieSessionInterface):
    """Flask's own sessions. Flask takes former keys too (SECRET_KEY_FALLBACKS), but reads its settings once: here the
    key in use may change while the process runs."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = keys

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        return URLSafeTimedSerializer(
            list(self._keys),
            salt=self.salt,
            serializer=self.serializer,
            signer_kwargs={"key_derivation": self.key_derivation, "digest_method": self.digest_method},
        )


def sign_with(app: Flask, keys: Iterable[str]) -> None:
    """`keys`: looked through at each use; the last one signs, all are taken."""
    *_, app.config["SECRET_KEY"] = keys
    app.config["WTF_CSRF_SECRET_KEY"] = keys
    app.session_interface = KeyedSessions(keys)
