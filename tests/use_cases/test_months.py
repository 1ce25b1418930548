"""What a run writes into which month of freee, and what it leaves alone: no field but the changed ones moves."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import ExportSettings, PayType
from app.practice.staff.practice_company import PracticeCompany
from app.practice.staff.scenarios import Scenario
from app.use_cases.upkeep import relay
from tests.house import House
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
OCTOBER, NOVEMBER, DECEMBER = (2026, 10), (2026, 11), (2026, 12)
NEW_HOME = {
    "address": {
        "zip_code": "907-1801",
        "pref": "沖縄県",
        "city": "八重山郡与那国町",
        "street": "与那国9-1",
        "building": "",
        "literal_yomi": "オキナワケンヤエヤマグンヨナグニチョウヨナグニ",
    }
}
HOME_FIELDS = {
    f"profile_rule.residential_{name}"
    for name in ("zipcode1", "zipcode2", "prefecture_code", "address", "address_kana")
}
BOTH_READINGS = [
    {"omitted_field": omitted, "null_on_non_nullable": null}
    for omitted in ("keep", "clear")
    for null in ("reject", "clear")
]


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    one, other = flat(before), flat(after)
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name) and name != "updated_at"}


def paid_by(company: PracticeCompany, group: str) -> Scenario:
    """Somebody of that group who is equal on both sides."""
    members = {e["id"] for e in company.employees if e["pay_schedule"] == group and e["profile_rule"]}
    return next(s for s in company.scenarios if s.to_freee == "equal" and s.employee_id in members)


@pytest.fixture
def equals(company: PracticeCompany) -> PracticeCompany:
    return only(company, "equal")


@pytest.mark.few(2)
@pytest.mark.parametrize("switches", BOTH_READINGS, ids=lambda each: "-".join(each.values()))
@pytest.mark.parametrize("group", ["正社員", "アルバイト"])
def test_an_address_counts_from_its_pay_month_on_and_moves_nothing_else(
    open_practice: Callable[..., House], equals: PracticeCompany, group: str, switches: dict[str, str]
) -> None:
    house = open_practice(equals, freee_switches=switches)
    scenario = paid_by(equals, group)
    assert scenario.crew_id and scenario.employee_id
    whole = house.freee.dump()
    before = {month: house.freee.employee(scenario.employee_id, month=month) for month in (OCTOBER, NOVEMBER, DECEMBER)}
    house.smarthr.edit(scenario.crew_id, NEW_HOME)
    run = house.run(TO_FREEE, employees=(scenario.number,))
    item = house.item(run, scenario.number)
    assert (item.state, item.error_code) == (ItemState.SUCCEEDED, None)
    assert (item.closing_month, item.pay_month) == ("2026-11", "2026-11" if group == "正社員" else "2026-12")
    after = {month: house.freee.employee(scenario.employee_id, month=month) for month in before}
    assert after[OCTOBER] == before[OCTOBER]
    assert moved(before[NOVEMBER], after[NOVEMBER]) == HOME_FIELDS
    assert moved(before[DECEMBER], after[DECEMBER]) == HOME_FIELDS
    others = [e for e in house.freee.dump()["employees"] if e["id"] != scenario.employee_id]
    assert others == [e for e in whole["employees"] if e["id"] != scenario.employee_id]


@pytest.mark.parametrize("switches", BOTH_READINGS, ids=lambda each: "-".join(each.values()))
def test_every_step_leaves_the_rest_of_its_object_alone(
    open_practice: Callable[..., House], equals: PracticeCompany, switches: dict[str, str]
) -> None:
    house = open_practice(equals, freee_switches=switches)
    people = [e["id"] for e in equals.employees if e["health_insurance_rule"] and e["bank_account_rule"]]
    scenario = next(s for s in equals.scenarios if s.employee_id in people)
    assert scenario.crew_id and scenario.employee_id
    before = house.freee.employee(scenario.employee_id, month=NOVEMBER)
    account = house.smarthr.crew(scenario.crew_id)["bank_accounts"][0]
    house.smarthr.edit(
        scenario.crew_id,
        {
            "tel_number": "080-0000-9999",
            "monthly_standard_income_hel": 410_000,
            "monthly_standard_income_pns": 410_000,
            "bank_accounts": [{**account, "account_number": "7654321"}],
            "birth_at": "1981-02-03",
        },
    )
    run = house.run(TO_FREEE, employees=(scenario.number,))
    assert house.item(run, scenario.number).state is ItemState.SUCCEEDED
    after = house.freee.employee(scenario.employee_id, month=NOVEMBER)
    # The five of a bank account go together, in SmartHR's writing: the holder's name stays the same name.
    holders = [each["bank_account_rule"].pop("account_name") for each in (before, after)]
    assert len({unicodedata.normalize("NFKC", holder) for holder in holders}) == 1
    assert {name for name in moved(before, after) if not name.startswith("profile_rule.phone")} == {
        "birth_date",
        "health_insurance_rule.standard_monthly_remuneration",
        "welfare_pension_insurance_rule.standard_monthly_remuneration",
        "bank_account_rule.account_number",
    }
    assert [after["profile_rule"][f"phone{i}"] for i in (1, 2, 3)] == ["080", "0000", "9999"]


def test_a_birth_date_reaches_the_months_before(open_practice: Callable[..., House], equals: PracticeCompany) -> None:
    house = open_practice(equals)
    scenario = paid_by(equals, "アルバイト")
    assert scenario.crew_id and scenario.employee_id
    before = house.freee.employee(scenario.employee_id, month=OCTOBER)
    house.smarthr.edit(scenario.crew_id, {"birth_at": "1981-02-03"})
    house.run(TO_FREEE, employees=(scenario.number,))
    after = house.freee.employee(scenario.employee_id, month=OCTOBER)
    assert moved(before, after) == {"birth_date"}
    assert after["birth_date"] == "1981-02-03"


def test_a_job_after_midnight_writes_the_month_of_its_run(
    open_practice: Callable[..., House], equals: PracticeCompany
) -> None:
    house = open_practice(equals)
    scenario = paid_by(equals, "正社員")
    assert scenario.crew_id and scenario.employee_id
    house.clock.instant = datetime(2026, 11, 30, 14, 30, tzinfo=UTC)  # 23:30 in Japan
    house.smarthr.edit(scenario.crew_id, NEW_HOME)
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=1, status=503, body="")
    run = house.start(TO_FREEE, as_of_date=date(2026, 11, 30), employees=(scenario.number,))
    for _ in range(2):
        relay.relay_once(house.ctx)
        for job in house.queue.take():
            house.do(job)
    assert house.item(run, scenario.number).state is ItemState.WAITING
    house.clock.instant = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)  # 1 December in Japan
    house.work()
    assert house.item(run, scenario.number).state is ItemState.SUCCEEDED
    assert (
        house.freee.employee(scenario.employee_id, month=NOVEMBER)["profile_rule"]["residential_prefecture_code"] == 46
    )


def test_somebody_new_in_a_group_nobody_was_in_keeps_the_month_of_that_group(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    """The group's closing day is learned with the creation; the repetition of what failed writes the same month."""
    house = open_practice(only(company, "create", most=1))
    settings = ExportSettings("固定時間制", "役員", PayType.MONTHLY, 230_000)  # closes on the 20th
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_export_settings(house.connection.id, settings)
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=1, status=503, body="")
    run = house.run(TO_FREEE, as_of_date=date(2026, 11, 25))
    (item,) = house.items(run)
    assert (item.state, item.attempt) == (ItemState.SUCCEEDED, 2)
    assert (item.closing_month, item.pay_month) == ("2026-12", "2026-12")
    assert house.freee.employee(int(item.target_id or 0), month=DECEMBER)["profile_rule"]["phone1"]
    assert not house.freee.employee(int(item.target_id or 0), month=NOVEMBER)["profile_rule"]["phone1"]


