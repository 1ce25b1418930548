"""Secrets out of files instead of variables: the keys in the file of SECRETS_FILE, or each secret in one of its own.

Other processes and crash reports show variables, and a container's description keeps them; a file has an owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from app.safety.faults import Fault

_IN_SECRETS_FILE = ("SECRET_KEY", "SECRET_KEY_PREVIOUS", "ENCRYPTION_KEYS")
FILE = "_FILE"
"""NAME_FILE names the file with the value of NAME."""
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""The variable with the folder in which systemd hands over what LoadCredential= names."""


class _Unread(Exception):
    """A secret's file gives no value; `code` and `told` as in `Fault`."""

    def __init__(self, code: str, told: str) -> None:
        super().__init__(code)
        self.code = code
        self.told = told


def with_secrets(env: Mapping[str, str], names: Iterable[str]) -> tuple[Mapping[str, str], list[Fault]]:
    """The variables, with the secrets (`names`) that stand in files, and what is wrong with these files."""
    env, faults = with_secrets_file(env)
    found = dict(env)
    for name in names:
        try:
            if env.get(f"{name}{FILE}"):
                found[name] = _single(env, name)
        except _Unread as wrong:
            faults.append(Fault(wrong.code, f"{name}{FILE}", wrong.told))
    return found, faults


def _single(env: Mapping[str, str], name: str) -> str:
    """The secret in the file of NAME_FILE, without the line break at its end. Raises _Unread."""
    if env.get(name):
        raise _Unread("secret_given_twice", f"と {name} の両方があります。どちらか一つにしてください。")
    try:
        value = secret_file(env, name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _Unread("secret_file_missing", "のファイルがありません。") from None
    except (OSError, ValueError):  # ValueError: no UTF-8, or a name that no file can have
        raise _Unread("secret_file_unreadable", "のファイルを読めません。") from None
    value = value.removesuffix("\n").removesuffix("\r")
    if not value.strip():
        raise _Unread("secret_file_empty", "のファイルが空です。")
    return value


def secret_file(env: Mapping[str, str], name: str) -> Path:
    """The file of NAME_FILE. A name without a folder is one of the credentials of systemd, where it hands some over."""
    file = Path(env[f"{name}{FILE}"])
    handed = env.get(CREDENTIALS)
    return Path(handed) / file if handed and file == Path(file.name) else file


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
