"""The law: a reading is complete, or the run says so. From outside, through both practice vendors.

A record that cannot be read is one person's 要確認 with the field's name; a list that shifts while it is read is read
again. Everybody else is synced as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.completeness.listed import MOST_READINGS
from app.domain.employee import YearMonth
from app.domain.enums import Direction, System
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.storage.runs.rows import ItemRow
from app.use_cases.queries.item_views import item_view
from app.use_cases.survey.survey import PATIENCE
from app.web.i18n import wording
from tests.house import House
from tests.listening import FREEE_TOKEN, automatic, listening, now_in_japan, settle, swept
from tests.reach import thinned
from tests.use_cases.test_job import only
from tests.use_cases.test_two_way import in_freee

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
BORN = "1999-09-09"
CREWS, EVERYBODY = r"/v1/crews$", r"/companies/\d+/employees$"


@pytest.fixture
def pairs(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Eight people, equal and linked."""
    house = open_practice(only(company, "equal", most=8), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    assert again(house).state is RunState.SUCCEEDED
    house.postbox.mails.clear()
    return house


def again(house: House, direction: Direction = TO_FREEE, **changes: Any) -> Any:
    return house.run(direction, as_of_date=now_in_japan(house), **changes)


def crews(house: House) -> list[dict[str, Any]]:
    return sorted(house.smarthr.crews, key=lambda each: str(each["created_at"]))


def new_phones(house: House, people: list[dict[str, Any]]) -> None:
    for nth, crew in enumerate(people):
        house.smarthr.edit(crew["id"], {"tel_number": f"090-1111-{nth:04d}"})


def freee_id(house: House, crew: dict[str, Any]) -> int:
    return int(dict(links(house))[crew["id"]])


def phone_in_freee(house: House, crew: dict[str, Any]) -> str:
    profile = in_freee(house, freee_id(house, crew))["profile_rule"]
    return "-".join(str(profile[f"phone{part}"]) for part in (1, 2, 3))


def keys(item: ItemRow) -> set[str]:
    return {note["key"] for note in item.notes}


def others(house: House, run: Any, *besides: str) -> set[ItemState]:
    return {item.state for item in house.items(run) if item.employee_number not in besides}


# ── a record that cannot be read ──────────────────────────────────────────────────────────────────────────────────

ODD_IN_SMARTHR = {
    "a part of a yen": ("monthly_standard_income_hel", "200000.5", "health_standard_income"),
    "a number as text": ("monthly_standard_income_pns", '"200000"', "pension_standard_income"),
    "text as a number": ("tel_number", "9012345678", "phone"),
    "no number": ("hel_ins_insured_person_number", "NaN", "health_insured_number"),
    "a number without end": ("monthly_standard_income_hel", "9" * 5000, "health_standard_income"),
    "endless": ("monthly_standard_income_hel", "1e999", "health_standard_income"),
    "an object for a list": ("positions", '{"name": "課長"}', "title"),
    "text for an object": ("address", '"港区"', "home_address"),
    "a list of numbers": ("bank_accounts", "[7]", "bank_account_number"),
    "odd in a list": ("bank_accounts.bank_code", "7", "bank_code"),
    "half a letter": ("last_name", '"\\ud83d"', "last_name"),
    "a number": ("emp_code", "17", "employee_number"),
    "twice": ("birth_at", '"1990-01-01", "birth_at": "1991-01-01"', "birth_date"),
    "a list for a day": ("entered_at", "[]", "hired_on"),
}


@pytest.mark.few(2)
@pytest.mark.parametrize("kind", thinned(2, ODD_IN_SMARTHR))
def test_an_odd_value_in_smarthr_is_one_persons_question(pairs: House, kind: str) -> None:
    path, text, key = ODD_IN_SMARTHR[kind]
    people = crews(pairs)
    odd, before = people[2], phone_in_freee(pairs, people[2])
    new_phones(pairs, people)
    pairs.smarthr_injector.odd.say(odd["id"], path, text)
    run = again(pairs)

    found = next(item for item in pairs.items(run) if item.source_id == odd["id"])
    assert (found.state, found.error_code) == (ItemState.NEEDS_REVIEW, "unreadable_record")
    assert key in keys(found)
    assert others(pairs, run, found.employee_number) == {ItemState.SUCCEEDED}
    assert len(pairs.items(run)) == len(people)
    assert phone_in_freee(pairs, odd) == before
    assert text not in str(found.notes)


ODD_IN_FREEE = {
    "a part of a yen": ("health_insurance_rule.standard_monthly_remuneration", "200000.5", "health_standard_income"),
    "a day that is none": ("birth_date", '"1990/01/01"', "birth_date"),
    "a number": ("num", "17", "employee_number"),
    "a code as text": ("profile_rule.residential_prefecture_code", '"12"', "home_prefecture"),
    "yes": ("profile_rule.married", '"yes"', "having_spouse"),
    "a list": ("profile_rule", "[]", "last_name"),
    "an unknown field": ("bank_account_rule.new_thing", "1e999", "bank_account_rule.new_thing"),
    "a closing day as text": ("closing_day", '"31"', "closing_day"),
    "no such closing day": ("closing_day", "0", "closing_day"),
    "no such day": ("retire_date", '"2023-02-30"', "resigned_on"),
}


@pytest.mark.few(2)
@pytest.mark.parametrize(("kind", "direction"), thinned(3, ODD_IN_FREEE, [TO_FREEE, TO_SMARTHR]))
def test_an_odd_value_in_freee_is_one_persons_question(pairs: House, kind: str, direction: Direction) -> None:
    path, text, key = ODD_IN_FREEE[kind]
    people = crews(pairs)
    odd = people[2]
    before = pairs.smarthr.crew(odd["id"])["updated_at"]
    partner = freee_id(pairs, odd)
    if direction is TO_FREEE:
        new_phones(pairs, people)
    pairs.freee_injector.odd.say(partner, path, text)
    writes = pairs.writes()
    run = again(pairs, direction)

    found = next(item for item in pairs.items(run) if str(partner) in (item.source_id, item.target_id))
    assert (found.state, found.error_code) == (ItemState.NEEDS_REVIEW, "unreadable_record")
    assert key in keys(found)
    done = {ItemState.SUCCEEDED} if direction is TO_FREEE else {ItemState.UNCHANGED}
    assert {item.state for item in pairs.items(run) if item.id != found.id} == done
    if direction is TO_SMARTHR:
        assert pairs.writes() == writes
        assert pairs.smarthr.crew(odd["id"])["updated_at"] == before
    else:
        pairs.freee_injector.odd.clear()
        assert not phone_in_freee(pairs, odd).startswith("090-1111")


def test_the_field_is_named_to_people_and_its_value_to_nobody(pairs: House) -> None:
    odd = crews(pairs)[0]
    pairs.smarthr_injector.odd.say(odd["id"], "monthly_standard_income_hel", "234567.5")
    run = again(pairs)
    item = pairs.item(run, odd["emp_code"])
    assert item.name == f"{odd['last_name']} {odd['first_name']}"
    message = item_view(item, (), (), say=wording("ja")).message
    assert message is not None and "SmartHRの健康保険の標準報酬月額" in message
    (mail,) = pairs.postbox.mails
    assert "SmartHRの健康保険の標準報酬月額" in mail.body
    assert "234567" not in mail.body + str(item)


@pytest.mark.parametrize("text", ["null", "17", "{}", '""'])
def test_somebody_without_id_stands_in_the_result_and_keeps_the_link(pairs: House, text: str) -> None:
    odd = crews(pairs)[1]
    pairs.smarthr_injector.odd.say(odd["id"], "id", text)
    run = again(pairs)
    item = pairs.item(run, odd["emp_code"])
    assert (item.state, item.error_code, item.source_id) == (ItemState.NEEDS_REVIEW, "unreadable_record", None)
    assert others(pairs, run, odd["emp_code"]) == {ItemState.UNCHANGED}
    assert len(links(pairs)) == 8


def links(house: House) -> set[tuple[str, str]]:
    with house.ctx.unit_of_work() as uow:
        return {(link.smarthr_id, link.freee_id) for link in uow.links.for_connection(house.connection.id)}


@pytest.mark.parametrize("text", ["17", "null", "[]", '"x"'])
def test_something_in_the_list_that_is_no_record_is_told(pairs: House, text: str) -> None:
    odd = crews(pairs)[1]
    pairs.smarthr_injector.odd.say(odd["id"], "", text)
    run = again(pairs)
    (item,) = [each for each in pairs.items(run) if each.state is not ItemState.UNCHANGED]
    assert (item.state, item.error_code, item.source_id) == (ItemState.NEEDS_REVIEW, "unreadable_record", None)
    assert len(pairs.items(run)) == 8
    assert len(links(pairs)) == 8


def test_somebody_of_freee_without_id_is_not_called_deleted(pairs: House) -> None:
    odd = crews(pairs)[1]
    pairs.freee_injector.odd.say(freee_id(pairs, odd), "id", "null")
    run = again(pairs)
    item = pairs.item(run, odd["emp_code"])
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "target_unreadable")
    assert others(pairs, run, odd["emp_code"]) == {ItemState.UNCHANGED}
    assert len(links(pairs)) == 8


