"""The migration that begins the list of people who wait: the newest outcome of each person, where it needs somebody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.domain.enums import Direction, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Connection
from app.storage.links.rows import AttentionRow
from app.storage.runs.rows import NewNote, RunRow
from app.storage.schema import downgrade, migrate
from app.storage.tables.models import ItemTable, RunTable
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
from tests.storage.databases import KEY, NOW, add_connection, add_run, new_item

pytestmark = pytest.mark.sql

BEFORE = "0022"
FREEE = Direction.SMARTHR_TO_FREEE


def ended(
    database: Database, run: RunRow, source_id: str | None, state: ItemState, code: str | None, **more: Any
) -> None:
    position = more.pop("position", 0)
    given = {"source_id": source_id, "state": state, "error_code": code, "created_at": run.created_at, **more}
    with database.unit_of_work() as uow:
        uow.items.add_many([new_item(run, position, **given)])


def migrated_again(url: str, database: Database) -> dict[str, AttentionRow]:
    """The list as the migration makes it from what is stored."""
    database.dispose()
    downgrade(url, BEFORE)
    migrate(url)
    opened = Database(url, Vault([KEY]))
    try:
        with opened.unit_of_work().reading() as uow:
            return {row.source_id: row for row in uow.attention.of_connection(1)}
    finally:
        opened.dispose()


@pytest.fixture
def database(url: str) -> Database:
    migrate(url)
    return Database(url, Vault([KEY]))


@pytest.fixture
def connection(database: Database) -> Connection:
    return add_connection(database)


def test_the_newest_outcome_of_each_person_counts(url: str, database: Database, connection: Connection) -> None:
    first = add_run(database, connection, created_at=NOW)
    second = add_run(database, connection, created_at=NOW + timedelta(hours=1), trigger=Trigger.WEBHOOK)
    note = NewNote("foreign_phone", "review", "phone")
    ended(database, first, "mended", ItemState.FAILED, "E1", position=0)
    ended(database, first, "twice", ItemState.FAILED, "E1", position=1)
    ended(database, first, "cancelled", ItemState.FAILED, "E1", position=2)
    ended(database, first, "good", ItemState.SUCCEEDED, None, position=3)
    ended(database, first, None, ItemState.FAILED, "E9", position=4)
    ended(database, second, "mended", ItemState.UNCHANGED, None, position=0)
    ended(database, second, "twice", ItemState.NEEDS_REVIEW, "foreign_phone", position=1, notes=(note,), name="見本 一")
    ended(database, second, "cancelled", ItemState.CANCELLED, None, position=2)
    ended(database, second, "one way", ItemState.UNCHANGED, "only_target_changed", position=3)
    found = migrated_again(url, database)
    assert found.keys() == {"twice", "cancelled", "one way"}
    twice = found["twice"]
    assert (twice.code, twice.item_keys, twice.name) == ("foreign_phone", ("phone",), "見本 一")
    assert (twice.trigger, twice.since) == (Trigger.WEBHOOK, NOW + timedelta(hours=1))


def test_previews_and_what_is_decided_do_not_count(url: str, database: Database, connection: Connection) -> None:
    shown = add_run(database, connection, dry_run=True)
    approved = add_run(database, connection, dry_run=True)
    real = add_run(database, connection)
    ended(database, shown, "only shown", ItemState.FAILED, "E1")
    ended(database, approved, "approved", ItemState.FAILED, "E1")
    ended(database, real, "declined", ItemState.CONFLICT, "change_declined", position=0)
    ended(database, real, "linked since", ItemState.NEEDS_REVIEW, "link_ambiguous", position=1)
    with database.unit_of_work() as uow:
        uow.links.create(connection.id, "linked since", "7", now=NOW)
        uow._transaction.session.execute(update(RunTable).where(RunTable.id == approved.id).values(approved_at=NOW))
    assert migrated_again(url, database).keys() == {"approved"}


def test_whom_a_later_comparison_found_equal_waits_no_more(
    url: str, database: Database, connection: Connection
) -> None:
    run = add_run(database, connection)
    ended(database, run, "equal since", ItemState.FAILED, "E1", position=0)
    ended(database, run, "left alone", ItemState.FAILED, "E1", position=1)
    sweep = add_run(database, connection, trigger=Trigger.SCHEDULE)
    later = NOW + timedelta(hours=1)
    with database.unit_of_work() as uow:
        uow._transaction.session.execute(
            update(RunTable).where(RunTable.id == sweep.id).values(surveyed_at=later, state=RunState.SUCCEEDED)
        )
        uow._transaction.session.execute(update(ItemTable).values(finished_at=NOW))
        uow.troubles.note(
            connection.id, FREEE, "left alone", employee_number="0002", code="E1", now=NOW, quarantine_after=1
        )
    assert migrated_again(url, database).keys() == {"left alone"}
