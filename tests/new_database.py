"""New SQLite databases of tests. They are copies of one that is migrated once per process: to go through all migrations
takes longer than most tests."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from app.storage.schema import migrate


@cache
def template() -> Path:
    """The migrated file, which nobody opens."""
    folder = Path(tempfile.mkdtemp(prefix="awase-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    migrate(f"sqlite:///{folder / 'awase.db'}")
    return folder / "awase.db"


def new_database(path: Path) -> str:
    """The URL of a new, migrated and empty database in this file."""
    shutil.copy(template(), path)
    return f"sqlite:///{path}"
