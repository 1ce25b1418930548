"""What a release has left, put into a database that stands at its revision, and both vendors as it left them."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from app.storage.schema import migrate, sqlite_files
from tests.clock import TurnedClock
from tests.house import House, house_on, settings_for
from tests.upgrades.leave import house_file, small_company
from tests.upgrades.releases import Left, Release
from tests.vendors import take_vendors


def restore(release: Release, url: str) -> Left:
    """`url`: of a database without tables."""
    left = release.left()
    migrate(url, release.revision)
    if files := sqlite_files(url):
        _into_sqlite(files[0], left)
    else:
        _into_postgresql(url, left)
    return left


def wake(folder: Path, url: str, left: Left) -> House:
    """The release's house under the present code, a minute after its processes were killed. Call `close()`."""
    clock = TurnedClock(datetime.fromisoformat(left.head["taken_at"]) + timedelta(minutes=1))
    company = small_company()
    vendors = take_vendors(company, {}, {}, lambda: clock.now().timestamp())
    variables = {"DATABASE_URL": url, "HOUSE_FILE": house_file(folder)}
    settings = settings_for(folder, smarthr=vendors.servers[0].url, freee=vendors.servers[1].url, **variables)
    house = house_on(settings, clock, company, vendors)
    for vendor, memory in (("smarthr", house.smarthr.memory), ("freee", house.freee.memory)):
        with memory.lock:
            memory.take(left.kept_by(vendor))
    return house


def _into_sqlite(file: Path, left: Left) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for table, row in left.rows:
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" for _ in row)
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", [_bytes(v) for v in row.values()])


def _into_postgresql(url: str, left: Left) -> None:
    """Each value is told as text, which PostgreSQL reads as the column's type."""
    where = make_url(url)
    with psycopg.connect(f"host={where.query['host']} user={where.username} dbname={where.database}") as connection:
        connection.execute("SET session_replication_role = replica")  # rows come in no order of their references
        types = {
            (table, column): kind
            for table, column, kind in connection.execute(
                "SELECT table_name, column_name, data_type FROM information_schema.columns"
                " WHERE table_schema = 'public'"
            )
        }
        for table, row in left.rows:
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join(f"CAST(%s AS {types[table, name]})" for name in row)
            values = [_told(_bytes(value), types[table, name]) for name, value in row.items()]
            connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)  # type: ignore[arg-type]
        for (table,) in connection.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND column_name = 'id' AND pg_get_serial_sequence(table_name, 'id') IS NOT NULL"
        ).fetchall():
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT coalesce(max(id), 1) FROM {table}))"
            )


def _bytes(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def _told(value: Any, kind: str) -> Any:
    if value is None or isinstance(value, bytes):
        return value
    if kind.startswith("timestamp"):
        return f"{value}+00"  # SQLite keeps no zone
    return str(value)
