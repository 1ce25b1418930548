"""freee simulator: who is shown, in which month, in which shape, and what a query may hold."""

from __future__ import annotations

from typing import Any

import pytest

from tests.practice.freee_house import COMPANY, JOINER, LEAVER, OFFICER, OUTSIDE, PART_TIME, REGULAR, Caller


@pytest.fixture
def caller() -> Caller:
    return Caller()


def ids(people: list[dict[str, Any]]) -> list[int]:
    return [each["id"] for each in people]


# ── users/me ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_me_lists_several_companies_and_the_right_one_is_not_the_first(caller: Caller) -> None:
    me = caller.call("GET", "/api/v1/users/me")
    found = [each["id"] for each in me["companies"]]
    assert COMPANY in found
    assert found[0] != COMPANY
    assert len({each["external_cid"] for each in me["companies"]}) == len(found)
    assert next(each for each in me["companies"] if each["id"] == COMPANY)["role"] == "company_admin"


def test_the_role_of_the_user_is_a_switch_and_closes_everything_else(caller: Caller) -> None:
    caller.switch("role", "self_only")
    me = caller.call("GET", "/api/v1/users/me")
    assert next(each for each in me["companies"] if each["id"] == COMPANY)["role"] == "self_only"
    caller.employee()
    assert caller.status == 403


# ── the company list ──────────────────────────────────────────────────────────────────────────────────────────────────


def everybody(caller: Caller, **query: Any) -> Any:
    return caller.call("GET", f"/api/v1/companies/{COMPANY}/employees", query=query)


def test_the_company_list_is_a_bare_array_with_leavers_and_joiners(caller: Caller) -> None:
    assert ids(everybody(caller)) == [REGULAR, PART_TIME, OFFICER, LEAVER, JOINER]


def test_people_outside_payroll_are_listed_only_on_request_and_have_no_pay_days(caller: Caller) -> None:
    listed = everybody(caller, with_no_payroll_calculation="true")
    outside = next(each for each in listed if each["id"] == OUTSIDE)
    assert outside["payroll_calculation"] is False
    assert [outside["closing_day"], outside["pay_day"], outside["month_of_pay_day"]] == [None, None, None]
    assert OUTSIDE not in ids(everybody(caller, with_no_payroll_calculation="false"))


def test_each_line_tells_the_pay_schedule_of_the_person(caller: Caller) -> None:
    by_id = {each["id"]: each for each in everybody(caller)}
    assert (by_id[PART_TIME]["closing_day"], by_id[PART_TIME]["month_of_pay_day"]) == (31, "next_month")
    assert (by_id[OFFICER]["closing_day"], by_id[OFFICER]["pay_day"]) == (20, 25)
    assert by_id[OFFICER]["month_of_pay_day"] != "next_month"
    assert by_id[LEAVER]["retire_date"] == "2026-01-31"


def test_pages_follow_limit_and_offset(caller: Caller) -> None:
    assert ids(everybody(caller, limit=2)) == [REGULAR, PART_TIME]
    assert ids(everybody(caller, limit=2, offset=4)) == [JOINER]
    assert everybody(caller, offset=99) == []


def test_a_page_holds_fifty_without_a_limit_and_at_most_a_hundred(caller: Caller) -> None:
    for number in range(120):
        caller.freee.add({"num": f"9{number:03d}", "display_name": "追加 太郎"})
    assert len(everybody(caller)) == 50
    assert len(everybody(caller, limit=100)) == 100
    assert everybody(caller, limit=101)["errors"][0]["type"] == "bad_request"


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": "ten"}, {"offset": -1}, {"with_no_payroll_calculation": "1"}]
)
def test_a_wrong_query_is_refused(caller: Caller, query: dict[str, Any]) -> None:
    everybody(caller, **query)
    assert caller.status == 400
    assert caller.last.mimetype == "application/problem+json"
    assert caller.messages


def test_the_order_of_lists_is_not_promised(caller: Caller) -> None:
    before = ids(everybody(caller))
    caller.switch("list_order", "reverse")
    assert ids(everybody(caller)) == before[::-1]


# ── the company asked for ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_company_is_403(caller: Caller) -> None:
    caller.call("GET", "/api/v1/employees", query={"year": 2026, "month": 4})
    assert caller.status == 403


