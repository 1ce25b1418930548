"""Transactions: all or nothing, writers in turn, readers beside them."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from app.domain.enums import System
from app.storage.enums import KeyKind
from app.storage.keyring import Ring
from app.storage.unit_of_work import BUSY_SECONDS, Database, make_engine
from app.storage.vault import Vault
from tests.storage.databases import NOW, add_connection, add_run, new_item, running_run
from tests.together import together

pytestmark = pytest.mark.sql


def test_an_exception_rolls_everything_back(database: Database) -> None:
    connection = add_connection(database)
    with pytest.raises(ZeroDivisionError), database.unit_of_work() as uow:
        uow.connections.set_paused(connection.id, True)
        raise ZeroDivisionError
    with database.unit_of_work() as uow:
        found = uow.connections.get(connection.id)
    assert found is not None
    assert not found.paused


def test_a_reading_unit_keeps_nothing(database: Database) -> None:
    connection = add_connection(database)
    if database.engine.dialect.name == "postgresql":
        with pytest.raises(Exception, match="read-only"), database.unit_of_work().reading() as uow:
            uow.connections.set_paused(connection.id, True)
    else:
        with database.unit_of_work().reading() as uow:
            uow.connections.set_paused(connection.id, True)
    with database.unit_of_work() as uow:
        found = uow.connections.get(connection.id)
    assert found is not None
    assert not found.paused


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    connection = add_connection(database)
    with database.unit_of_work() as writer:
        writer.connections.set_paused(connection.id, True)
        with database.unit_of_work().reading() as reader:
            seen = reader.connections.get(connection.id)
    assert seen is not None
    assert not seen.paused  # the writer had not committed


def test_rows_with_a_missing_parent_are_refused(database: Database) -> None:
    connection = add_connection(database)
    run = add_run(database, connection)
    with pytest.raises(IntegrityError), database.unit_of_work() as uow:
        uow.items.add_many([new_item(run, run_id=999_999)])


def test_sqlite_is_set_up_for_durability(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}", Vault(["an-invented-encryption-key"]))
    with database.engine.connect() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.dispose()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 20_000}


def test_a_new_file_somebody_is_writing_is_waited_for(tmp_path: Path) -> None:
    """The switch of a new file to WAL is refused at once while another process has begun to write it."""
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE first (id INTEGER)")
    letting_go = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    letting_go.start()
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("SELECT count(*) FROM first")).scalar() == 0
    engine.dispose()
    letting_go.join()
    other.close()


def test_many_writers_that_read_first_all_get_through(database: Database) -> None:
    """A plain BEGIN fails here with "database is locked" however long the time-out."""
    connection = add_connection(database)
    run, _ = running_run(database, connection)

    def count_up(_: int) -> None:
        for _ in range(10):
            with database.unit_of_work() as uow:
                assert uow.runs.get(run.id) is not None
                uow.runs.add_calls(run.id, {System.FREEE: 1})

    together(count_up, 8)
    with database.unit_of_work() as uow:
        stored = uow.runs.get(run.id)
    assert stored is not None
    assert stored.freee_calls == 80


@pytest.mark.database("sqlite")
def test_an_error_while_closing_keeps_nobody_waiting(database: Database) -> None:
    """The turn to write is given back, so the next writer begins at once and not when its patience is over."""
    connection = add_connection(database)

    def fail(raw: Connection) -> None:
        assert raw.connection.dbapi_connection is not None
        raw.connection.dbapi_connection.rollback()
        raise OperationalError("ROLLBACK", None, sqlite3.OperationalError("disk I/O error"))

    event.listen(database.engine, "rollback", fail)
    with pytest.raises(OperationalError), database.unit_of_work() as uow:
        uow.connections.set_paused(connection.id, True)
        raise ZeroDivisionError
    event.remove(database.engine, "rollback", fail)

    def write() -> None:
        with database.unit_of_work() as uow:
            uow.connections.set_paused(connection.id, True)

    other, began = threading.Thread(target=write), time.monotonic()
    other.start()
    other.join()
    assert time.monotonic() - began < BUSY_SECONDS / 2


def test_nobody_goes_on_with_a_key_before_it_was_read_which_one_is_in_use(database: Database) -> None:
    former, newest = "an-invented-encryption-key", "the-key-of-the-coming-year"
    with database.unit_of_work() as uow:
        uow.key_uses.note(Ring(KeyKind.ENCRYPTION, [former]), NOW)
    ring = Ring(KeyKind.ENCRYPTION, [newest, former])
    other = Database(database.engine.url.render_as_string(hide_password=False), Vault(ring))
    reading, may_read = threading.Event(), threading.Event()

    def hold_the_first(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "key_uses" in statement and not reading.is_set():
            reading.set()
            assert may_read.wait(20)

    def begin() -> None:
        with other.unit_of_work().reading():
            pass

    event.listen(other.engine, "before_cursor_execute", hold_the_first)
    first = threading.Thread(target=begin)
    first.start()
    assert reading.wait(20)
    with other.unit_of_work().reading():
        used = other.vault.ring.in_use
    may_read.set()
    first.join()
    other.dispose()
    assert used.text == former


def test_what_is_read_after_an_update_is_what_the_database_holds(database: Database) -> None:
    connection = add_connection(database)
    run, _ = running_run(database, connection)
    with database.unit_of_work() as uow:
        uow.runs.get_by_public_id(run.public_id)
        uow.runs.cancel(run.id, NOW)
        again = uow.runs.get_by_public_id(run.public_id)
    assert again is not None
    assert again.ends_as is not None
