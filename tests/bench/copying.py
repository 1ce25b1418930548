"""Many rows into a table at once, around the repositories."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from itertools import chain
from typing import Any

import psycopg
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from app.storage.tables.models import Base
from app.storage.unit_of_work import Database

Row = Mapping[str, Any]


def copy_rows(database: Database, table: str, rows: Iterable[Row]) -> None:
    """Put rows into a table, PostgreSQL's by COPY. Every row has the keys of the first one; what SQLAlchemy would fill
    in is filled in here."""
    supply = iter(rows)
    first = next(supply, None)
    if first is None:
        return
    default = _defaults(table)
    columns = list({**default, **first})
    filled = ({**default, **row} for row in chain([first], supply))
    plain = ([_plain(row[column]) for column in columns] for row in filled)
    raw = database.engine.raw_connection()
    connection = raw.driver_connection
    if isinstance(connection, sqlite3.Connection):
        _insert(connection, table, columns, plain)
    else:
        assert isinstance(connection, psycopg.Connection)
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for values in plain:
                copy.write_row(values)
        connection.commit()
    raw.close()


def _insert(connection: sqlite3.Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    names, places = ", ".join(f'"{each}"' for each in columns), ", ".join("?" for _ in columns)
    connection.execute("BEGIN")
    connection.executemany(
        f"INSERT INTO {table} ({names}) VALUES ({places})", ([_in_sqlite(value) for value in row] for row in rows)
    )
    connection.execute("COMMIT")


def _in_sqlite(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    return value.isoformat() if isinstance(value, date) else value


def _defaults(table: str) -> dict[str, Any]:
    """What SQLAlchemy would fill in: COPY goes around it."""
    columns = Base.metadata.tables[table].columns
    return {c.name: c.default.arg for c in columns if isinstance(c.default, ScalarElementColumnDefault)}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
