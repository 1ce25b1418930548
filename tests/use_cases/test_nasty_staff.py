"""Generated people with nasty values on both sides: what a run brought into line stays so, and nothing is erased."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.adapters.municipalities import municipalities
from app.domain.enums import Direction, Trigger
from app.domain.mapping import FIELDS
from app.domain.planning.three_way import says_something
from app.domain.runs.run_state import ItemState
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.storage.enums import KeyKind
from app.storage.keyring import Ring
from app.use_cases.planning.plan_employee import decide, terms_of_run
from tests.house import House
from tests.reach import thinned

SIGNING = Ring(KeyKind.SIGNING, ["k" * 32])
pytestmark = pytest.mark.reach("test")  # long journeys

NASTY_CREW: dict[str, list[Any]] = {
    "last_name": ["髙橋", "ＳＭＩＴＨ", "佐 藤", "﨑"],
    "last_name_yomi": ["ｻﾄｳ", "さとう", "ヴァン　ダイク"],
    "tel_number": [None, "0312345678", "０３（１２３４）５６７８", "+1 202 555 0100", "12", "09012345678"],
    "widow_type": [None, "widow", "single_parent"],
    "handicapped_type": [None, "ordinary_handicapped"],
    "having_spouse": [None, True, False],
    "resigned_at": [None, "2030-12-31"],
    "emp_ins_insured_person_number": [None, "1234-567890-1", "１２３４－５６７８９０－１"],
    "basic_pension_number": [None, "0123-456789", "0123456789"],
    "hel_ins_insured_person_number": [None, 7, 123],
    "monthly_standard_income_hel": [None, 98_000, 650_000],
    "address": [
        {
            "zip_code": "060-0001",
            "pref": "北海道",
            "city": "札幌市中央区",
            "street": "北一条西2丁目",
            "building": "２０１",
        },
        {
            "zip_code": "1060041",
            "pref": "東京都",
            "city": "港区",
            "street": "麻布台１－２－３",
            "literal_yomi": "ミナトク",
        },
        {"country_number": "840", "city": "New York", "street": "5th Avenue"},
    ],
}
NASTY_EMPLOYEE: dict[str, list[Any]] = {
    "last_name": ["髙橋", "ＳＭＩＴＨ", "佐 藤"],
    "last_name_kana": ["サトウ", "ヴァン　ダイク"],
    "title": [None, "課長", "課 長", "ﾘｰﾀﾞｰ", "架空の役"],
    "widow_type": ["na", "widow", "one_parent", "widower", "special_widow"],
    "disability_type": ["na", "general", "heavy"],
    "gender": ["unselected", "male", "female"],
    "residential_address": [
        "港区麻布台１丁目２番３号　麻布ハイツ１０１",
        "架空村1-1",
        "札幌市中央区北一条西2丁目",
        None,
    ],
    "residential_prefecture_code": [0, 12, 46, -1],
    "phone1": [None, "090"],
}


def shuffled(company: PracticeCompany, seed: int) -> PracticeCompany:
    """Fifteen ordinary people whose fields were replaced at random on either side."""
    chance = random.Random(seed)
    base = build_company(company.today, extra=15, equal_share=0.5)
    scenarios = [s for s in base.scenarios[-15:] if s.crew_id and s.employee_id]
    crews = [dict(c) for c in base.crews if c["id"] in {s.crew_id for s in scenarios}]
    employees = [dict(e) for e in base.employees if e["id"] in {s.employee_id for s in scenarios}]
    for crew in crews:
        for name in chance.sample(sorted(NASTY_CREW), 3):
            crew[name] = chance.choice(NASTY_CREW[name])
            if name == "address":
                crew[name] = {"country_number": "392", **crew[name]}
    for employee in employees:
        if employee["profile_rule"]:
            changes = {name: chance.choice(NASTY_EMPLOYEE[name]) for name in chance.sample(sorted(NASTY_EMPLOYEE), 3)}
            employee["profile_rule"] = {**employee["profile_rule"], **changes}
    return replace(base, scenarios=scenarios, crews=crews, employees=employees)


@pytest.mark.parametrize(("seed", "direction"), thinned(3, range(5), Direction))
def test_a_run_converges_in_both_directions(
    open_practice: Callable[..., House], company: PracticeCompany, seed: int, direction: Direction
) -> None:
    house = open_practice(shuffled(company, seed))
    first = house.run(direction)
    synced = {i.target_id for i in house.items(first) if i.state is ItemState.SUCCEEDED and not i.notes}
    assert ItemState.WAITING not in house.states(first).values()
    assert {i.error_code for i in house.items(first) if i.state is ItemState.FAILED} <= {"E16", "E17", None}
    writes = house.writes()
    again = house.run(direction)
    assert house.writes() == writes, [(i.source_id, i.error_code) for i in house.items(again)]
    back = house.states(house.run(direction.reverse, dry_run=True))
    assert {p: back[p] for p in synced if p in back and p} == {p: ItemState.UNCHANGED for p in synced if p in back}


@pytest.mark.parametrize("direction", list(Direction))
def test_a_blank_at_the_source_erases_nothing_at_the_first_meeting(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction
) -> None:
    house = open_practice(shuffled(company, 99))
    connection = house.connection
    terms = terms_of_run(
        connection,
        direction=direction,
        trigger=Trigger.MANUAL,
        as_of_date=house.today,
        signing=SIGNING,
        municipalities=municipalities(),
    )
    source = house.ctx.gateway(connection, direction.source).directory(as_of_date=house.today)
    target = house.ctx.gateway(connection, direction.target).directory(as_of_date=house.today)
    by_number = {record.person.number: record for record in target}
    before = {r.person.number: decide(terms, by_number[r.person.number], None, {}).source for r in source}
    house.run(direction)
    after = house.ctx.gateway(house.connection, direction.target).directory(as_of_date=house.today)
    assert len(after) == len(target)
    for record in after:
        held = decide(terms, record, None, {}).source
        for row in FIELDS:
            if says_something(before[record.person.number][row.key]):
                assert says_something(held[row.key]), (record.person.id, row.key)
