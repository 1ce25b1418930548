"""A company of more than 2,000 people: whoever is about to be created is looked for among those who have come since the
survey, in one question, and nobody is doubled. From outside: what stands in freee, and what the run has asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.use_cases.employee.newcomers import KEPT_FOR
from app.use_cases.upkeep import relay
from tests.house import House
from tests.reach import thinned
from tests.use_cases.test_job import only
from tests.use_cases.test_nobody_doubled import hear_of, item_of, new_crew, question_about, the_same_in_freee

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE = Direction.SMARTHR_TO_FREEE
STRANGERS = 2_050
EVERYBODY = "/companies/"
"""The list of all employees has this in its path."""


@pytest.fixture(scope="module")
def large(company: PracticeCompany) -> PracticeCompany:
    """A few people to create, and in freee some thousands whom SmartHR does not have."""
    few = only(company, "create", "equal", most=3)
    strangers = build_company(company.today, extra=STRANGERS, equal_share=1.0).employees[-STRANGERS:]
    return replace(few, employees=[*few.employees, *strangers])


@pytest.fixture
def house(large: PracticeCompany, open_practice: Callable[..., House]) -> House:
    return open_practice(large)


def surveyed(house: House, direction: Direction = TO_FREEE) -> Any:
    """A run whose survey is over and whose jobs wait."""
    run = house.start(direction)
    relay.relay_once(house.ctx)
    (survey,) = house.queue.take()
    house.do(survey)
    return run


def people(house: House) -> int:
    return len(house.freee.company.people)


def pages(house: House) -> int:
    return house.freee_injector.calls("GET", EVERYBODY)


def creates(large: PracticeCompany) -> int:
    return sum(scenario.to_freee == "create" for scenario in large.scenarios)


def test_a_create_asks_one_page_and_not_everybody(house: House, large: PracticeCompany) -> None:
    run = surveyed(house)
    before, there = pages(house), people(house)
    house.clock.turn(minutes=30)  # the lists of the survey are old
    house.work()
    assert house.seen(run).counts["succeeded"] == creates(large) == people(house) - there
    assert pages(house) - before == creates(large)


ENTERED: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "with another number": lambda crew: the_same_in_freee(crew, num="Z-900", entry_date="2020-04-01"),
    "without a number": lambda crew: the_same_in_freee(crew, entry_date="2020-04-01"),
    "with the number": lambda crew: the_same_in_freee(crew, num=crew["emp_code"], entry_date="2020-04-01"),
    "before they join": lambda crew: the_same_in_freee(crew, num="Z-900", entry_date="2027-04-01"),
}


@pytest.mark.parametrize("entered", thinned(len(ENTERED), ENTERED.values()), ids=list(ENTERED))
def test_whoever_was_entered_after_the_survey_is_not_created_again(
    house: House, large: PracticeCompany, entered: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> None:
    run, crew = surveyed(house), new_crew(house)
    house.freee.add(entered(crew))
    there = people(house)
    house.work()
    assert people(house) == there + creates(large) - 1
    assert item_of(house, run, crew).state in (ItemState.NEEDS_REVIEW, ItemState.SUCCEEDED, ItemState.UNCHANGED)


@pytest.mark.reach("all")
def test_a_stranger_entered_after_the_survey_hinders_nobody(house: House, large: PracticeCompany) -> None:
    run = surveyed(house)
    profile = {"last_name": "余所", "first_name": "者", "last_name_kana": "ヨソ", "first_name_kana": "モノ"}
    house.freee.add({"num": "Z-901", "birth_date": "1971-02-03", "profile_rule": profile})
    house.work()
    assert house.seen(run).counts["succeeded"] == creates(large)


def test_a_create_whose_answer_was_lost_is_found_and_not_repeated(house: House, large: PracticeCompany) -> None:
    run, there = surveyed(house), people(house)
    house.freee_injector.fault(method="POST", path="/api/v1/employees$", nth=1, cut=True, after=True)
    house.work()
    assert people(house) == there + creates(large)
    assert house.seen(run).counts["succeeded"] == creates(large)


@pytest.mark.reach("all")
@pytest.mark.parametrize("same", thinned(2, [True, False]), ids=["the same person", "a stranger"])
def test_smarthr_is_asked_for_the_newest_as_well(
    company: PracticeCompany, open_practice: Callable[..., House], same: bool
) -> None:
    new = [scenario for scenario in company.scenarios if scenario.to_smarthr == "create"][:3]
    strangers = build_company(company.today, extra=STRANGERS, equal_share=1.0).crews[-STRANGERS:]
    employees = [each for each in company.employees if each["id"] in {scenario.employee_id for scenario in new}]
    house = open_practice(replace(company, scenarios=new, crews=strangers, employees=employees))
    run = surveyed(house, Direction.FREEE_TO_SMARTHR)
    lists = house.smarthr_injector.calls("GET", "/v1/crews$")
    first = employees[0]["profile_rule"]
    kana = {f"{name}_yomi": first[f"{name}_kana"] if same else "ヨソ" for name in ("last_name", "first_name")}
    house.smarthr.add({"last_name": "新", "first_name": "人", **kana, "birth_at": employees[0]["birth_date"]})
    there = len(house.smarthr.crews)
    house.work()
    assert len(house.smarthr.crews) == there + len(new) - same
    assert house.seen(run).counts["succeeded"] == len(new) - same
    if not same:  # by number, and the newest
        assert house.smarthr_injector.calls("GET", "/v1/crews$") - lists == 2 * len(new)


@pytest.mark.reach("all")
def test_when_somebody_was_deleted_everybody_is_listed(house: House, large: PracticeCompany) -> None:
    run, before = surveyed(house), pages(house)
    house.freee.remove(next(iter(house.freee.company.people)))
    there = people(house)
    house.work()
    assert people(house) == there + creates(large)
    assert pages(house) - before > STRANGERS / 100
    assert house.seen(run).counts["succeeded"] == creates(large)


@pytest.mark.reach("all")
def test_a_list_in_another_order_is_read_whole(large: PracticeCompany, open_practice: Callable[..., House]) -> None:
    house = open_practice(large, freee_switches={"list_order": "reverse"})
    run, there, before = surveyed(house), people(house), pages(house)
    house.work()
    assert people(house) == there + creates(large)
    assert pages(house) - before > STRANGERS / 100
    assert house.seen(run).counts["succeeded"] == creates(large)


# ── whom a webhook brings ─────────────────────────────────────────────────────────────────────────────────────────


NEW: Mapping[str, str] = {
    "emp_code": "N-1",
    "last_name": "架空",
    "first_name": "結",
    "last_name_yomi": "カクウ",
    "first_name_yomi": "ユイ",
    "birth_at": "1991-04-05",
}
OTHER_DAY, OTHER_NAME = {"birth_date": "1980-01-01"}, {"last_name_kana": "ベツメイ", "first_name_kana": "ジン"}
THERE: Mapping[str, dict[str, Any] | None] = {
    "nobody": None,
    "without a number": {},
    "with another number": {"num": "Z-900"},
    "with the number": {"num": "N-1"},
    "without a birth date": {"birth_date": None},
    "a stranger with the number": {"num": "N-1", **OTHER_DAY, "profile_rule": OTHER_NAME},
    "married": {"profile_rule": {"last_name_kana": "ベツメイ"}},
    "a namesake": OTHER_DAY,
}
"""What stands in freee of the new person: changes of their own data there; None: nothing."""


def stands_in_freee(house: House, changes: dict[str, Any] | None) -> None:
    if changes is not None:
        same = the_same_in_freee(NEW, entry_date="2020-04-01")
        profile = {**same["profile_rule"], **changes.get("profile_rule", {})}
        house.freee.add({**same, **changes, "profile_rule": profile})


def heard_of(house: House) -> tuple[int, str | None, int]:
    """(people created, question asked, pages of freee's list) of a webhook that brings the new person."""
    template = {name: value for name, value in new_crew(house).items() if name != "id"}
    there, before = people(house), pages(house)
    source_id = house.smarthr.add({**template, **NEW})
    hear_of(house, source_id)
    return people(house) - there, question_about(house, source_id), pages(house) - before


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("who", "after"),
    [
        *((each, False) for each in THERE),
        *((each, True) for each in ("without a number", "with the number", "a namesake")),
    ],
)
def test_of_whom_a_webhook_brings_the_kept_people_decide_as_the_lists_do(
    large: PracticeCompany, open_practice: Callable[..., House], who: str, after: bool
) -> None:
    told, there = [], THERE[who]
    for hours in (0, KEPT_FOR.total_seconds() / 3600 + 1):
        house = open_practice(large)
        if not after:
            stands_in_freee(house, there)
        house.run(TO_FREEE)
        if after:
            stands_in_freee(house, there)
        house.clock.turn(hours=hours)
        told.append(heard_of(house))
    (kept, kept_asks, few), (listed, listed_asks, many) = told
    assert (kept, kept_asks) == (listed, listed_asks)
    assert few <= 4 and many > STRANGERS / 100


@pytest.mark.reach("all")
def test_where_somebody_hidden_is_known_by_nobody_everybody_is_listed(house: House) -> None:
    stands_in_freee(house, {"entry_date": "2015-04-01", "retire_date": "2020-03-31"})
    house.run(TO_FREEE)
    created, asks, read = heard_of(house)
    assert (created, asks) == (0, "link_ambiguous") and read > STRANGERS / 100
