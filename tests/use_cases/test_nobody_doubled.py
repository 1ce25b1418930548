"""Promise 3: nobody is created while somebody cannot be seen. From outside: both practice vendors, what stands in them
after a run, and what the run has asked."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.domain.enums import Direction, Trigger
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.storage.runs.rows import ItemRow
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.links import decide
from tests.house import KEY, House
from tests.properties import every
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
LATER, BEFORE = timedelta(days=60), timedelta(days=400)

Doubled = Callable[..., House]


@pytest.fixture
def newcomers(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """A house in which SmartHR has people whom freee does not have, two equal pairs besides."""
    few = only(company, "create", "equal", most=2)
    return open_practice(few)


def new_crew(house: House) -> dict[str, Any]:
    """Somebody of SmartHR whom the story lets be created in freee."""
    ids = {scenario.crew_id for scenario in house.company.scenarios if scenario.to_freee == "create"}
    return next(crew for crew in house.company.crews if crew["id"] in ids)


def the_same_in_freee(crew: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """The employee object of freee's of this person: without a number, but with the same kana and birth date."""
    names = ("last_name", "first_name")
    profile = {name: crew[name] for name in names} | {f"{name}_kana": crew[f"{name}_yomi"] for name in names}
    return {"num": "", "birth_date": crew["birth_at"], "profile_rule": profile, **changes}


def joins_later(house: House) -> dict[str, str]:
    return {"entry_date": (house.today + LATER).isoformat()}


def has_left(house: House) -> dict[str, str]:
    return {"entry_date": "2015-04-01", "retire_date": (house.today - BEFORE).isoformat()}


HIDDEN = {"joins in a later month": joins_later, "has left": has_left}
hidden = pytest.mark.parametrize("how", list(HIDDEN.values()), ids=list(HIDDEN))


def item_of(house: House, run: Any, crew: Mapping[str, Any]) -> ItemRow:
    (found,) = [item for item in house.items(run) if item.source_id == crew["id"]]
    return found


def employees(house: House) -> int:
    return len(house.freee.company.people)


@hidden
def test_somebody_hidden_in_the_month_of_the_run_is_not_created_again(
    newcomers: House, how: Callable[[House], dict[str, str]]
) -> None:
    crew = new_crew(newcomers)
    there = newcomers.freee.add(the_same_in_freee(crew, **how(newcomers)))
    run = newcomers.run(TO_FREEE)
    asked = item_of(newcomers, run, crew)
    assert (asked.state, asked.error_code) == (ItemState.NEEDS_REVIEW, "link_ambiguous")
    assert [each["id"] for each in asked.candidates] == [str(there)]
    assert newcomers.freee.ids_by_num(crew["emp_code"]) == []


@hidden
def test_a_webhook_does_not_create_somebody_hidden_again(
    newcomers: House, how: Callable[[House], dict[str, str]]
) -> None:
    newcomers.run(TO_FREEE)
    crew = {**new_crew(newcomers), "emp_code": "90001", "last_name_yomi": "カクウ", "birth_at": "1991-02-03"}
    newcomers.freee.add(the_same_in_freee(crew, **how(newcomers)))
    before = employees(newcomers)
    added = newcomers.smarthr.add({name: value for name, value in crew.items() if name != "id"})
    hear_of(newcomers, added)
    assert employees(newcomers) == before
    assert question_about(newcomers, added) == "link_ambiguous"


def hear_of(house: House, source_id: str) -> None:
    """A webhook about this person has come in."""
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_options(replace(house.connection, automatic=Automatic.SMARTHR_TO_FREEE, quiet_seconds=0))
    with house.ctx.unit_of_work() as uow:
        request = SyncRequest(house.connection, TO_FREEE, source_id)
        collect_events(house.ctx, uow, [request], now=house.clock.now())
    house.clock.turn(seconds=120)
    house.work()


