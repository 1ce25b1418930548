"""People found by number, name and kana in the database itself, the same on both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from app.domain.employee import Person
from app.domain.enums import System
from app.domain.matching.marks import marks_of, wanted
from app.domain.matching.name_search import NameKeys, Names
from app.domain.planning.keyed import KeyedFingerprint
from app.domain.runs.run_state import ItemState, RunState
from app.storage.links.finding import Sought
from app.storage.links.rows import DirectoryEntry
from app.storage.runs.person_orders import OrderBy, PersonOrder
from app.storage.runs.preview_selection import Asked
from app.storage.unit_of_work import Database
from tests.plain_search import begins_with
from tests.properties import examples
from tests.storage.databases import NOW, add_connection, new_item, running_run

AS_LISTED = PersonOrder(OrderBy.PLACE)

pytestmark = pytest.mark.sql

SMARTHR, FREEE = System.SMARTHR, System.FREEE
KEYS = NameKeys({"": b"an invented key", "b": b"the key before it"}, "")
BEFORE = NameKeys({"b": b"the key before it"}, "b")
PEOPLE: Mapping[str, Names] = {
    "0001": Names("架空", "花子", "カクウ", "ハナコ"),
    "0002": Names("架空", "太郎", "カクウ", "タロウ"),
    "0012": Names("見本", "花", "ミホン", "ハナ"),
    "0100": Names("花田", "一", "ハナダ", "ハジメ"),
    "A_1": Names(),
}


def sought(text: str, *, number: str | None = None) -> Sought:
    return Sought(text if number is None else number, KEYS.tokens(text), frozenset(KEYS.known))


def entries(keys: NameKeys = KEYS) -> list[DirectoryEntry]:
    return [DirectoryEntry(number, f"p{number}", names=keys.marks(f"p{number}", of)) for number, of in PEOPLE.items()]


@pytest.fixture
def listed(database: Database) -> tuple[Database, int]:
    connection = add_connection(database).id
    with database.unit_of_work() as uow:
        uow.directory.replace(connection, FREEE, entries(), now=NOW)
    return database, connection


@given(text=st.text("架空花子見本田はなカクウ太0A_1% ", max_size=4))
@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_finds_whom_a_plain_search_finds(listed: tuple[Database, int], text: str) -> None:
    (database, connection), number = listed, text.strip()
    plain = [each for each, of in PEOPLE.items() if (number and each.startswith(number)) or begins_with(of, text)]
    with database.unit_of_work().reading() as uow:
        found = uow.links.found(connection, FREEE, sought(text, number=number), limit=9)
    assert sorted(found.values()) == sorted(plain)


def test_made_under_a_former_key_they_are_found_until_it_is_gone(database: Database) -> None:
    connection = add_connection(database).id
    after = NameKeys({"": b"an invented key"}, "")
    with database.unit_of_work() as uow:
        uow.directory.replace(connection, FREEE, entries(BEFORE), now=NOW)
        assert set(uow.links.found(connection, FREEE, sought("はなこ"), limit=9)) == {"p0001"}
        assert uow.keyed_digests.of_names() == {"b": 5}
        assert uow.links.is_nobody_nameless(connection, [FREEE, SMARTHR], sought("x"))
        gone = Sought("", after.tokens("はなこ"), frozenset(after.known))
        assert uow.links.found(connection, FREEE, gone, limit=9) == {}
        assert not uow.links.is_nobody_nameless(connection, [FREEE], gone)


def test_rows_of_an_older_release_are_found_by_number_and_the_page_can_say_so(database: Database) -> None:
    connection = add_connection(database).id
    with database.unit_of_work() as uow:
        uow.directory.replace(connection, FREEE, [*entries(), DirectoryEntry("0009", "old")], now=NOW)
        assert uow.links.found(connection, FREEE, sought("0009"), limit=9) == {"old": "0009"}
        assert not uow.links.is_nobody_nameless(connection, tuple(System), sought("見本"))
        assert uow.links.is_nobody_nameless(connection, [SMARTHR], sought("見本"))
        assert uow.links.is_nobody_nameless(connection, tuple(System), sought("0009")), "digits are no name"


def test_links_are_found_by_either_of_the_two(database: Database) -> None:
    connection = add_connection(database).id
    with database.unit_of_work() as uow:
        uow.directory.replace(connection, FREEE, entries(), now=NOW)
        uow.directory.replace(connection, SMARTHR, [DirectoryEntry("77", "crew")], now=NOW)
        hana = uow.links.create(connection, "crew", "p0001", now=NOW).id
        other = uow.links.create(connection, "nobody", "p0100", now=NOW).id
        uow.links.create(connection, "else", "p0002", now=NOW)

        def of(text: str) -> list[int]:
            return [row.id for row in uow.links.page(connection, after=None, limit=9, sought=sought(text))]

        assert (of("花"), of("花子"), of("77"), of("0100"), of("見本")) == ([other, hana], [hana], [hana], [other], [])


def test_names_that_were_erased_find_nobody_any_more(database: Database) -> None:
    kept = add_connection(database).id
    removed = add_connection(database, key="other", freee_company_id=9).id
    with database.unit_of_work() as uow:
        for connection in (kept, removed):
            uow.directory.replace(connection, FREEE, entries(), now=NOW)
        assert uow.directory.forget_names(connection_id=removed) == 5
        assert uow.links.found(removed, FREEE, sought("花"), limit=9) == {}
        assert len(uow.links.found(kept, FREEE, sought("花"), limit=9)) == 3
        assert uow.directory.forget_names(seen_before=NOW) == 0
        assert uow.keyed_digests.of_names() == {"": 5}


def test_a_preview_is_searched_by_the_number_of_the_item_and_the_name_at_the_source(database: Database) -> None:
    connection = add_connection(database)
    run, _ = running_run(database, connection, items=0, state=RunState.PREVIEWED, dry_run=True)
    items = [
        new_item(run, n, source_id=f"p{number}", employee_number=number, name="見本", holds_slot=False, chosen=False)
        for n, number in enumerate(PEOPLE)
    ]
    items.append(new_item(run, 9, source_id="p0001", employee_number="", name="", state=ItemState.UNCHANGED))
    with database.unit_of_work() as uow:
        uow.items.add_many(items)
        uow.directory.replace(connection.id, SMARTHR, entries(), now=NOW)
        uow.directory.replace(connection.id, FREEE, [DirectoryEntry("1", "p0002")], now=NOW)
        asked = Asked(run, sought=sought("花"))
        assert [row.position for row in uow.preview_selection.listed(asked, AS_LISTED, page=1, size=9).rows] == [
            0,
            2,
            3,
        ]
        assert sum(each.people for each in uow.preview_selection.tally(asked)) == 3
        assert uow.preview_selection.choose(asked, chosen=True) == 3
        numbers = Asked(run, sought=sought("000"))
        assert [row.position for row in uow.preview_selection.listed(numbers, AS_LISTED, page=1, size=9).rows] == [0, 1]


def test_of_a_preview_whose_names_were_erased_nobody_is_found_by_name(database: Database) -> None:
    connection = add_connection(database)
    run, _ = running_run(database, connection, items=0, state=RunState.PREVIEWED, dry_run=True)
    with database.unit_of_work() as uow:
        uow.items.add_many([new_item(run, 0, source_id="p0001", employee_number="0001", name=None, holds_slot=False)])
        uow.directory.replace(connection.id, SMARTHR, entries(), now=NOW)
        assert uow.preview_selection.listed(Asked(run, sought=sought("花子")), AS_LISTED, page=1, size=9).rows == []
        assert len(uow.preview_selection.listed(Asked(run, sought=sought("0001")), AS_LISTED, page=1, size=9).rows) == 1


# ── with whom somebody new is compared ────────────────────────────────────────────────────────────────────────────

FINGERPRINT = KeyedFingerprint({"": b"an invented key", "b": b"the key before it"}, "")
HANAKO = Person(FREEE, "new", "0009", "カクウ", "ハナコ", date(1990, 1, 2))


def marked(person_id: str, *, fingerprint: KeyedFingerprint = FINGERPRINT, **changes: Any) -> DirectoryEntry:
    person = replace(HANAKO, id=person_id, **changes)
    names = KEYS.marks(person_id, Names("架空", "花子"))
    return DirectoryEntry(person.number, person_id, names=names, marks=marks_of(person, fingerprint))


def test_who_has_a_mark_in_common_is_found_under_every_key(database: Database) -> None:
    connection = add_connection(database).id
    listed = [
        marked("number", last_name_kana="ミホン", birth_date=date(1970, 1, 1)),
        marked("kana", number="1", birth_date=None, fingerprint=FINGERPRINT.under("b")),
        marked("married", number="2", last_name_kana="ミホン"),
        marked("stranger", number="3", last_name_kana="ミホン", birth_date=date(1970, 1, 1)),
    ]
    like = wanted(HANAKO, FINGERPRINT)
    assert like is not None
    with database.unit_of_work() as uow:
        uow.directory.replace(connection, FREEE, listed, now=NOW)
        assert uow.directory.ids_like(connection, FREEE, like) == {"number", "kana", "married"}
        assert uow.directory.ids_like(connection, SMARTHR, like) == set()


def test_everybody_can_be_compared_by_marks_unless_somebody_is_nameless_or_marked_by_others(database: Database) -> None:
    connection = add_connection(database).id

    def holds(*listed: DirectoryEntry, besides: Sequence[str] = ()) -> bool:
        with database.unit_of_work() as uow:
            uow.directory.replace(connection, FREEE, [marked("1"), *listed], now=NOW)
            known, stamps = KEYS.known, FINGERPRINT.stamps
            return uow.directory.is_comparable(connection, FREEE, names_by=known, stamps=stamps, besides=besides)

    nameless = marked("2", last_name_kana="", first_name_kana="")
    gone = marked("2", fingerprint=KeyedFingerprint({"c": b"a key that is gone"}, "c"))
    assert holds() and holds(marked("2", fingerprint=FINGERPRINT.under("b")))
    assert not holds(nameless) and holds(nameless, besides=["2"])
    assert not holds(DirectoryEntry("9", "2")), "of an older release"
    assert not holds(gone)
    with database.unit_of_work() as uow:
        uow.links.create(connection, "crew", "2", now=NOW)
    assert not holds(nameless), "linked to somebody who is not there any more"
    with database.unit_of_work() as uow:
        uow.directory.replace(connection, SMARTHR, [DirectoryEntry("9", "crew")], now=NOW)
    assert holds(nameless)
