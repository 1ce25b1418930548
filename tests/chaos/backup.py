"""A house's database, kept at a moment and put back later, with the tools an operator has."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from pathlib import Path

from tests.chaos.house import House, durable_database
from tests.storage.servers import drop_database, run_tool

NAME = "awase"
"""Of the database in the cluster."""


def take(house: House, file: Path) -> None:
    """While everybody works: SQLite's own online copy, or pg_dump."""
    file.unlink(missing_ok=True)
    if house.cluster is None:
        with (
            contextlib.closing(sqlite3.connect(_file(house))) as here,
            contextlib.closing(sqlite3.connect(file)) as kept,
        ):
            here.backup(kept)
        return
    with file.open("wb") as out:
        run_tool("pg_dump", "--host", str(house.cluster), "--username", "awase", NAME, stdout=out)


def put_back(house: House, file: Path) -> None:
    """While nobody works; everything since is gone."""
    if house.cluster is None:
        target = _file(house)
        for each in (target, *(target.with_name(f"{target.name}-{part}") for part in ("wal", "shm"))):
            each.unlink(missing_ok=True)
        target.write_bytes(file.read_bytes())
        return
    drop_database(house.cluster, NAME)
    durable_database(house.cluster)
    with file.open("rb") as dump:
        quiet = ("--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", NAME)
        run_tool(
            "psql", "--host", str(house.cluster), "--username", "awase", *quiet, stdin=dump, stdout=subprocess.DEVNULL
        )


def _file(house: House) -> Path:
    return house.folder / "awase.db"
