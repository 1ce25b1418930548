"""freee simulator: what the monthly rules of a person accept, refuse, keep and clear."""

from __future__ import annotations

from typing import Any

import pytest

from tests.practice.freee_house import COMPANY, LEAVER, NAMES, OUTSIDE, REGULAR, Caller, refused


@pytest.fixture
def caller() -> Caller:
    return Caller()


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_four_names_go_with_every_profile(caller: Caller) -> None:
    for missing in NAMES:
        sent = {name: value for name, value in NAMES.items() if name != missing}
        caller.put_rule("profile_rule", **sent)
        refused(caller, saying="を入力してください")


def test_a_profile_is_answered_as_it_now_is(caller: Caller) -> None:
    answer = caller.put_profile(last_name="改姓", residential_prefecture_code=0, employment_type="")
    assert answer == caller.rule("profile_rule")
    assert (answer["last_name"], answer["residential_prefecture_code"], answer["employment_type"]) == ("改姓", 0, "")
    assert caller.employee()["display_name"] == "試験 一郎"


def test_what_a_profile_leaves_out_stays_or_goes(caller: Caller) -> None:
    assert caller.put_profile()["title"] == "主任"
    caller.switch("omitted_field", "clear")
    cleared = caller.put_profile()
    assert (cleared["title"], cleared["phone1"], cleared["address_kana"], cleared["gender"]) == (
        None,
        None,
        "",
        "unselected",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"phone1": "090000"},
        {"phone2": "00000"},
        {"zipcode1": "1000"},
        {"residential_zipcode2": "00010"},
        {"prefecture_code": 47},
        {"prefecture_code": -2},
        {"prefecture_code": "12"},
        {"address": "あ" * 256},
        {"residential_address_kana": "ﾁﾖﾀﾞｸ"},
        {"address_kana": "千代田区"},
        {"employment_type": "intern"},
        {"gender": ""},
        {"widow_type": "none"},
        {"disability_type": ""},
        {"householder": "me"},
        {"is_working_student": 0},
        {"householder_name": None},
    ],
)
def test_a_profile_with_a_wrong_value_changes_nothing(caller: Caller, changes: dict[str, Any]) -> None:
    before = caller.rule("profile_rule")
    caller.put_profile(**changes)
    refused(caller)
    assert caller.rule("profile_rule") == before


@pytest.mark.parametrize("text", ["チヨダク カスミガセキ1-2-3", "チヨダク　１－２　Ａトウ", ""])
def test_readings_of_addresses_hold_digits_and_letters(caller: Caller, text: str) -> None:
    assert caller.put_profile(residential_address_kana=text)["residential_address_kana"] == text


def test_the_width_of_kana_is_a_switch(caller: Caller) -> None:
    for half in ({"last_name_kana": "ｼｹﾝ"}, {"address_kana": "ﾁﾖﾀﾞｸ"}):
        caller.put_profile(**half)
        refused(caller, saying="全角カタカナ")
    caller.put_rule("bank_account_rule", account_name="ｼｹﾝ ｲﾁﾛｳ")
    refused(caller, saying="全角カタカナ")
    caller.switch("kana", "any")
    assert caller.put_profile(last_name_kana="ｼｹﾝ")["last_name_kana"] == "ｼｹﾝ"
    assert caller.put_rule("bank_account_rule", account_name="ｼｹﾝ ｲﾁﾛｳ")["account_name"] == "ｼｹﾝ ｲﾁﾛｳ"
    caller.put_rule("bank_account_rule", account_name="試験 一郎")
    refused(caller)


def test_the_householder_himself_has_no_name(caller: Caller) -> None:
    caller.put_profile(householder="myself", householder_name="試験 一郎")
    refused(caller, saying="世帯主")
    caller.put_profile(householder="myself", householder_name="")
    refused(caller, saying="世帯主")
    assert caller.put_profile(householder="father", householder_name="試験 父")["householder_name"] == "試験 父"
    assert caller.put_profile(householder="myself")["householder_name"] == ""


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({"bank_code": "123"}, "4桁"),
        ({"bank_code": "12345"}, "4桁"),
        ({"branch_code": "12"}, "3桁"),
        ({"account_number": "123456"}, "7桁"),
        ({"account_number": "12345678"}, "7桁"),
        ({"account_type": "checking"}, "預金種類"),
        ({"account_type": ""}, "預金種類"),
        ({"account_name": "ア" * 51}, "50文字"),
        ({"account_name": "試験"}, "カタカナ"),
        ({"account_name": "シケン1"}, "カタカナ"),
        ({"bank_name_kana": "みずほ"}, "カタカナ"),
        ({"account_number": 1234567}, "文字列"),
    ],
)
def test_a_bank_account_with_a_wrong_value_is_refused(caller: Caller, changes: dict[str, Any], saying: str) -> None:
    caller.put_rule("bank_account_rule", **changes)
    refused(caller, saying=saying)


