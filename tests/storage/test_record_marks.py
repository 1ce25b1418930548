"""By what a survey knows that nothing has changed, on both databases; and what a process of the version before, which
works on beside this one, leaves of it."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, select

from app.domain.enums import System
from app.domain.matching.marks import Marks
from app.domain.matching.name_search import NameMarks
from app.storage.links.rows import DirectoryEntry
from app.storage.tables.models import DirectoryTable
from app.storage.unit_of_work import Database
from tests.storage.databases import NOW, add_connection

NAMES = NameMarks("1.", b"an invented digest of eight")
ENTRY = DirectoryEntry(
    "0007", "7", {"closing_day": 31}, "2:content", NAMES, Marks("0007", "2:kana", "2:born"), record="2:record"
)

pytestmark = pytest.mark.sql


@pytest.fixture
def connection_id(database: Database) -> int:
    return add_connection(database).id


def test_an_entry_comes_back_as_it_was_stored(database: Database, connection_id: int) -> None:
    unmarked = DirectoryEntry("0008", "8", content="2:other")
    with database.unit_of_work() as uow:
        uow.directory.replace(connection_id, System.FREEE, [ENTRY, unmarked], now=NOW)
        assert uow.directory.marked(connection_id, System.FREEE, ["7", "8", "9"]) == {"7": ENTRY}
        assert uow.directory.marked(connection_id, System.FREEE, ["8"]) == {}
        assert uow.directory.marked(connection_id, System.SMARTHR, ["7"]) == {}


def test_names_that_were_erased_do_not_come_back(database: Database, connection_id: int) -> None:
    with database.unit_of_work() as uow:
        uow.directory.replace(connection_id, System.FREEE, [ENTRY], now=NOW)
        uow.directory.forget_names(connection_id=connection_id)
        found = uow.directory.marked(connection_id, System.FREEE, ["7"])["7"]
    assert (found.names, found.marks) == (None, Marks("0007", None, None))


def test_what_the_version_before_writes_has_no_mark(database: Database, connection_id: int) -> None:
    """It knows nothing of the column: it takes all rows of a system away and adds them anew."""
    known = [column for column in DirectoryTable.__table__.c if column.name not in ("id", "record_mark")]
    with database.unit_of_work() as uow:
        uow.directory.replace(connection_id, System.FREEE, [ENTRY], now=NOW)
    with database.engine.begin() as its:
        row = dict(its.execute(select(*known)).mappings().one())
        its.execute(delete(DirectoryTable))
        its.execute(insert(DirectoryTable).values({**row, "content": "2:of another reading"}))
    with database.unit_of_work() as uow:
        assert uow.directory.marked(connection_id, System.FREEE, ["7"]) == {}
        assert uow.directory.contents(connection_id, System.FREEE) == {"7": "2:of another reading"}
