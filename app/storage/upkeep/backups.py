"""Backups of the whole database, with the tools of its kind: SQLite's online copy, pg_dump and pg_restore.

A backup is whole or not there: it is written beside its place and then moved. The identity of the installation is no
part of it. What a tool says is not passed on where it may quote a row.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from sqlalchemy import URL, make_url

OWN_ONLY = 0o600
_SQLITE, _DUMP = b"SQLite format 3\0", b"PGDMP"
_MAINTENANCE = "postgres"
"""The database of a PostgreSQL server from which others are made and dropped."""


class Trouble(StrEnum):
    """Why there is no backup, or none that could be checked."""

    EXISTS = "exists"
    NO_FILE = "no_file"
    NO_FOLDER = "no_folder"
    IN_MEMORY = "in_memory"
    NOT_WRITTEN = "not_written"
    NO_TOOL = "no_tool"
    TOOL_FAILED = "tool_failed"
    NOT_A_BACKUP = "not_a_backup"
    OTHER_KIND = "other_kind"
    DAMAGED = "damaged"
    NO_SCRATCH = "no_scratch"


class BackupError(Exception):
    """`subject`: the tool, or the kind of error that the system told."""

    def __init__(self, trouble: Trouble, subject: str = "") -> None:
        super().__init__(f"{trouble.value} {subject}".strip())
        self.trouble, self.subject = trouble, subject


def write_backup(url: str, file: Path) -> None:
    """Write the database as it is at one moment, while everybody works. Raises BackupError."""
    if file.exists():
        raise BackupError(Trouble.EXISTS)
    if not file.parent.is_dir():
        raise BackupError(Trouble.NO_FOLDER)
    parsed, unfinished = make_url(url), file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWN_ONLY))
        (_copy_sqlite if parsed.get_backend_name() == "sqlite" else _dump)(parsed, unfinished)
        os.link(unfinished, file)  # fails where somebody was quicker, and never replaces
    except FileExistsError:
        raise BackupError(Trouble.EXISTS) from None
    except (OSError, sqlite3.Error) as error:
        raise BackupError(Trouble.NOT_WRITTEN, type(error).__name__) from None
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def restored(url: str, file: Path, *, folder: Path) -> Iterator[str]:
    """The URL of a scratch database that holds the backup, and is gone afterwards: in `folder` for SQLite, on the
    server of `url` for PostgreSQL. Raises BackupError."""
    try:
        with file.open("rb") as stream:
            magic = stream.read(len(_SQLITE))
    except OSError as error:
        raise BackupError(Trouble.NO_FILE, type(error).__name__) from None
    parsed = make_url(url)
    if magic == _SQLITE:
        with tempfile.TemporaryDirectory(dir=folder, prefix="check-") as scratch:
            yield _opened_sqlite(file, Path(scratch))
    elif not magic.startswith(_DUMP):
        raise BackupError(Trouble.NOT_A_BACKUP)
    elif parsed.get_backend_name() == "sqlite":
        raise BackupError(Trouble.OTHER_KIND)
    else:
        with _scratch(parsed) as there:
            _run("pg_restore", there, "--no-owner", "--no-privileges", "--exit-on-error", str(file), told=False)
            yield there.render_as_string(hide_password=False)


# ── SQLite ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _copy_sqlite(url: URL, file: Path) -> None:
    if url.database in (None, "", ":memory:"):
        raise BackupError(Trouble.IN_MEMORY)
    if not Path(url.database or "").is_file():
        raise BackupError(Trouble.NO_FILE)
    with (
        contextlib.closing(sqlite3.connect(url.database or "")) as here,
        contextlib.closing(sqlite3.connect(file)) as copy,
    ):
        here.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it


def _opened_sqlite(file: Path, folder: Path) -> str:
    there = folder / "awase.db"
    try:
        shutil.copyfile(file, there)
        with contextlib.closing(sqlite3.connect(there)) as opened:
            found = opened.execute("PRAGMA integrity_check").fetchall()
    except (OSError, sqlite3.Error) as error:
        raise BackupError(Trouble.DAMAGED, type(error).__name__) from None
    if found != [("ok",)]:
        raise BackupError(Trouble.DAMAGED)
    return f"sqlite:///{there}"


# ── PostgreSQL ────────────────────────────────────────────────────────────────────────────────────────────────────


def _dump(url: URL, file: Path) -> None:
    _run("pg_dump", url, "--format=custom", "--no-password", f"--file={file}")


@contextlib.contextmanager
def _scratch(url: URL) -> Iterator[URL]:
    import psycopg

    name = f"awase_check_{secrets.token_hex(6)}"
    server = _conninfo(url.set(database=_MAINTENANCE))
    try:
        with psycopg.connect(server, password=url.password, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    except psycopg.Error as error:
        raise BackupError(Trouble.NO_SCRATCH, type(error).__name__) from None
    try:
        yield url.set(database=name)
    finally:
        with psycopg.connect(server, password=url.password, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _run(tool: str, url: URL, *arguments: str, told: bool = True) -> None:
    """Run a tool of PostgreSQL's. The password travels in the environment, because everybody sees arguments. `told`:
    the tool's first line may be passed on."""
    environment = {**os.environ, **({"PGPASSWORD": url.password} if url.password else {})}
    command = [tool, f"--dbname={_conninfo(url)}", *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603 - no shell
    except FileNotFoundError:
        raise BackupError(Trouble.NO_TOOL, tool) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").partition("\n")[0] if told else ""
        raise BackupError(Trouble.TOOL_FAILED, f"{tool} {done.returncode} {said}".strip())


def _conninfo(url: URL) -> str:
    """libpq's own form of the address, without the password."""
    from psycopg.conninfo import make_conninfo

    asked = {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    given = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database, **asked}
    return make_conninfo("", **{name: str(value) for name, value in given.items() if value is not None})
