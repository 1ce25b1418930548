"""Addresses from the outside: a write comes to rest (promise 2), no word is glued (5), structure survives (7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from tests.house import House
from tests.listening import FREEE_TOKEN, listening, now_in_japan, settle
from tests.use_cases.test_job import only
from tests.use_cases.test_two_way import in_freee, somebody

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
READING = "トウキョウトミナトクアザブダイ"


@pytest.fixture
def pairs(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """People who are equal on both sides and linked."""
    house = open_practice(only(company, "equal"), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    run(house, TO_FREEE)
    return house


def run(house: House, direction: Direction) -> dict[str, ItemState]:
    return house.states(house.run(direction, as_of_date=now_in_japan(house)))


def lives(house: House, nth: int, *, smarthr: dict[str, Any], freee: dict[str, Any]) -> tuple[str, int]:
    """Give a linked pair a home address on either side."""
    crew, employee = somebody(house, nth)
    whole = {"country_number": "392", "zip_code": "106-0041", "building": None, "literal_yomi": READING, **smarthr}
    profile = {"residential_zipcode1": "106", "residential_zipcode2": "0041", "residential_address_kana": READING}
    profile |= {f"residential_{name}": value for name, value in freee.items()}
    house.smarthr.edit(crew, {"address": whole})
    house.freee.edit(employee, {"profile_rule": profile})
    return crew, employee


def at_home(house: House, crew: str, employee: int) -> tuple[dict[str, Any], tuple[int, str]]:
    profile = in_freee(house, employee)["profile_rule"]
    return house.smarthr.crew(crew)["address"], (profile["residential_prefecture_code"], profile["residential_address"])


@pytest.mark.parametrize("direction", list(Direction))
def test_law_2_a_reading_that_begins_with_the_prefecture_is_written_at_most_once(
    pairs: House, direction: Direction
) -> None:
    beside = [(None, 12), ("", 12), ("東京都", 12), (None, -1), ("大阪府", 12), ("東京都", -1)]
    readings = [(READING, READING), (READING, "ミナトクアザブダイ"), ("ミナトクアザブダイ", "ミナトクシバ")]
    cases = [(*each, *reading) for each in beside for reading in readings]
    for nth, (pref, code, of_smarthr, of_freee) in enumerate(cases):
        lives(
            pairs,
            nth,
            smarthr={"pref": pref, "city": "港区", "street": "麻布台1-2-3", "literal_yomi": of_smarthr},
            freee={"prefecture_code": code, "address": "港区麻布台1-2-3", "address_kana": of_freee},
        )
    run(pairs, direction)
    for again in (direction, direction.reverse, direction, direction.reverse):
        written = pairs.writes()
        states = run(pairs, again)
        if again is direction:
            assert pairs.writes() == written, states
    assert pairs.writes() == written


def test_law_2_an_automatic_sync_with_a_blank_prefecture_ends(pairs: House) -> None:
    with listening(pairs, Automatic.BOTH):
        before = pairs.writes()
        crew, employee = lives(
            pairs,
            0,
            smarthr={"pref": None, "city": "港区", "street": "麻布台1-2-3"},
            freee={"prefecture_code": 12, "address": "港区麻布台1-2-3", "address_kana": "ミナトクアザブダイ"},
        )
        settle(pairs)
        assert pairs.writes() - before <= 1  # the prefecture, which SmartHR did not have
        rested = pairs.writes()
        settle(pairs)
        assert pairs.writes() == rested
    smarthr, freee = at_home(pairs, crew, employee)
    assert smarthr["literal_yomi"] == READING
    assert freee == (12, "港区麻布台1-2-3")


def test_law_5_two_latin_words_are_not_glued_and_come_back_as_two(pairs: House) -> None:
    crew, employee = lives(
        pairs,
        0,
        smarthr={"pref": "東京都", "city": "Minato-ku", "street": "Shiba 1-1"},
        freee={"prefecture_code": 12, "address": "港区芝2"},
    )
    done = pairs.run(TO_FREEE, as_of_date=now_in_japan(pairs))
    month = next(item.pay_month for item in pairs.items(done) if item.state is ItemState.SUCCEEDED)
    assert at_home(pairs, crew, employee)[1] == (12, "Minato-ku Shiba 1-1")
    moved = {"residential_address": "Minato-ku Shiba 1-2"}
    pairs.freee.edit(employee, {"profile_rule": moved}, pay_month=month)
    run(pairs, TO_SMARTHR)
    smarthr, _ = at_home(pairs, crew, employee)
    assert (smarthr["city"], smarthr["street"]) == ("Minato-ku", "Shiba 1-2")
    written = pairs.writes()
    run(pairs, TO_FREEE), run(pairs, TO_SMARTHR)
    assert pairs.writes() == written


# SmartHR's parts, freee's new text, what SmartHR has afterwards; None: a person is asked and nothing changes
WARD, STREET, ROOM = "浜松市中区", "元城町103-2", "ハイツ101"
STRUCTURE: list[tuple[tuple[Any, ...], str, tuple[Any, ...] | None]] = [
    ((WARD, STREET, None), "浜松市中区元城町103-3", (WARD, "元城町103-3", None)),
    ((WARD, STREET, ROOM), "浜松市中区元城町103-2 ハイツ102", (WARD, STREET, "ハイツ102")),
    ((WARD, STREET, ROOM), "浜松市中区元城町１０３－２　ハイツ１０２", (WARD, STREET, "ハイツ１０２")),
    ((WARD, STREET, ROOM), "浜松市中区元城町103-3ﾊｲﾂ１０１", (WARD, "元城町103-3", ROOM)),
    ((WARD, STREET, ROOM), "浜松市中区元城町１０３番地の２ ハイツ１０１", (WARD, STREET, ROOM)),
    (("清水市", "旭町1-1", ""), "清水市旭町1-2", ("清水市", "旭町1-2", "")),
    ((WARD, STREET, ROOM), "浜松市中区元城町103-2", None),
    (("浜松市中央区", STREET, None), "浜松市中区元城町103-3", None),
]


def test_law_7_what_did_not_change_of_an_address_stays_where_it_was(pairs: House) -> None:
    people = [
        lives(
            pairs,
            nth,
            smarthr=dict(zip(("pref", "city", "street", "building"), ("静岡県", *held), strict=True)),
            freee={"prefecture_code": 21, "address": text},
        )
        for nth, (held, text, _) in enumerate(STRUCTURE)
    ]
    states = run(pairs, TO_SMARTHR)
    for (crew, employee), (held, text, after) in zip(people, STRUCTURE, strict=True):
        smarthr, freee = at_home(pairs, crew, employee)
        parts = tuple(smarthr.get(name) or "" for name in ("city", "street", "building"))
        assert parts == tuple(part or "" for part in after or held), text
        assert freee == (21, text)
        assert after or states[str(employee)] is not ItemState.UNCHANGED
    written = pairs.writes()
    run(pairs, TO_SMARTHR)
    assert pairs.writes() == written
