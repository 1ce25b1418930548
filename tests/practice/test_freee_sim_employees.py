"""freee simulator: what create, update and delete of employees accept, refuse, keep and clear."""

from __future__ import annotations

from typing import Any

import pytest

from tests.practice.freee_house import COMPANY, LEAVER, NEW, OUTSIDE, PART_TIME, REGULAR, Caller, refused


@pytest.fixture
def caller() -> Caller:
    return Caller()


# ── create ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_created_person_has_the_defaults(caller: Caller) -> None:
    made = caller.create(num="0099")
    assert caller.status == 201
    assert made["display_name"] == "試験 一郎"
    assert made["num"] == "0099"
    assert made["company_reference_date_rule_name"] == "正社員"  # the first registered one
    assert made["profile_rule"]["gender"] == "unselected"
    assert made["profile_rule"]["married"] is False
    assert made["basic_pay_rule"]["pay_amount"] == 250_000
    assert caller.employee(made["id"]) == made


def test_a_number_is_optional_and_blank_then(caller: Caller) -> None:
    assert caller.create()["num"] == ""


def test_everything_a_create_takes_is_kept(caller: Caller) -> None:
    made = caller.create(
        gender="female",
        married=True,
        company_reference_date_rule_name="アルバイト",
        working_hours_system_name="裁量労働制",
        pay_calc_type="hourly",
        pay_amount=1200,
    )
    assert made["company_reference_date_rule_name"] == "アルバイト"
    assert (made["profile_rule"]["gender"], made["profile_rule"]["married"]) == ("female", True)
    assert made["basic_pay_rule"]["pay_calc_type"] == "hourly"
    assert caller.freee.company.people[made["id"]].working_hours == "裁量労働制"


@pytest.mark.parametrize(
    ("missing", "saying"),
    [
        ("entry_date", "入社日を入力してください"),
        ("birth_date", "生年月日を入力してください"),
        ("last_name", "姓を入力してください"),
        ("first_name_kana", "名カナを入力してください"),
        ("pay_calc_type", "給与方式を入力してください"),
        ("pay_amount", "基本給を入力してください"),
    ],
)
def test_a_create_without_a_mandatory_field_is_refused(caller: Caller, missing: str, saying: str) -> None:
    sent = {name: value for name, value in NEW.items() if name != missing}
    caller.send("POST", "/api/v1/employees", employee=sent)
    refused(caller, saying=saying)


@pytest.mark.parametrize("blank", ["", None])
def test_a_blank_mandatory_field_counts_as_missing(caller: Caller, blank: Any) -> None:
    caller.create(entry_date=blank)
    refused(caller, saying="入社日を入力してください")


def test_all_refusals_come_together(caller: Caller) -> None:
    caller.create(last_name="", pay_amount=-1, gender="none")
    refused(caller)
    assert len(caller.messages) == 3


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({"company_reference_date_rule_name": "存在しない"}, "締め日支払い日を選択してください。"),
        ({"working_hours_system_name": "固定時間制 "}, "勤務・賃金設定"),
        ({"working_hours_system_name": "フレックスタイム制", "pay_calc_type": "hourly"}, "フレックスタイム制"),
        ({"working_hours_system_name": "フレックスタイム制", "pay_calc_type": "daily"}, "給与方式"),
        ({"pay_calc_type": "yearly"}, "給与方式"),
        ({"pay_amount": 100_000_000}, "基本給"),
        ({"pay_amount": "250000"}, "基本給"),
        ({"pay_amount": 2.5}, "基本給"),
        ({"pay_amount": True}, "基本給"),
        ({"married": "true"}, "配偶者"),
        ({"married": 1}, "配偶者"),
        ({"num": 99}, "従業員番号"),
        ({"num": "9" * 256}, "従業員番号"),
        ({"birth_date": "1999/09/09"}, "生年月日"),
        ({"birth_date": "1999-02-30"}, "生年月日"),
        ({"birth_date": "1999-9-9"}, "生年月日"),
        ({"last_name_kana": "しけん"}, "姓カナ"),
        ({"last_name_kana": "ｼｹﾝ"}, "姓カナ"),
        ({"company_reference_date_rule_name": "あ" * 16}, "締め日支払い日"),
    ],
)
def test_a_create_with_a_wrong_value_is_refused(caller: Caller, changes: dict[str, Any], saying: str) -> None:
    before = len(caller.freee.company.people)
    caller.create(**changes)
    refused(caller, saying=saying)
    assert len(caller.freee.company.people) == before


def test_flextime_takes_monthly_pay(caller: Caller) -> None:
    made = caller.create(working_hours_system_name="フレックスタイム制")
    assert caller.status == 201
    caller.put_rule("basic_pay_rule", made["id"], pay_calc_type="daily", pay_amount=9000)
    refused(caller, saying="フレックスタイム制")


