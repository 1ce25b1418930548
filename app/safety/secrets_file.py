"""The file of SECRETS_FILE, from which the keys can be read instead of from variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.safety.faults import Fault

_IN_SECRETS_FILE = ("SECRET_KEY", "SECRET_KEY_PREVIOUS", "ENCRYPTION_KEYS")


def with_secrets_file(env: Mapping[str, str]) -> tuple[Mapping[str, str], list[Fault]]:
    """The variables, with the keys that the file of SECRETS_FILE holds, one NAME=value a line, and what is wrong with
    the file. A process reads it each time it starts, so that keys can be changed without starting the process manager
    anew."""
    if not env.get("SECRETS_FILE"):
        return env, []
    try:
        lines = Path(env["SECRETS_FILE"]).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):  # ValueError: no UTF-8, or a name that no file can have
        return env, [Fault("setting_malformed", "SECRETS_FILE", "のファイルを読めません。")]
    pairs = [line.partition("=") for line in lines if line.strip() and not line.startswith("#")]
    if any(name.strip() not in _IN_SECRETS_FILE for name, _, _ in pairs):
        told = f"のファイルに書けるのは {'、'.join(_IN_SECRETS_FILE)} の NAME=値 の行だけです。"
        return env, [Fault("setting_malformed", "SECRETS_FILE", told)]
    return {**env, **{name.strip(): value.strip() for name, _, value in pairs}}, []
