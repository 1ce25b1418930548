"""`.env`: the variables of a service that nobody else's process manager sets.

It is the file that `flask` finds by itself (from the working folder upward), read by the same library, so that a
command and a worker never stand on two files. The real environment wins. `FLASK_SKIP_DOTENV=1` keeps both from it: the
practice house sets it, because a rehearsal brings its own environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values, find_dotenv
from dotenv.parser import Binding, parse_stream

from app.safety.faults import Fault

NAME = ".env"
SKIP = "FLASK_SKIP_DOTENV"


def surroundings() -> tuple[Mapping[str, str], list[Fault]]:
    """The environment of this process, after `.env` has added what was not set, and what is wrong with that file.

    It is added to the environment itself, because libraries read variables there (PGSSLMODE, HTTPS_PROXY,
    REQUESTS_CA_BUNDLE), and so do the processes that this one starts.
    """
    file = env_file()
    if file is None:
        return os.environ, []
    try:
        with file.open(encoding="utf-8-sig") as lines:
            wrong = [each.original.line for each in parse_stream(lines) if each.error or _lacks_value(each)]
        given = dotenv_values(file, encoding="utf-8-sig")
    except (OSError, ValueError):  # ValueError: no UTF-8
        return os.environ, [Fault("env_file_unreadable", NAME, "のファイルを読めません。", _READABLE)]
    for name, value in given.items():
        if value is not None:
            os.environ.setdefault(name, value)
    return os.environ, [_odd(line) for line in wrong]


def env_file() -> Path | None:
    """The `.env` that this process stands on; None when there is none or it is not to be read."""
    if os.environ.get(SKIP, "").lower() not in ("", "0", "false", "no"):
        return None
    found = find_dotenv(NAME, usecwd=True)
    return Path(found) if found else None


_READABLE = "サービスの利用者が読める UTF-8 のファイルにしてください。"


def _lacks_value(line: Binding) -> bool:
    return line.key is not None and line.value is None


def _odd(line: int) -> Fault:
    return Fault("env_file_malformed", NAME, f"の {line} 行目は NAME=値 の形ではありません。")