def test_nobody_is_created_while_an_unlinked_record_cannot_be_told(pairs: House) -> None:
    stranger = pairs.freee.add({"num": "9001", "last_name": "甲", "first_name": "乙", "entry_date": "2020-04-01"})
    crew = {k: v for k, v in crews(pairs)[0].items() if k in ("last_name", "first_name", "gender", "entered_at")}
    new = {**crew, "emp_code": "9002", "last_name_yomi": "シンジン", "first_name_yomi": "ハナ", "birth_at": BORN}
    pairs.smarthr.add(new)
    pairs.freee_injector.odd.say(stranger, "num", "9002")
    created = pairs.freee_injector.calls("POST", "/employees$")
    run = again(pairs)
    assert pairs.item(run, "9002").state is ItemState.NEEDS_REVIEW
    assert pairs.freee_injector.calls("POST", "/employees$") == created


def test_a_position_that_cannot_be_read_is_left_out_and_told(pairs: House) -> None:
    title = next(iter(pairs.smarthr.state.job_titles))
    pairs.smarthr_injector.odd.say(title, "rank", '"first"')
    run = again(pairs, TO_SMARTHR)
    told = [item for item in pairs.items(run) if item.state is not ItemState.UNCHANGED]
    assert [(item.error_code, item.source_id) for item in told] == [("master_unreadable", None)]


