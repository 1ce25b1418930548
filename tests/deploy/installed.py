"""An installation as somebody makes it: a folder with the code, and a `.env` made out of the example."""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
CODE = ("app", "workers", "wsgi.py", "pyproject.toml", "Procfile", "docs")
KINDS = {"web", "relay", "cron", "worker_interactive", "worker_bulk"}
"""What each kind of process calls itself when it tells that it lives."""
SECONDS = 120.0
"""How long something may take on a machine that does much else; what fails fast does not wait for it."""


def install(folder: Path, **settings: str) -> Path:
    """The folder with the code (links to it), and a `.env`: the example with keys and these settings."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in CODE:
        (folder / name).symlink_to(ROOT / name)
    given = {"SECRET_KEY": secrets.token_urlsafe(48), "ENCRYPTION_KEYS": secrets.token_urlsafe(48), **settings}
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name, value in given.items():
        text, number = re.subn(rf"^{name}=.*$", lambda _, line=f"{name}={value}": line, text, flags=re.MULTILINE)
        assert number == 1, name
    (folder / ".env").write_text(text, encoding="utf-8")
    (folder / ".env").chmod(0o600)
    return folder


def clean_environment(**more: str) -> dict[str, str]:
    """Nothing of ours but what is given: an installation reads its own `.env`."""
    passed = {name: os.environ[name] for name in ("HOME", "LANG", "PYTHONPATH") if name in os.environ}
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **passed, **more}


def flask(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "flask"), *words]
    around = clean_environment(**(env or {}))
    return subprocess.run(command, cwd=folder, env=around, capture_output=True, text=True, timeout=SECONDS)


def await_that(holds: Callable[[], bool], *, alive: Callable[[], bool] = lambda: True) -> None:
    """Return when it holds. Fails when it does not in time, or when what should do it has ended."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert alive(), "what should do it has ended"
        assert time.monotonic() < end, f"not within {SECONDS:.0f} s"
        time.sleep(0.2)


def is_ready(port: int) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).json() == {"status": "ok"}
        except (requests.RequestException, ValueError):
            return False


def living(database: Path) -> set[str]:
    """The kinds of processes that have told of themselves."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM processes")]
    return {name.partition("@")[0].replace(" ", "_") for name in names}
