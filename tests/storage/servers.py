"""A PostgreSQL server of the tests' own: a throw-away cluster on a Unix socket, run by somebody who is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

SERVER_USER = "postgres"
ROOM_WANTED = 2 * 1024**3
"""Bytes: a test may open a hundred databases of 9 MB; a container often has 64 MB of shared memory."""


def missing_parts() -> str | None:
    """Why no PostgreSQL can be started here, or None."""
    if _binary("initdb") is None or _binary("pg_ctl") is None:
        return "no PostgreSQL server on this machine (initdb, pg_ctl)"
    if os.geteuid() == 0 and not _has_user(SERVER_USER):
        return f"PostgreSQL refuses to run as root, and there is no user {SERVER_USER} to run it as"
    return None


@contextmanager
def running_cluster() -> Iterator[Path]:
    """The folder of the server's socket; everything is gone afterwards."""
    memory = Path("/dev/shm")  # a cluster is 40 MB of small files: on a slow disk they cost more than the tests
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_WANTED
    folder = Path(tempfile.mkdtemp(prefix="awase-pg-", dir=memory if roomy else None))
    data = folder / "data"
    if os.geteuid() == 0:
        account = pwd.getpwnam(SERVER_USER)
        os.chown(folder, account.pw_uid, account.pw_gid)
    try:
        _run("initdb", "-D", str(data), "-U", "awase", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        options += " -c max_connections=120"
        _run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield folder
        finally:
            _run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restart_cluster(socket: Path, mode: str = "immediate") -> None:
    """Crash and recovery: every connection is cut, what was not committed is gone. `mode` "fast": sessions are cut in
    order."""
    _run("pg_ctl", "-D", str(socket / "data"), "-m", mode, "-w", "-l", str(socket / "log"), "restart")


def create_database(socket: Path, name: str, *, template: str | None = None) -> str:
    """A fresh database, empty or a copy (nobody may be connected to the template); returns its URL."""
    _execute(socket, f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')
    return f"postgresql+psycopg://awase@/{name}?host={socket}"


def drop_database(socket: Path, name: str) -> None:
    """Gone, whoever is still connected: a database takes 9 MB of memory."""
    _execute(socket, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(socket: Path, statement: str) -> None:
    with psycopg.connect(f"host={socket} user=awase dbname=postgres", autocommit=True) as connection:
        connection.execute(statement)


def _as_server_user() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(SERVER_USER)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _run(program: str, *arguments: str) -> None:
    binary = _binary(program)
    assert binary is not None
    done = subprocess.run(
        [binary, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        timeout=60,
        check=False,
        **_as_server_user(),
    )
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')}")


def run_tool(program: str, *arguments: str, **streams: Any) -> None:
    """A client of the same installation, as we are. `streams`: stdin, stdout. Raises RuntimeError with what it said."""
    binary = _binary(program)
    assert binary is not None
    done = subprocess.run([binary, *arguments], stderr=subprocess.PIPE, timeout=120, check=False, **streams)
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')}")


def _binary(name: str) -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
