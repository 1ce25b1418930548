"""Where a list of everybody ended, who has come since, and people found by marks instead of by their data."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from app.domain.employee import Person
from app.domain.enums import System
from app.domain.matching.marks import marks_of, wanted
from app.domain.planning.keyed import KeyedFingerprint
from app.storage.links.rows import DirectoryEntry, Identity, KnownPerson, ListEnd
from app.storage.unit_of_work import Database
from tests.storage.databases import NOW, add_connection

pytestmark = pytest.mark.sql

FREEE = System.FREEE
END = ListEnd(7, {"rows": 1, "last": 1}, 1, NOW)
KEYS = KeyedFingerprint({"": b"first", "2": b"second"}, "2")
WHO = Person(FREEE, "1", "0001", "ヤマダ", "ハナコ", date(1990, 4, 1))


def listed(database: Database) -> int:
    connection = add_connection(database).id
    with database.unit_of_work() as uow:
        uow.directory.replace(connection, FREEE, [DirectoryEntry("００１ ", "1")], now=NOW)
        uow.directory.set_end(connection, FREEE, END)
    return connection


def test_whoever_was_added_is_found_by_number_and_the_end_moves(database: Database) -> None:
    connection = listed(database)
    added = [DirectoryEntry("002", "2"), DirectoryEntry("001", "3")]
    with database.unit_of_work() as uow:
        end = uow.directory.end(connection, FREEE)
        assert end == END
        uow.directory.extend(connection, FREEE, added, before=end, ended={"rows": 3, "last": 3}, now=NOW)
    with database.unit_of_work() as uow:
        assert uow.directory.end(connection, FREEE) == replace(END, ended={"rows": 3, "last": 3}, people=3)
        assert sorted(uow.directory.ids_numbered(connection, FREEE, "001")) == ["1", "3"]
        assert uow.directory.ids_numbered(connection, FREEE, "２００") == []
        assert uow.directory.ids_numbered(connection, FREEE, " ") == []
        assert uow.directory.ids_numbered(connection, System.SMARTHR, "001") == []


def test_an_answer_to_an_older_question_moves_nothing(database: Database) -> None:
    connection = listed(database)
    later = replace(END, run_id=8, seen_at=NOW + timedelta(minutes=1))
    with database.unit_of_work() as uow:
        uow.directory.set_end(connection, FREEE, later)  # another survey has listed everybody meanwhile
        uow.directory.extend(connection, FREEE, [DirectoryEntry("9", "9")], before=END, ended={}, now=NOW)
    with database.unit_of_work() as uow:
        assert uow.directory.end(connection, FREEE) == later
        assert uow.directory.ids_numbered(connection, FREEE, "9") == []


def test_a_list_without_an_end_has_none(database: Database) -> None:
    connection = listed(database)
    with database.unit_of_work() as uow:
        uow.directory.set_end(connection, FREEE, None)
        assert uow.directory.end(connection, FREEE) is None


def test_somebody_who_is_listed_already_comes_once(database: Database) -> None:
    connection = listed(database)
    with database.unit_of_work() as uow:
        uow.directory.extend(connection, FREEE, [DirectoryEntry("1", "1")], before=END, ended={"rows": 2}, now=NOW)
    with database.unit_of_work() as uow:
        assert uow.directory.size(connection, FREEE) == 1


ALIKE = {
    "the same": WHO,
    "the same number": replace(WHO, last_name_kana="サトウ", first_name_kana="ジロウ", birth_date=date(1970, 1, 1)),
    "the same name, born another day": replace(WHO, number="9", birth_date=date(1970, 1, 1)),
    "married": replace(WHO, number="9", last_name_kana="サトウ"),
    "nobody knows the name": Person(FREEE, "1", "9"),
    "in other letters": replace(WHO, number="０００１", last_name_kana="やまだ", first_name_kana="ﾊﾅｺ"),
}


@pytest.mark.parametrize("label", ["", "2"])
@pytest.mark.parametrize("other", list(ALIKE.values()), ids=list(ALIKE))
def test_whoever_may_be_the_person_is_found_under_any_key(database: Database, other: Person, label: str) -> None:
    assert found(database, other, label) == ["1"]


def test_a_stranger_is_not_read(database: Database) -> None:
    stranger = Person(FREEE, "1", "9", "サトウ", "ジロウ", date(1970, 1, 1))
    assert found(database, stranger, "2") == []


def test_for_somebody_without_a_name_everybody_is_read(database: Database) -> None:
    stranger = Person(FREEE, "1", "9", "サトウ", "ジロウ", date(1970, 1, 1))
    assert found(database, stranger, "2", who=Person(FREEE, "2", "8")) == ["1"]


def found(database: Database, other: Person, label: str, *, who: Person = WHO) -> list[str]:
    """Who is looked at when `who` is about to be created and Awase has made `other` a moment ago."""
    connection = add_connection(database).id
    marks = marks_of(other, KEYS.under(label))
    identity = Identity(other.last_name_kana, other.first_name_kana, other.birth_date)
    known = KnownPerson(other.id, other.number, "listed", identity, NOW, made_at=NOW, marks=marks)
    with database.unit_of_work() as uow:
        uow.known_people.keep(connection, FREEE, "1", [known])
    with database.unit_of_work() as uow:
        made = uow.known_people.made_since(FREEE, "1", NOW - timedelta(minutes=1), wanted(who, KEYS))
        assert uow.known_people.made_ids(FREEE, "1", ["1", "2"]) == {"1"}
        assert uow.known_people.made_since(FREEE, "1", NOW + timedelta(minutes=1), wanted(who, KEYS)) == []
    return [each.person_id for each in made]