def test_export_settings_are_for_new_people_only(open_practice: Callable[..., House], company: PracticeCompany) -> None:
    house = open_practice(only(company, "update", "create"))
    known = {e["id"] for e in house.freee.dump()["employees"]}
    before = {each: house.freee.employee(each, month=NOVEMBER) for each in known}
    settings = ExportSettings("裁量労働制", "アルバイト", PayType.HOURLY, 1_234)
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_export_settings(house.connection.id, settings)
    house.run(TO_FREEE)
    for each in known:
        after = house.freee.employee(each, month=NOVEMBER)
        for name in ("basic_pay_rule", "company_reference_date_rule_name", "employment_type", "email"):
            assert after.get(name) == before[each].get(name), name
    created = [house.freee.employee(e["id"]) for e in house.freee.dump()["employees"] if e["id"] not in known]
    assert created
    assert {each["company_reference_date_rule_name"] for each in created} == {"アルバイト"}


def test_people_outside_payroll_get_one_note_instead_of_one_for_each_item(house: House) -> None:
    outside = [e["id"] for e in house.company.employees if e["profile_rule"] is None]
    scenario = next(
        s for s in house.company.scenarios if s.employee_id in outside and s.to_smarthr == "equal" and s.crew_id
    )
    run = house.run(TO_SMARTHR, employees=(scenario.number,))
    item = house.item(run, scenario.number)
    assert item.state is ItemState.UNCHANGED
    assert [note["code"] for note in item.notes] == ["E14"]
