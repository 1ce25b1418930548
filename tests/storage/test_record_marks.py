"""By what a survey knows that nothing has changed, on both databases; and what a process of the version before, which
works on beside this one, leaves of it."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, select, text

from app.domain.enums import Direction, System
from app.domain.matching.marks import Marks
from app.domain.matching.name_search import NameMarks
from app.storage.links.rows import DirectoryEntry
from app.storage.tables.models import DirectoryTable
from app.storage.unit_of_work import Database, UnitOfWork
from tests.storage.databases import NOW, add_connection

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
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


def marks(uow: UnitOfWork, ids: list[int]) -> list[list[str | None]]:
    links = {link.id: link for link in uow.links.of_ids(ids)}
    return [[links[each].unchanged(direction) for direction in (TO_FREEE, TO_SMARTHR)] for each in ids]


def test_each_direction_has_a_mark_of_its_own(database: Database, connection_id: int) -> None:
    with database.unit_of_work() as uow:
        ids = [uow.links.create(connection_id, f"s{n}", f"f{n}", now=NOW).id for n in range(3)]
        uow.links.note_unchanged(TO_FREEE, {ids[0]: "2:a", ids[1]: "2:b", ids[2] + 1: "2:of nobody"})
        uow.links.note_unchanged(TO_SMARTHR, {ids[1]: "2:c"})
        uow.links.note_unchanged(TO_SMARTHR, {})
        found = marks(uow, ids)
        uow.links.set_baseline(ids[0], {"phone": "2:d"})
        kept = uow.links.of_ids(ids[:1])[0]
    assert found == [["2:a", None], ["2:b", "2:c"], [None, None]]
    assert (kept.baseline, kept.unchanged(TO_FREEE)) == ({"phone": "2:d"}, "2:a")


def test_a_survey_waits_for_nobody_who_is_changing_a_link(database: Database, connection_id: int) -> None:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    with database.unit_of_work() as uow:
        ids = [uow.links.create(connection_id, f"s{n}", f"f{n}", now=NOW).id for n in range(2)]
    with database.engine.begin() as somebody:
        somebody.execute(text("UPDATE links SET baseline = '{}' WHERE id = :id"), {"id": ids[0]})
        with database.unit_of_work() as uow:
            uow.links.note_unchanged(TO_FREEE, dict.fromkeys(ids, "2:a"))
    with database.unit_of_work() as uow:
        assert marks(uow, ids) == [[None, None], ["2:a", None]]