def test_a_foreign_company_is_403_everywhere(caller: Caller) -> None:
    caller.call("GET", "/api/v1/companies/7654321/employees")
    assert caller.status == 403
    caller.call("GET", f"/api/v1/employees/{REGULAR}", query={"company_id": 7_654_321, "year": 2026, "month": 4})
    assert caller.status == 403
    caller.call("DELETE", f"/api/v1/employees/{REGULAR}", query={"company_id": 7_654_321})
    assert caller.status == 403
    assert caller.employee()["id"] == REGULAR


def test_the_number_of_the_company_is_no_name(caller: Caller) -> None:
    caller.call("GET", "/api/v1/groups", query={"company_id": "0a1b2c3d4e"})
    assert caller.status == 400


# ── the month list ────────────────────────────────────────────────────────────────────────────────────────────────────


def month_list(caller: Caller, year: int, month: int, **query: Any) -> Any:
    return caller.get("/api/v1/employees", year=year, month=month, **query)


def test_the_month_list_hides_leavers_and_joiners(caller: Caller) -> None:
    assert ids(month_list(caller, 2026, 4)["employees"]) == [REGULAR, PART_TIME, OFFICER]
    assert month_list(caller, 2026, 4)["total_count"] == 3


def test_a_leaver_shows_until_the_month_of_leaving(caller: Caller) -> None:
    assert LEAVER in ids(month_list(caller, 2026, 1)["employees"])
    assert LEAVER not in ids(month_list(caller, 2026, 2)["employees"])


def test_employment_is_counted_by_pay_period_or_by_calendar_month(caller: Caller) -> None:
    """The joiner comes on 25 June, five days after the June closing of that group."""
    assert JOINER not in ids(month_list(caller, 2026, 6)["employees"])
    assert JOINER in ids(month_list(caller, 2026, 7)["employees"])
    caller.switch("employment_month", "calendar")
    assert JOINER in ids(month_list(caller, 2026, 6)["employees"])


def test_the_count_covers_all_pages_and_people_outside_payroll_on_request(caller: Caller) -> None:
    answer = month_list(caller, 2026, 4, limit=1, offset=1, with_no_payroll_calculation="true")
    assert ids(answer["employees"]) == [PART_TIME]
    assert answer["total_count"] == 4


@pytest.mark.parametrize(
    "query", [{}, {"year": 2026}, {"month": 4}, {"year": 1999, "month": 4}, {"year": 2026, "month": 13}]
)
def test_the_month_list_wants_a_month(caller: Caller, query: dict[str, Any]) -> None:
    caller.get("/api/v1/employees", **query)
    assert caller.status == 400


# ── one employee ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_employee_comes_whole(caller: Caller) -> None:
    employee = caller.employee()
    assert employee["num"] == "0011"
    assert employee["company_id"] == COMPANY
    assert employee["company_reference_date_rule_name"] == "正社員"
    assert employee["profile_rule"]["residential_prefecture_code"] == 12
    assert employee["bank_account_rule"]["account_type"] == "ordinary"
    assert employee["health_insurance_rule"]["standard_monthly_remuneration"] == 300_000
    assert employee["health_insurance_rule"]["employee_id"] == REGULAR
    assert employee["dependent_rules"] == []


def test_the_list_and_the_single_answer_agree(caller: Caller) -> None:
    listed = {each["id"]: each for each in month_list(caller, 2026, 4)["employees"]}
    assert caller.employee(PART_TIME) == listed[PART_TIME]


def test_an_employee_not_employed_in_the_month_is_404(caller: Caller) -> None:
    caller.employee(LEAVER, 2026, 2)
    assert caller.status == 404
    caller.employee(JOINER, 2026, 5)
    assert caller.status == 404
    assert caller.last.mimetype == "application/problem+json"


def test_an_unknown_employee_is_404(caller: Caller) -> None:
    answer = caller.employee(999)
    assert caller.status == 404
    assert answer["errors"][0]["type"] == "not_found"


@pytest.mark.parametrize("employee_id", [0, 2_147_483_648])
def test_an_id_out_of_range_is_400(caller: Caller, employee_id: int) -> None:
    caller.employee(employee_id)
    assert caller.status == 400


def test_people_outside_payroll_have_no_rules(caller: Caller) -> None:
    employee = caller.employee(OUTSIDE)
    assert employee["payroll_calculation"] is False
    assert employee["profile_rule"] is None
    assert employee["bank_account_rule"] is None
    assert employee["company_reference_date_rule_name"] is None


