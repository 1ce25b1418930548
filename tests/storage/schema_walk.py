"""What a walk through the migrations needs: the revisions in order, a schema as plain values, rows for every table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, MetaData, inspect, select

from app.storage import schema
from app.storage.tables.columns import Instant, Word
from app.storage.tables.models import Base
from app.storage.unit_of_work import make_engine

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
REVISIONS = [
    each.revision for each in ScriptDirectory(str(Path(schema.__file__).with_name("migrations"))).walk_revisions()
][::-1]
"""Oldest first."""
STEPS = list(zip([None, *REVISIONS], REVISIONS, strict=False))
"""(revision before or None, revision) of every migration."""

Rows = dict[str, list[dict[str, Any]]]


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    yield engine
    engine.dispose()


def shape(url: str, *, defaults: bool = True) -> dict[str, Any]:
    """The schema as the database itself tells it: columns, keys, indexes with their conditions. Alembic's own table is
    left out, and where not wanted the defaults: a migration needs some for rows that are there already."""
    with engine_of(url) as engine:
        found = inspect(engine)
        return {
            table: {
                "columns": {
                    c["name"]: (
                        str(c["type"].compile(engine.dialect)),
                        c["nullable"],
                        c["default"] if defaults else None,
                    )
                    for c in found.get_columns(table)
                },
                "primary key": found.get_pk_constraint(table)["constrained_columns"],
                "foreign keys": _sorted(found.get_foreign_keys(table)),
                "unique": _sorted(found.get_unique_constraints(table)),
                "indexes": _sorted(found.get_indexes(table)),
                "checks": _sorted(found.get_check_constraints(table)),
            }
            for table in found.get_table_names()
            if table != "alembic_version"
        }


def _sorted(parts: list[Any]) -> list[Any]:
    """As plain text: conditions are objects that equal nothing but themselves."""
    return sorted(
        str(_plain({k: v for k, v in part.items() if k not in ("comment", "duplicates_index")})) for part in parts
    )


def _plain(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _plain(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_plain(value) for value in part]
    return str(part)


def value(column: Column[Any], row: int = 1) -> Any:
    """Something of the column's type; the row's number for ids, so that every foreign key finds its row."""
    if isinstance(column.type, Word):
        return next(word for word in column.type.words)
    if isinstance(column.type, Instant):
        return NOW
    kind = column.type.python_type
    given = {int: row, bool: True, date: date(2026, 11, 22), bytes: b"x", dict: {"k": "値"}}
    return given.get(kind, f"値{row}")


def fill(engine: Engine, *, rows: tuple[int, int]) -> None:
    """Two more rows in every table there is: the first with every column given, the second with the required ones only.

    Columns that the models no longer have get a value of the type the database tells.
    """
    there = MetaData()
    there.reflect(engine)
    with engine.begin() as connection:
        for table in there.sorted_tables:
            if table.name == "alembic_version":
                continue
            known = Base.metadata.tables.get(table.name)
            typed = [known.c[c.name] if known is not None and c.name in known.c else c for c in table.columns]
            full = {column.name: value(column, rows[0]) for column in typed}
            bare = {c.name: value(t, rows[1]) for c, t in zip(table.columns, typed, strict=True) if not c.nullable}
            target = known if known is not None and set(known.c.keys()) == set(table.c.keys()) else table
            for row in (full, bare):
                connection.execute(target.insert().values({k: _raw(target.c[k], v) for k, v in row.items()}))


def _raw(column: Column[Any], given: Any) -> Any:
    """A value for a reflected column, which knows nothing of our types."""
    return getattr(given, "value", given) if not isinstance(column.type, Word) else given


def contents(engine: Engine) -> Rows:
    """Table → its rows as the database tells them."""
    there = MetaData()
    there.reflect(engine)
    with engine.connect() as connection:
        return {
            table.name: sorted((dict(row._mapping) for row in connection.execute(select(table))), key=repr)
            for table in there.sorted_tables
            if table.name != "alembic_version"
        }


def only(rows: Rows, like: Rows) -> Rows:
    """The tables and columns of `rows` that `like` has as well. A table without rows has no columns to compare, but
    must be without rows on both sides."""
    columns = {table: found[0].keys() if found else () for table, found in like.items()}
    return {
        table: sorted(({k: v for k, v in row.items() if k in columns[table]} for row in found), key=repr)
        for table, found in rows.items()
        if table in columns
    }