def question_about(house: House, source_id: str) -> str | None:
    with house.ctx.unit_of_work() as uow:
        asked = uow.links.asked(house.connection.id, after=None, limit=100)
    return next((each.error_code for each in asked if each.source_id == source_id), None)


@hidden
def test_a_preview_compares_again_when_it_is_approved(newcomers: House, how: Callable[[House], dict[str, str]]) -> None:
    crew = new_crew(newcomers)
    run = newcomers.run(TO_FREEE, dry_run=True)
    assert item_of(newcomers, run, crew).state is ItemState.WAITING
    newcomers.freee.add(the_same_in_freee(crew, **how(newcomers)))
    approve_retry_cancel.approve(newcomers.ctx, run.id, by="test", acknowledged=True)
    newcomers.work()
    assert item_of(newcomers, run, crew).error_code == "link_ambiguous"
    assert newcomers.freee.ids_by_num(crew["emp_code"]) == []


def test_somebody_hidden_whose_birth_date_is_mended_between_two_runs_is_seen(newcomers: House) -> None:
    crew = {**new_crew(newcomers), "emp_code": "90004", "last_name_yomi": "カクウ", "birth_at": "1991-02-03"}
    there = newcomers.freee.add(the_same_in_freee(crew, birth_date="1901-01-01", **has_left(newcomers)))
    newcomers.run(TO_FREEE)
    newcomers.freee.edit(there, {"birth_date": crew["birth_at"]})
    added = newcomers.smarthr.add({name: value for name, value in crew.items() if name != "id"})
    run = newcomers.run(TO_FREEE)
    assert item_of(newcomers, run, {"id": added}).error_code == "link_ambiguous"


def test_a_hidden_one_mended_after_the_preview_is_seen_when_it_is_approved(newcomers: House) -> None:
    crew = new_crew(newcomers)
    there = newcomers.freee.add(the_same_in_freee(crew, birth_date="1901-01-01", **joins_later(newcomers)))
    run = newcomers.run(TO_FREEE, dry_run=True)
    newcomers.freee.edit(there, {"birth_date": crew["birth_at"]})
    newcomers.clock.turn(seconds=1)
    approve_retry_cancel.approve(newcomers.ctx, run.id, by="test", acknowledged=True)
    newcomers.work()
    assert item_of(newcomers, run, crew).error_code == "link_ambiguous"


def test_whom_a_person_deleted_after_awase_created_them_is_created_again(newcomers: House) -> None:
    crew = new_crew(newcomers)
    newcomers.run(TO_FREEE)
    (there,) = newcomers.freee.ids_by_num(crew["emp_code"])
    newcomers.freee.remove(there)
    decide.cut(newcomers.ctx, KEY, smarthr_id=crew["id"], by="test")
    run = newcomers.run(TO_FREEE)
    made = item_of(newcomers, run, crew)
    assert (made.state, made.error_code, made.candidates) == (ItemState.SUCCEEDED, None, ())
    assert len(newcomers.freee.ids_by_num(crew["emp_code"])) == 1


def test_a_birth_date_mended_after_the_preview_is_seen(newcomers: House) -> None:
    crew = new_crew(newcomers)
    there = newcomers.freee.add(the_same_in_freee(crew, birth_date="1901-01-01"))
    run = newcomers.run(TO_FREEE, dry_run=True)
    assert item_of(newcomers, run, crew).state is ItemState.WAITING
    newcomers.freee.edit(there, {"birth_date": crew["birth_at"]})
    approve_retry_cancel.approve(newcomers.ctx, run.id, by="test", acknowledged=True)
    newcomers.work()
    assert item_of(newcomers, run, crew).error_code == "link_ambiguous"


def no_month_shows_them(house: House) -> dict[str, str]:
    """Left before joining, as a slip of the pen may have it."""
    return {"entry_date": house.today.isoformat(), "retire_date": (house.today - BEFORE).isoformat()}