def test_a_create_outside_payroll_takes_no_pay_settings(caller: Caller) -> None:
    settings = {
        "pay_calc_type": "monthly",
        "pay_amount": 1,
        "working_hours_system_name": "固定時間制",
        "company_reference_date_rule_name": "正社員",
    }
    bare = {name: value for name, value in NEW.items() if name not in settings}
    for name, value in settings.items():
        caller.send("POST", "/api/v1/employees", employee={**bare, "no_payroll_calculation": True, name: value})
        refused(caller, saying="給与計算対象外")
    made = caller.send("POST", "/api/v1/employees", employee={**bare, "no_payroll_calculation": True})["employee"]
    assert made["payroll_calculation"] is False
    assert made["profile_rule"] is None
    assert made["basic_pay_rule"] is None
    assert made["display_name"] == "試験 一郎"


@pytest.mark.parametrize("body", [[], "text", None])
def test_a_body_that_is_no_object_is_refused(caller: Caller, body: Any) -> None:
    caller.call("POST", "/api/v1/employees", body=body)
    refused(caller, saying="形式")


def test_an_employee_that_is_no_object_is_refused(caller: Caller) -> None:
    for employee in (None, [], "x"):
        caller.send("POST", "/api/v1/employees", employee=employee)
        refused(caller, saying="リクエストの形式が不正です。")


def test_the_company_of_a_body_is_checked_first(caller: Caller) -> None:
    caller.call("POST", "/api/v1/employees", body={"employee": NEW})
    assert caller.status == 403
    caller.call("POST", "/api/v1/employees", body={"company_id": 1, "employee": NEW})
    assert caller.status == 403
    caller.call("POST", "/api/v1/employees", body={"company_id": str(COMPANY), "employee": NEW})
    assert caller.status == 400


def test_whether_two_people_may_share_a_number_is_a_switch(caller: Caller) -> None:
    assert caller.create(num="0011")["num"] == "0011"
    caller.switch("num_unique", True)
    caller.create(num="0012")
    refused(caller, saying="従業員番号")
    caller.put_employee(num="0012")
    refused(caller, saying="従業員番号")
    assert caller.put_employee(PART_TIME, num="0012")["num"] == "0012"
    assert caller.create(num="")["num"] == ""
    assert caller.create(num="")["num"] == ""


def test_the_rules_of_a_new_person_are_empty_or_null(caller: Caller) -> None:
    made = caller.create()
    assert made["bank_account_rule"]["bank_code"] is None
    assert made["health_insurance_rule"]["entried"] is False
    caller.switch("rules_of_new_employee", "null")
    made = caller.create()
    assert made["bank_account_rule"] is None
    assert made["health_insurance_rule"] is None
    assert caller.rule("bank_account_rule", made["id"]) is None
    assert made["profile_rule"]["last_name"] == "試験"


# ── update ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_update_answers_the_whole_employee_of_the_month(caller: Caller) -> None:
    answer = caller.put_employee(num="7777", display_name="呼び名")
    assert caller.status == 200
    assert answer == caller.employee()
    assert (answer["num"], answer["display_name"]) == ("7777", "呼び名")


@pytest.mark.parametrize("name", ["birth_date", "entry_date"])
def test_both_dates_go_with_every_update(caller: Caller, name: str) -> None:
    sent = {"birth_date": "1990-05-05", "entry_date": "2024-04-01"}
    del sent[name]
    path = f"/api/v1/employees/{REGULAR}"
    caller.send("PUT", path, year=2026, month=4, employee=sent)
    refused(caller, saying="を入力してください")
    caller.send("PUT", path, year=2026, month=4, employee={**sent, name: None})
    refused(caller, saying="を入力してください")


def test_payroll_employees_want_year_and_month(caller: Caller) -> None:
    sent = {"birth_date": "1990-05-05", "entry_date": "2024-04-01"}
    caller.send("PUT", f"/api/v1/employees/{REGULAR}", employee=sent)
    refused(caller, saying="対象年")
    caller.send("PUT", f"/api/v1/employees/{REGULAR}", year="2026", month=4, employee=sent)
    refused(caller, saying="対象年")


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({"base_pension_num": "123456789"}, "10桁"),
        ({"base_pension_num": "1234-567890"}, "10桁"),
        ({"base_pension_num": "１２３４５６７８９０"}, "10桁"),
        ({"employment_insurance_reference_number": "1234567890"}, "11桁"),
        ({"retire_date": "2024-03-31"}, "退職日は入社日以降"),
        ({"company_reference_date_rule_name": "存在しない"}, "締め日支払い日を選択してください。"),
        ({"num": None}, "null"),
        ({"display_name": None}, "null"),
    ],
)
def test_an_update_with_a_wrong_value_changes_nothing(caller: Caller, changes: dict[str, Any], saying: str) -> None:
    before = caller.employee()
    caller.put_employee(**changes, title="x")
    refused(caller, saying=saying)
    assert caller.employee() == before


