"""Migrations with data in the tables: up keeps every row, down and up again leaves an empty, usable database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Column, Engine, MetaData, Table, func, inspect, select
from sqlalchemy.exc import IntegrityError

from app.storage.schema import current_revision, downgrade, migrate
from app.storage.tables.automatic_models import BeginningTable
from app.storage.tables.columns import Word
from app.storage.tables.models import Base, ConnectionTable
from app.storage.unit_of_work import Database, make_engine
from app.storage.vault import Vault
from tests.storage import schema_walk
from tests.storage.databases import KEY, add_connection, end_item, running_run
from tests.storage.schema_walk import STEPS, contents, engine_of, only, value

pytestmark = pytest.mark.sql

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
BEFORE_BEGINNINGS = next(before for before, revision in STEPS if revision == "0010") or ""
"""The revision after which automatic sync begins with a preview."""
BEFORE_PAIRS = next(before for before, revision in STEPS if revision == "0007") or ""
"""The revision after which a tenant and a company are connected once."""


def fill(engine: Engine) -> None:
    """One row in every table, every column given."""
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(table.insert().values({column.name: value(column) for column in table.columns}))


def rows(engine: Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        return {table.name: list(connection.execute(select(table))) for table in Base.metadata.sorted_tables}


def counts(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


@pytest.fixture
def engine(url: str) -> Any:
    migrate(url)
    opened = make_engine(url)
    fill(opened)
    yield opened
    opened.dispose()


def test_every_type_of_column_comes_back_as_it_went_in(engine: Engine) -> None:
    found = rows(engine)
    for table in Base.metadata.sorted_tables:
        (row,) = found[table.name]
        for column in table.columns:
            assert getattr(row, column.name) == value(column), f"{table.name}.{column.name}"


def test_up_again_keeps_every_row(url: str, engine: Engine) -> None:
    before = rows(engine)
    migrate(url)
    assert rows(engine) == before
    assert set(counts(engine).values()) == {1}


def test_down_and_up_with_data_in_the_tables(url: str, engine: Engine) -> None:
    engine.dispose()
    downgrade(url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    assert current_revision(url) is None
    migrate(url)
    assert set(counts(engine).values()) == {0}
    fill(engine)
    assert set(counts(engine).values()) == {1}


@pytest.mark.reach("test")
@pytest.mark.parametrize(
    "steps",
    [pytest.param(STEPS[-4:], id="the newest"), pytest.param(STEPS, id="all", marks=pytest.mark.reach("all"))],
)
def test_the_rows_of_before_outlive_every_step_up_and_down(url: str, steps: list[tuple[str | None, str]]) -> None:
    """Each migration meets rows in every table, with every column given and with the required ones only."""
    if first := steps[0][0]:
        migrate(url, first)
        with engine_of(url) as engine:
            schema_walk.fill(engine, rows=(2 * len(STEPS), 2 * len(STEPS) + 1))
    for nth, (before, revision) in enumerate(steps):
        with engine_of(url) as engine:
            old = contents(engine)
            migrate(url, revision)
            assert only(contents(engine), old) == old, revision
            schema_walk.fill(engine, rows=(2 * nth + 1, 2 * nth + 2))
            new = contents(engine)
        if before is None:
            continue
        downgrade(url, before)
        with engine_of(url) as engine:
            kept = contents(engine)
            known = only(new, kept)
            for table, rows in old.items():
                assert all(row in kept[table] for row in rows), table
                assert all(row in known[table] for row in kept[table]), table
            migrate(url, revision)  # a row that did not fit the older tables may be gone
            assert only(contents(engine), kept) == kept, revision


def test_connections_that_were_doubled_before_are_kept_and_paused(url: str) -> None:
    """The one with the links keeps the pair; the other one stays, without a pair key. Down and up again as well."""
    migrate(url, BEFORE_PAIRS)
    with engine_of(url) as engine:
        schema_walk.fill(engine, rows=(1, 2))
        there = MetaData()
        there.reflect(engine)
        with engine.begin() as connection:
            names = {"smarthr_subdomain": "mihon", "freee_company_id": 7, "paused": False}
            connection.execute(there.tables["connections"].update().values(names))
            connection.execute(there.tables["links"].update().values(unlinked_at=None, connection_id=2))
    for _ in range(2):
        migrate(url)
        with engine_of(url) as engine, engine.connect() as connection:
            found = connection.execute(select(ConnectionTable.id, ConnectionTable.pair_key, ConnectionTable.paused))
            assert sorted(map(tuple, found)) == [(1, None, True), (2, "mihon 7", False)]
        downgrade(url, BEFORE_PAIRS)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("options", "marked"),
    [
        ({"automatic": "smarthr_to_freee", "conflict_policy": "smarthr_wins"}, ["smarthr_to_freee"]),
        ({"automatic": "freee_to_smarthr", "conflict_policies": {"title": "freee_wins"}}, ["freee_to_smarthr"]),
        ({"automatic": "freee_to_smarthr", "conflict_policy": "smarthr_wins"}, []),
        ({"automatic": "both", "conflict_policy": "smarthr_wins"}, []),
        ({"automatic": "smarthr_to_freee"}, []),
        ({"automatic": "off", "conflict_policy": "smarthr_wins"}, []),
        ({}, []),
    ],
)
def test_a_connection_that_mends_from_now_on_begins_with_a_preview(
    url: str, options: dict[str, Any], marked: list[str]
) -> None:
    """Every other automatic connection goes on as it was."""
    migrate(url, BEFORE_BEGINNINGS)
    with engine_of(url) as engine:
        schema_walk.fill(engine, rows=(1, 2))
        there = MetaData()
        there.reflect(engine)
        table = there.tables["connections"]
        with engine.begin() as connection:
            connection.execute(table.update().values(options={}, removed_at=None))
            connection.execute(table.update().where(table.c.id == 2).values(options=options))
    migrate(url)
    with engine_of(url) as engine, engine.connect() as connection:
        found = connection.execute(select(BeginningTable.direction, BeginningTable.reason)).all()
    assert [(way.value, reason.value) for way, reason in found] == [(way, "upgrade") for way in marked]


def test_a_whole_run_works_after_down_and_up(url: str, engine: Engine) -> None:
    engine.dispose()
    downgrade(url)
    migrate(url)
    database = Database(url, Vault([KEY]))
    connection = add_connection(database)
    run, (item_id,) = running_run(database, connection)
    end_item(database, item_id)
    with database.unit_of_work() as uow:
        assert uow.runs.close(run.id, now=NOW) is not None
    database.dispose()


def test_with_the_connection_everything_of_it_goes(engine: Engine) -> None:
    """Foreign keys are kept by the database itself, and carry the delete along."""
    with engine.begin() as connection:
        connection.execute(Base.metadata.tables["connections"].delete())
    left = {name for name, count in counts(engine).items() if count}
    of_awase_itself = {"api_keys", "users", "sessions", "invitations", "sign_in_brakes", "sightings"}
    of_awase_itself |= {"audit", "audit_head", "storing_proofs"}
    assert left == of_awase_itself | {"leader", "outbox", "tallies", "token_doors", "key_uses", "processes", "houses"}


def test_with_a_user_their_sessions_and_invitations_go_but_not_what_they_did(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(Base.metadata.tables["users"].delete())
    gone = {name for name, count in counts(engine).items() if not count}
    assert gone == {"users", "sessions", "invitations"}


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("connections", ["key"]),
        ("connections", ["pair_key"]),
        ("known_people", ["system", "tenant", "person_id"]),
        ("runs", ["public_id"]),
        ("items", ["run_id", "position"]),
        ("field_changes", ["item_id", "key"]),
        ("links", ["connection_id", "smarthr_id"]),
        ("mails", ["run_id", "kind"]),
        ("history", ["run_id", "kind"]),
        ("survey_pages", ["run_id", "system", "seq"]),
        ("directory", ["connection_id", "system", "person_id"]),
        ("api_keys", ["prefix"]),
        ("users", ["login"]),
        ("sessions", ["token_hash"]),
        ("invitations", ["token_hash"]),
        ("rosters", ["run_id"]),
    ],
)
def test_what_must_be_unique_is_unique_in_the_database(database: Database, table: str, columns: list[str]) -> None:
    """A second row that is new in everything but these columns (and, for a link, live)."""
    engine = database.engine
    fill(engine)
    kept: Table = Base.metadata.tables[table]
    row = {column.name: _another(column) if column.name not in columns else value(column) for column in kept.columns}
    if table == "links":
        with engine.begin() as connection:
            connection.execute(kept.update().values(unlinked_at=None))
        row["unlinked_at"] = None
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(kept.insert().values(row))
    row |= {name: _another(kept.c[name]) for name in columns}
    if all(row[name] == value(kept.c[name]) for name in columns):
        return  # a list of one word: there is no other one yet
    with engine.begin() as connection:
        connection.execute(kept.insert().values(row))


def _another(column: Column[Any]) -> Any:
    if column.foreign_keys or isinstance(column.type, Word):
        return value(column) if not isinstance(column.type, Word) else list(column.type.words)[-1]
    return {int: 2, str: "別"}.get(column.type.python_type, value(column))