@pytest.mark.parametrize("dates", [has_left, no_month_shows_them])
def test_somebody_who_left_linked_and_comes_back_as_a_new_person_is_asked_about(
    newcomers: House, dates: Callable[[House], dict[str, str]]
) -> None:
    newcomers.run(TO_FREEE)
    crew = new_crew(newcomers)
    (there,) = newcomers.freee.ids_by_num(crew["emp_code"])
    newcomers.freee.edit(there, dates(newcomers))
    newcomers.smarthr.remove(crew["id"])
    again = newcomers.smarthr.add(
        {name: value for name, value in {**crew, "emp_code": "90002"}.items() if name != "id"}
    )
    run = newcomers.run(TO_FREEE)
    assert item_of(newcomers, run, {"id": again}).error_code in ("E7", "hidden_person")
    assert newcomers.freee.ids_by_num("90002") == []


def test_a_surname_that_changed_is_asked_about(newcomers: House) -> None:
    crew = new_crew(newcomers)
    newcomers.freee.add(the_same_in_freee({**crew, "last_name_yomi": "キュウセイ"}, **joins_later(newcomers)))
    run = newcomers.run(TO_FREEE)
    assert item_of(newcomers, run, crew).error_code == "link_ambiguous"


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404},
        {"status": 400, "body": {"message": "年月が正しくありません"}},
        {"status": 403, "body": {"code": "user_do_not_have_permission", "message": "権限がありません"}},
        {"garbage": True},
    ],
    ids=["nobody", "month refused", "no right", "unreadable"],
)
def test_somebody_whom_no_month_shows_makes_it_a_question(newcomers: House, fault: dict[str, Any]) -> None:
    crew = new_crew(newcomers)
    there = newcomers.freee.add(the_same_in_freee(crew, **joins_later(newcomers)))
    newcomers.freee_injector.fault(method="GET", path=f"/api/v1/employees/{there}", **fault)
    run = newcomers.run(TO_FREEE)
    asked = item_of(newcomers, run, crew)
    assert (asked.state, asked.error_code) == (ItemState.NEEDS_REVIEW, "hidden_person")
    assert [each["id"] for each in asked.candidates] == [str(there)]


def test_somebody_outside_payroll_is_compared_by_birth_date(newcomers: House) -> None:
    crew = new_crew(newcomers)
    newcomers.freee.add(the_same_in_freee(crew, payroll_calculation=False))
    newcomers.freee.add(the_same_in_freee(crew, payroll_calculation=False, birth_date="1901-01-01"))
    run = newcomers.run(TO_FREEE)
    asked = item_of(newcomers, run, crew)
    assert asked.error_code == "hidden_person"
    assert [each["reason"] for each in asked.candidates] == ["same_birth_date"]


def test_a_hidden_stranger_does_not_stop_a_create_and_is_read_once(newcomers: House) -> None:
    crew = new_crew(newcomers)
    stranger = {**crew, "last_name_yomi": "ベツノ", "first_name_yomi": "ヒト", "birth_at": "1971-12-31"}
    there = newcomers.freee.add(the_same_in_freee(stranger, **joins_later(newcomers)))
    run = newcomers.run(TO_FREEE)
    assert item_of(newcomers, run, crew).state is ItemState.SUCCEEDED
    reads = Counter(each.path for each in newcomers.freee_injector.requests if each.method == "GET")
    assert reads[f"/hr/api/v1/employees/{there}"] + reads[f"/api/v1/employees/{there}"] == 1


def test_an_unchanged_run_reads_nobody_hidden(newcomers: House) -> None:
    newcomers.run(TO_FREEE)
    newcomers.freee.add(the_same_in_freee(new_crew(newcomers), birth_date="1901-01-01", **has_left(newcomers)))
    calls = newcomers.calls()
    newcomers.run(TO_FREEE)
    first = newcomers.calls() - calls
    newcomers.run(TO_FREEE)
    assert newcomers.calls() - calls == 2 * first