def test_numbers_can_be_emptied(caller: Caller) -> None:
    answer = caller.put_employee(base_pension_num="", employment_insurance_reference_number="")
    assert (answer["base_pension_num"], answer["employment_insurance_reference_number"]) == ("", "")


def test_leaving_and_coming_back(caller: Caller) -> None:
    assert caller.put_employee(retire_date="2026-04-30")["retire_date"] == "2026-04-30"
    caller.employee(month=5)
    assert caller.status == 404
    assert caller.put_employee(retire_date=None)["retire_date"] is None
    assert caller.employee(month=5)["retire_date"] is None


def test_the_day_of_entry_may_be_the_day_of_leaving(caller: Caller) -> None:
    answer = caller.put_employee(entry_date="2026-04-01", retire_date="2026-04-01")
    assert answer["retire_date"] == "2026-04-01"


def test_a_leaver_is_not_written_in_a_later_month(caller: Caller) -> None:
    caller.put_employee(LEAVER, month=4)
    assert caller.status == 404
    caller.put_employee(LEAVER, month=1, retire_date=None)
    assert caller.status == 200
    caller.put_employee(999)
    assert caller.status == 404


def test_outside_payroll_wants_a_display_name_and_refuses_payroll_fields(caller: Caller) -> None:
    caller.put_employee(OUTSIDE)
    refused(caller, saying="従業員名を入力してください")
    caller.put_employee(OUTSIDE, display_name="x", employment_insurance_reference_number="12345678901")
    refused(caller, saying="給与計算対象外")
    caller.put_employee(OUTSIDE, display_name="x", company_reference_date_rule_name="正社員")
    refused(caller, saying="給与計算対象外")
    assert caller.put_employee(OUTSIDE, display_name="新しい名前")["display_name"] == "新しい名前"


def test_outside_payroll_needs_no_month(caller: Caller) -> None:
    sent = {"birth_date": "1990-05-05", "entry_date": "2024-04-01", "display_name": "外部"}
    caller.send("PUT", f"/api/v1/employees/{OUTSIDE}", employee=sent)
    assert caller.status == 200


def test_fixed_payslips_hold_the_group(caller: Caller) -> None:
    caller.switch("payslip_fixed", True)
    caller.put_employee(company_reference_date_rule_name="アルバイト")
    refused(caller, saying="締め日支払い日は変更できません")
    assert caller.put_employee(company_reference_date_rule_name="正社員")["num"] == "0011"
    caller.switch("payslip_fixed", False)
    changed = caller.put_employee(company_reference_date_rule_name="アルバイト")
    assert changed["company_reference_date_rule_name"] == "アルバイト"


def test_what_an_update_leaves_out_stays_or_goes(caller: Caller) -> None:
    assert caller.put_employee()["base_pension_num"] == "1234567890"
    caller.switch("omitted_field", "clear")
    cleared = caller.put_employee()
    assert (cleared["num"], cleared["base_pension_num"]) == ("", None)
    assert cleared["display_name"] == "試験 一郎"
    assert cleared["company_reference_date_rule_name"] == "正社員"  # stated: left out = unchanged


def test_a_retire_date_left_out_is_cleared_only_by_the_switch(caller: Caller) -> None:
    caller.put_employee(retire_date="2026-12-31")
    assert caller.put_employee()["retire_date"] == "2026-12-31"
    caller.switch("omitted_field", "clear")
    assert caller.put_employee()["retire_date"] is None


def test_null_where_it_is_not_allowed_is_refused_or_clears(caller: Caller) -> None:
    caller.put_profile(address=None)
    refused(caller, saying="null")
    caller.switch("null_on_non_nullable", "clear")
    caller.put_profile(residential_address=None, is_working_student=None, title=None)
    changed = caller.rule("profile_rule")
    assert (changed["residential_address"], changed["is_working_student"], changed["title"]) == (None, False, None)
    caller.put_profile(last_name=None)
    refused(caller, saying="姓を入力してください")


# ── delete ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deleted_person_is_gone_for_good(caller: Caller) -> None:
    made = caller.create()["id"]
    caller.call("DELETE", f"/api/v1/employees/{made}", query={"company_id": COMPANY})
    assert caller.status == 204
    caller.employee(made)
    assert caller.status == 404
    caller.call("DELETE", f"/api/v1/employees/{made}", query={"company_id": COMPANY})
    assert caller.status == 404
    assert caller.create()["id"] != made


def test_a_delete_wants_the_company(caller: Caller) -> None:
    caller.call("DELETE", f"/api/v1/employees/{REGULAR}")
    assert caller.status == 403
    assert caller.employee()["id"] == REGULAR