def test_a_bank_account_needs_nothing_and_can_be_emptied(caller: Caller) -> None:
    assert caller.put_rule("bank_account_rule")["bank_code"] == "0001"
    emptied = caller.put_rule("bank_account_rule", bank_code="", branch_code="", account_number="", account_name="")
    assert {emptied[each] for each in ("bank_code", "branch_code", "account_number", "account_name")} == {""}
    caller.switch("omitted_field", "clear")
    assert caller.put_rule("bank_account_rule", account_name="シケン (カ).ア")["bank_code"] is None


@pytest.mark.parametrize("kind", ["health_insurance_rule", "welfare_pension_insurance_rule"])
def test_insurance_wants_the_standard_remuneration_each_time(caller: Caller, kind: str) -> None:
    caller.put_rule(kind, reference_num="007")
    refused(caller, saying="標準報酬月額を入力してください")
    for wrong in (0, -1, "300000", None, 1.5):
        caller.put_rule(kind, standard_monthly_remuneration=wrong)
        refused(caller, saying="標準報酬月額")
    answer = caller.put_rule(kind, standard_monthly_remuneration=320_000, reference_num="007")
    assert (answer["standard_monthly_remuneration"], answer["reference_num"]) == (320_000, "007")
    assert answer["entried"] is True


def test_manual_premiums_are_checked_and_nullable(caller: Caller) -> None:
    send = {"standard_monthly_remuneration": 300_000, "health_insurance_salary_calc_type": "manual"}
    amount = "manual_health_insurance_amount_of_company_salary"
    assert caller.put_rule("health_insurance_rule", **send, **{amount: 1234.5678})[amount] == 1234.5678
    assert caller.put_rule("health_insurance_rule", **send, **{amount: None})[amount] is None
    caller.put_rule("health_insurance_rule", **send, manual_health_insurance_amount_of_employee_salary=1.5)
    refused(caller)
    caller.put_rule("health_insurance_rule", **{**send, "health_insurance_salary_calc_type": "half"})
    refused(caller)


def test_basic_pay_wants_both(caller: Caller) -> None:
    caller.put_rule("basic_pay_rule", pay_calc_type="monthly")
    refused(caller, saying="基本給")
    caller.put_rule("basic_pay_rule", pay_calc_type=None, pay_amount=1)
    refused(caller, saying="給与方式")
    answer = caller.put_rule("basic_pay_rule", pay_calc_type="daily", pay_amount=0)
    assert (answer["pay_calc_type"], answer["pay_amount"]) == ("daily", 0)


def test_unknown_fields_are_ignored(caller: Caller) -> None:
    answer = caller.put_profile(id=1, nickname="x", title="部長")
    assert answer["title"] == "部長"
    assert "nickname" not in answer


def test_a_wrapper_is_wanted(caller: Caller) -> None:
    path = f"/api/v1/employees/{REGULAR}/profile_rule"
    caller.send("PUT", path, year=2026, month=4, profile_rule=NAMES)
    refused(caller, saying="形式")
    caller.send("PUT", path, employee_profile_rule=NAMES)
    refused(caller, saying="対象年")


def test_rules_are_written_neither_outside_payroll_nor_out_of_month(caller: Caller) -> None:
    caller.put_profile(OUTSIDE)
    refused(caller, saying="給与計算対象外")
    caller.put_profile(LEAVER, month=4)
    refused(caller)
    caller.switch("unknown_employee_subresource", 404)
    status = caller.http.put(
        f"/hr/api/v1/employees/{LEAVER}/profile_rule",
        json={"company_id": COMPANY, "year": 2026, "month": 4, "employee_profile_rule": NAMES},
        headers={"Authorization": f"Bearer {caller.token}"},
    ).status_code
    assert status == 404