def test_the_profile_outside_payroll_is_a_switch(caller: Caller) -> None:
    caller.freee.edit(OUTSIDE, {"profile_rule": {"last_name": "外部"}})
    assert caller.employee(OUTSIDE)["profile_rule"] is None
    caller.switch("outside_payroll_profile", "object")
    assert caller.employee(OUTSIDE)["profile_rule"]["last_name"] == "外部"


# ── rules on their own ────────────────────────────────────────────────────────────────────────────────────────────────

KINDS = (
    "profile_rule",
    "health_insurance_rule",
    "welfare_pension_insurance_rule",
    "bank_account_rule",
    "basic_pay_rule",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_is_the_part_of_the_employee(caller: Caller, kind: str) -> None:
    assert caller.rule(kind) == caller.employee()[kind]


@pytest.mark.parametrize("kind", [*KINDS, "dependent_rules"])
def test_a_rule_of_nobody_or_out_of_month_is_400_or_404(caller: Caller, kind: str) -> None:
    for status in (400, 404):
        caller.switch("unknown_employee_subresource", status)
        query = {"company_id": COMPANY, "year": 2026, "month": 4}
        for employee_id in (999, LEAVER, JOINER):
            response = caller.http.get(
                f"/hr/api/v1/employees/{employee_id}/{kind}",
                query_string=query,
                headers={"Authorization": f"Bearer {caller.token}"},
            )
            assert response.status_code == status


@pytest.mark.parametrize("kind", KINDS)
def test_rules_are_closed_for_people_outside_payroll(caller: Caller, kind: str) -> None:
    caller.rule(kind, OUTSIDE)
    assert caller.status == 400
    assert "給与計算対象外" in caller.messages[0]


def test_a_rule_wants_a_month(caller: Caller) -> None:
    caller.get(f"/api/v1/employees/{REGULAR}/profile_rule", year=2026)
    assert caller.status == 400


def test_manual_amounts_are_hidden_while_freee_calculates(caller: Caller) -> None:
    amount = "manual_health_insurance_amount_of_employee_salary"
    caller.freee.edit(REGULAR, {"health_insurance_rule": {amount: 12_000}})
    assert caller.rule("health_insurance_rule")[amount] is None
    caller.freee.edit(REGULAR, {"health_insurance_rule": {"health_insurance_salary_calc_type": "manual"}})
    assert caller.rule("health_insurance_rule")[amount] == 12_000


# ── masters ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_groups_and_positions_are_made_and_listed(caller: Caller) -> None:
    parent = caller.send("POST", "/api/v1/groups", group={"name": "本社", "code": "H"})["group"]
    child = caller.send("POST", "/api/v1/groups", group={"name": "経理", "parent_group_id": parent["id"]})["group"]
    assert caller.status == 201
    assert (child["level"], child["parent_group_name"], child["code"]) == (2, "本社", "")
    assert caller.get("/api/v1/groups") == {"groups": [parent, child], "total_count": 2}
    position = caller.send("POST", "/api/v1/positions", position={"name": "部長"})["position"]
    assert caller.get("/api/v1/positions") == {"positions": [position], "total_count": 1}


def test_masters_are_checked(caller: Caller) -> None:
    caller.send("POST", "/api/v1/positions", position={"name": ""})
    assert caller.status == 400
    caller.send("POST", "/api/v1/groups", group={"name": "経理", "parent_group_id": 1})
    assert caller.status == 400
    caller.send("POST", "/api/v1/groups", group={"name": "経理", "code": ""})
    assert caller.status == 400
    caller.send("POST", "/api/v1/groups")
    assert caller.status == 400
    assert caller.get("/api/v1/groups")["total_count"] == 0


# ── on the edge ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_unknown_places_and_methods_answer_with_body_a(caller: Caller) -> None:
    caller.get("/api/v1/nothing")
    assert (caller.status, caller.last.mimetype) == (404, "application/problem+json")
    caller.call("PATCH", f"/api/v1/employees/{REGULAR}", body={})
    assert caller.status == 405


def test_every_answer_has_a_request_id(caller: Caller) -> None:
    seen = set()
    for path in ("/api/v1/users/me", "/api/v1/nothing", f"/api/v1/employees/{REGULAR}"):
        caller.get(path)
        seen.add(caller.last.headers["X-Request-Id"])
    assert len(seen) == 3