# ── every way in ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sweep_tells_once_and_takes_nobody_for_gone(pairs: House) -> None:
    automatic(pairs, Automatic.BOTH)
    swept(pairs)
    people = crews(pairs)
    pairs.smarthr_injector.odd.say(people[0]["id"], "emp_code", "17")
    pairs.smarthr_injector.odd.say(people[1]["id"], "id", "17")
    pairs.postbox.mails.clear()
    swept(pairs)
    assert len(links(pairs)) == 8
    assert any("読み取れない項目" in mail.body for mail in pairs.postbox.mails)
    pairs.postbox.mails.clear()
    swept(pairs)
    assert pairs.postbox.mails == []
    pairs.smarthr_injector.odd.clear()
    swept(pairs)
    assert len(links(pairs)) == 8


def test_a_webhook_of_somebody_unreadable_ends_with_the_name_of_the_field(pairs: House) -> None:
    odd = crews(pairs)[0]
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        pairs.smarthr_injector.odd.say(odd["id"], "monthly_standard_income_hel", "200000.5")
        calls = pairs.calls()
        pairs.smarthr.edit(odd["id"], {"tel_number": "090-2222-2222"})
        settle(pairs)
    with pairs.ctx.unit_of_work() as uow:
        run = uow.runs.page(after=None, limit=1)[0]
        (item,) = uow.items.page(run.id, after=-1, limit=10)
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "unreadable_record")
    assert keys(item) == {"health_standard_income"}
    assert item.employee_number == odd["emp_code"]
    assert pairs.calls() - calls <= 3