@pytest.mark.parametrize("attribute", ["birth_at", "last_name_yomi"])
def test_people_of_smarthr_whom_the_token_may_not_compare_make_it_a_question(
    open_practice: Callable[..., House], company: PracticeCompany, attribute: str
) -> None:
    house = open_practice(only(company, "equal", most=2), smarthr_switches={"hidden_attributes": [attribute]})
    person = {name: value for name, value in house.company.crews[0].items() if name != "id"}
    crew = house.smarthr.add({**person, "emp_code": "", "last_name_yomi": "カクウ", "birth_at": "1990-05-06"})
    same = {**person, "last_name_yomi": "カクウ", "birth_at": "1990-05-06"}
    there = house.freee.add({**the_same_in_freee(same), "num": "90003"})
    before = len(house.smarthr.state.crews)
    run = house.run(TO_SMARTHR)
    asked = next(item for item in house.items(run) if item.source_id == str(there))
    assert asked.state is ItemState.NEEDS_REVIEW
    assert crew in [each["id"] for each in asked.candidates]
    assert len(house.smarthr.state.crews) == before


def test_a_sweep_asks_as_well(newcomers: House) -> None:
    crew = new_crew(newcomers)
    newcomers.freee.add(the_same_in_freee(crew, **joins_later(newcomers)))
    run = newcomers.run(TO_FREEE, trigger=Trigger.SCHEDULE, started_by="schedule")
    assert item_of(newcomers, run, crew).error_code == "link_ambiguous"


# ── the law over generated staff ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize("seed", range(0, 60, every(15)))
def test_whatever_is_hidden_no_run_makes_a_second_record_of_one_person(
    open_practice: Callable[..., House], company: PracticeCompany, seed: int
) -> None:
    chance = random.Random(seed)
    house = open_practice(only(company, "create", most=1))
    template = new_crew(house)
    for number in range(12):
        move_in(house, chance, template, number)
    for _ in range(2):
        before = records(house)
        for direction in chance.sample(list(Direction), 2):
            house.run(direction, trigger=chance.choice([Trigger.MANUAL, Trigger.SCHEDULE]))
        after = records(house)
        assert {key: count for key, count in after.items() if count > max(1, before[key])} == {}
        move_in(house, chance, template, chance.randrange(20, 30))


def move_in(house: House, chance: random.Random, template: Mapping[str, Any], number: int) -> None:
    """Somebody of few names and birthdays, so that people look alike, in one system or in both, hidden or not."""
    crew = {name: value for name, value in template.items() if name != "id"} | {
        "emp_code": f"7{number:04d}",
        "last_name_yomi": chance.choice(["サトウ", "スズキ"]),
        "first_name_yomi": chance.choice(["ハナコ", "ジロウ", "ミキ"]),
        "birth_at": f"1990-0{chance.randrange(1, 4)}-11",
    }
    dates = chance.choice([lambda _: {}, joins_later, has_left, no_month_shows_them])(house)
    there = the_same_in_freee(crew, num=chance.choice(["", crew["emp_code"], f"8{number:04d}"]), **dates)
    if chance.random() < 0.15:
        there["payroll_calculation"] = False
    where = chance.choice(["smarthr", "freee", "both"])
    if where != "freee":
        house.smarthr.add(crew)
    if where != "smarthr":
        house.freee.add(there)


def records(house: House) -> Counter[tuple[str, str, str]]:
    """(system, kana, birth date) → how many records there are."""
    crews = [(crew["last_name_yomi"] + crew["first_name_yomi"], crew["birth_at"]) for crew in house.smarthr.crews]
    people = [house.freee.employee(each) for each in list(house.freee.company.people)]
    shown = [(each["profile_rule"] or {}, each["birth_date"]) for each in people]
    kana = [(profile.get("last_name_kana", "") + profile.get("first_name_kana", ""), born) for profile, born in shown]
    return Counter([("smarthr", *each) for each in crews] + [("freee", *each) for each in kana if each[0]])
