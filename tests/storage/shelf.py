"""Migrated PostgreSQL databases that go from test to test, emptied by DELETE: that takes 1 ms, a new one 50 ms.

`session_replication_role = replica` leaves foreign keys and triggers unasked, so the order of the tables is no matter.
Ids begin with 1 again, as in a new database. A test that changed the schema gets its database dropped instead: it is
compared before the next test may have it.
"""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.storage.servers import create_database, drop_database

TEMPLATE = "template_of_tests"
OTHERS_OUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
TABLES = """
    SELECT string_agg(format('DELETE FROM %I', tablename), '; ') FROM pg_tables
    WHERE schemaname = 'public' AND tablename <> 'alembic_version'"""
FIRST_IDS = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
SCHEMA = """
    SELECT (SELECT max(version_num) FROM alembic_version), count(*), max(a.attrelid::bigint),
           (SELECT count(*) FROM pg_index), (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_trigger)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped"""


@dataclass
class Kept:
    """A database on the shelf. `desk`: our own connection to it."""

    desk: psycopg.Connection[Any]
    emptying: str
    schema: Any


@dataclass
class Shelf(AbstractContextManager["Shelf"]):
    """Made as needed: most tests take one database, some two or three."""

    cluster: Path
    _kept: dict[str, Kept] = field(default_factory=dict)
    _free: list[str] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __enter__(self) -> Shelf:
        from app.storage.schema import migrate

        migrate(create_database(self.cluster, TEMPLATE))
        return self

    def __exit__(self, *_error: object) -> None:
        for kept in self._kept.values():
            kept.desk.close()

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://awase@/{name}?host={self.cluster}"

    def take(self) -> str:
        """The name of an empty database, which is the caller's until it is given back."""
        return self._free.pop() if self._free else self._new()

    def give_back(self, name: str) -> None:
        """Throws out whoever is still connected, and empties it for the next."""
        kept = self._kept[name]
        try:
            kept.desk.execute(OTHERS_OUT, [name])
            untouched = kept.desk.execute(SCHEMA).fetchone() == kept.schema
            if untouched:
                kept.desk.execute(kept.emptying)
                kept.desk.execute(FIRST_IDS)
        except psycopg.Error:  # the test cut our connection, or dropped what we read
            untouched = False
        if untouched:
            self._free.append(name)
            return
        self._kept.pop(name).desk.close()
        drop_database(self.cluster, name)

    def _new(self) -> str:
        name = f"kept_{next(self._numbers)}"
        create_database(self.cluster, name, template=TEMPLATE)
        desk = psycopg.connect(f"host={self.cluster} user=awase dbname={name}", autocommit=True)
        desk.execute("SET session_replication_role = replica")
        emptying = desk.execute(TABLES).fetchone()
        assert emptying is not None
        self._kept[name] = Kept(desk, emptying[0], desk.execute(SCHEMA).fetchone())
        return name