# ── a list that shifts ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def many(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """250 people, equal and linked."""
    whole = build_company(company.today, extra=400, equal_share=1.0)
    house = open_practice(only(whole, "equal", most=250))
    assert again(house).state is RunState.SUCCEEDED
    return house


@pytest.mark.reach("all")
def test_people_deleted_while_smarthr_is_read_hide_nobody(many: House) -> None:
    people = crews(many)
    new_phones(many, people[100:103])
    gone = people[:3]
    many.smarthr_injector.meanwhile(
        lambda: [many.smarthr.remove(each["id"]) for each in gone], method="GET", path=CREWS, nth=2
    )
    run = again(many)
    for each in people[100:103]:
        assert many.item(run, each["emp_code"]).state is ItemState.SUCCEEDED


@pytest.mark.reach("all")
def test_one_deleted_and_another_entered_while_smarthr_is_read_hide_nobody(many: House) -> None:
    people = crews(many)
    new_phones(many, people[100:101])
    kana = {"last_name_yomi": "シン", "first_name_yomi": "ジン"}
    new = {"emp_code": "N-1", "last_name": "新", "first_name": "人", **kana}

    def swap() -> None:
        many.smarthr.remove(people[0]["id"])
        many.smarthr.add({**new, "entered_at": "2020-04-01", "birth_at": "1990-01-01", "gender": "female"})

    many.smarthr_injector.meanwhile(swap, method="GET", path=CREWS, nth=2)
    run = again(many)
    assert many.item(run, people[100]["emp_code"]).state is ItemState.SUCCEEDED


def test_people_deleted_while_freee_is_read_hide_nobody(many: House) -> None:
    people = sorted(crews(many), key=lambda each: freee_id(many, each))
    changed, gone = people[99:103], [freee_id(many, each) for each in people[:3]]
    for nth, each in enumerate(changed):
        on = now_in_japan(many)
        for month in (YearMonth(on.year, on.month), YearMonth(on.year, on.month).next()):
            rule = {"phone1": "090", "phone2": "3333", "phone3": f"{nth:04d}"}
            many.freee.edit(freee_id(many, each), {"profile_rule": rule}, pay_month=str(month))
    many.freee_injector.meanwhile(
        lambda: [many.freee.remove(each) for each in gone], method="GET", path=EVERYBODY, nth=2
    )
    run = again(many, TO_SMARTHR)
    for each in changed:
        assert many.item(run, each["emp_code"]).state is ItemState.SUCCEEDED
    assert not [item for item in many.items(run) if item.error_code == "list_incomplete"]


def test_an_undisturbed_list_is_read_once(many: House) -> None:
    many.smarthr_injector.forget_requests()
    many.freee_injector.forget_requests()
    again(many)
    assert many.smarthr_injector.calls("GET", CREWS) == 3
    assert many.freee_injector.calls("GET", EVERYBODY) == 3


def test_a_list_that_never_rests_is_told_and_the_others_are_synced(many: House) -> None:
    people = crews(many)
    new_phones(many, people[100:103])
    for nth in range(MOST_READINGS * (1 + PATIENCE)):
        victim = people[nth]["id"]
        many.smarthr_injector.meanwhile(
            lambda who=victim: many.smarthr.remove(who), method="GET", path=CREWS, nth=3 * nth + 2
        )
    run = again(many)
    told = [item for item in many.items(run) if item.error_code == "list_incomplete"]
    assert [(item.state, item.name, item.source_id) for item in told] == [
        (ItemState.NEEDS_REVIEW, System.SMARTHR.label, None)
    ]
    for each in people[100:103]:
        assert many.item(run, each["emp_code"]).state is ItemState.SUCCEEDED
