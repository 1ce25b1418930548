"""freee simulator: closing month and pay month, carry-forward, what exists once, ids per month."""

from __future__ import annotations

from datetime import date

import pytest

from app.practice.freee.months import Carried, Month, PayGroup
from tests.practice.freee_house import NAMES, OFFICER, PART_TIME, REGULAR, Caller

SAME = PayGroup("当月", 31, 25, "this_month")
NEXT = PayGroup("翌月", 31, 15, "next_month")
TWENTIETH = PayGroup("20日締め", 20, 25, "this_month")


@pytest.fixture
def caller() -> Caller:
    return Caller()


# ── arithmetic ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("group", "day", "closing"),
    [
        (SAME, date(2026, 1, 31), (2026, 1)),
        (SAME, date(2026, 2, 28), (2026, 2)),
        (TWENTIETH, date(2026, 1, 20), (2026, 1)),
        (TWENTIETH, date(2026, 1, 21), (2026, 2)),
        (TWENTIETH, date(2026, 12, 21), (2027, 1)),
        (PayGroup("30日", 30, 10, "next_month"), date(2026, 2, 28), (2026, 2)),
        (PayGroup("30日", 30, 10, "next_month"), date(2026, 1, 31), (2026, 2)),
    ],
)
def test_the_closing_month_of_a_day(group: PayGroup, day: date, closing: tuple[int, int]) -> None:
    assert group.closing_month(day) == closing


def test_the_pay_month_is_the_closing_month_or_the_one_after() -> None:
    assert SAME.pay_month(Month(2026, 12)) == (2026, 12)
    assert NEXT.pay_month(Month(2026, 12)) == (2027, 1)
    assert NEXT.pay_month(Month(2026, 1)) == (2026, 2)


def test_a_month_reads_and_writes_its_text() -> None:
    assert str(Month(2026, 4)) == "2026-04"
    assert Month.parse("2026-04") == (2026, 4)
    with pytest.raises(ValueError, match="month"):
        Month.parse("2026-13")


def test_carried_values() -> None:
    carried = Carried()
    assert carried.at(Month(2026, 1)) is None
    carried.put(Month(2026, 3), {"title": "a"})
    carried.put(Month(2026, 6), {"title": "b"})
    assert [carried.at(Month(2026, each))["title"] for each in (1, 3, 5, 6, 9)] == ["a", "a", "a", "b", "b"]
    carried.at(Month(2026, 3))["title"] = "scribbled"
    assert carried.dump() == {"2026-03": {"title": "a"}, "2026-06": {"title": "b"}}


# ── over the API ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_value_holds_from_its_month_on_and_not_before(caller: Caller) -> None:
    caller.put_profile(month=4, title="部長")
    titles = [caller.rule("profile_rule", month=each)["title"] for each in (3, 4, 5, 12)]
    assert titles == ["主任", "部長", "部長", "部長"]


def test_a_later_month_keeps_its_own_value(caller: Caller) -> None:
    caller.put_profile(month=6, title="部長")
    caller.put_profile(month=4, title="課長")
    assert [caller.rule("profile_rule", month=each)["title"] for each in (4, 5, 6)] == ["課長", "課長", "部長"]


def test_next_month_payers_are_written_one_month_later(caller: Caller) -> None:
    caller.put_profile(PART_TIME, month=3, title="リーダー")
    stored = caller.freee.company.people[PART_TIME].rules["profile_rule"].dump()
    assert stored["2026-04"]["title"] == "リーダー"
    assert "2026-03" not in stored
    assert caller.rule("profile_rule", PART_TIME, month=3)["title"] == "リーダー"
    assert caller.rule("profile_rule", PART_TIME, month=2)["title"] == "主任"


def test_same_month_payers_are_written_in_that_month(caller: Caller) -> None:
    caller.put_profile(OFFICER, month=3, title="代表")
    assert caller.freee.company.people[OFFICER].rules["profile_rule"].dump()["2026-03"]["title"] == "代表"


def test_december_of_a_next_month_payer_is_january(caller: Caller) -> None:
    caller.put_rule("basic_pay_rule", PART_TIME, year=2026, month=12, pay_calc_type="hourly", pay_amount=1300)
    assert "2027-01" in caller.freee.company.people[PART_TIME].rules["basic_pay_rule"].dump()


def test_an_edit_on_the_screen_names_the_pay_month(caller: Caller) -> None:
    caller.freee.edit(PART_TIME, {"profile_rule": {"title": "店長"}}, pay_month="2026-05")
    assert caller.rule("profile_rule", PART_TIME, month=4)["title"] == "店長"
    assert caller.rule("profile_rule", PART_TIME, month=3)["title"] == "主任"


def test_each_kind_of_rule_has_its_own_months(caller: Caller) -> None:
    caller.put_rule("bank_account_rule", month=5, bank_code="0009")
    assert caller.rule("bank_account_rule", month=4)["bank_code"] == "0001"
    assert caller.rule("bank_account_rule", month=5)["bank_code"] == "0009"
    assert caller.employee(month=5)["profile_rule"]["title"] == "主任"


def test_rule_ids_belong_to_a_month(caller: Caller) -> None:
    april, may = caller.rule("profile_rule", month=4), caller.rule("profile_rule", month=5)
    assert april["id"] != may["id"]
    assert caller.rule("profile_rule", month=4)["id"] == april["id"]
    assert {**april, "id": 0} == {**may, "id": 0}


def test_the_six_retroactive_items_have_no_month(caller: Caller) -> None:
    changed = {
        "birth_date": "1991-01-01",
        "entry_date": "2024-03-01",
        "retire_date": "2026-12-31",
        "base_pension_num": "0000000001",
        "employment_insurance_reference_number": "00000000001",
    }
    caller.put_employee(month=6, **changed)
    before = caller.employee(month=1)
    assert {name: before[name] for name in changed} == changed


def test_the_gender_reaches_all_months_or_only_later_ones(caller: Caller) -> None:
    caller.put_profile(month=4, gender="female")
    assert caller.rule("profile_rule", month=1)["gender"] == "female"
    caller.switch("gender_month", "monthly")
    assert caller.rule("profile_rule", month=1)["gender"] == "male"
    assert caller.rule("profile_rule", month=4)["gender"] == "female"


def test_a_put_that_leaves_the_gender_out_keeps_the_one_of_all_months(caller: Caller) -> None:
    caller.put_profile(month=6, gender="female")
    caller.put_profile(month=4, title="部長")
    assert caller.rule("profile_rule", month=4)["gender"] == "female"
    caller.freee.edit(REGULAR, {"profile_rule": {"title": "次長"}}, pay_month="2026-02")
    assert caller.rule("profile_rule", month=6)["gender"] == "female"


def test_a_new_group_moves_the_months(caller: Caller) -> None:
    caller.put_profile(month=5, title="部長")
    assert caller.rule("profile_rule", month=4)["title"] == "主任"
    caller.put_employee(month=4, company_reference_date_rule_name="アルバイト")
    assert caller.rule("profile_rule", month=4)["title"] == "部長"


def test_an_entry_date_moved_back_still_finds_the_person(caller: Caller) -> None:
    caller.put_employee(entry_date="2023-04-01")
    assert caller.rule("profile_rule", year=2023, month=5)["title"] == "主任"


def test_the_dump_shows_the_months(caller: Caller) -> None:
    caller.put_profile(month=4, title="部長", **NAMES)
    state = caller.http.get("/_practice/state").get_json()
    person = next(each for each in state["employees"] if each["id"] == REGULAR)
    assert list(person["rules"]["profile_rule"]) == ["2024-04", "2026-04"]
    assert person["group"] == "正社員"
