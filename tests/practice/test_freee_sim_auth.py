"""freee simulator: dead tokens, addresses, rights, limits, maintenance; faults and the screen; over real HTTP."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from app.practice.freee.practice_freee import create_freee, freee_of
from app.practice.server import start_in_thread
from app.practice.staff import practice_company
from app.practice.staff.practice_company import build_company
from app.practice.vendor_kit.fault_injection import BadSwitch
from app.practice.vendor_kit.limits import Rates
from tests.practice.freee_house import (
    COMPANY,
    NAMES,
    OFFICER,
    PART_TIME,
    REGULAR,
    Caller,
    small_company,
)

STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


@pytest.fixture
def caller() -> Caller:
    return Caller()


# ── tokens, address, rights ───────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_token_one_is_asked_to_sign_in(caller: Caller) -> None:
    caller.token = None
    answer = caller.get("/api/v1/employees", year=2026, month=4)
    assert caller.status == 401
    assert answer == {"message": "ログインをしてください。"}


def test_only_a_bearer_token_counts(caller: Caller) -> None:
    headers = {"Authorization": f"Basic {practice_company.FREEE_ACCESS_TOKEN}"}
    assert caller.http.get("/hr/api/v1/users/me", headers=headers).status_code == 401


@pytest.mark.parametrize("how", ["expired", "invented"])
def test_a_dead_token_is_401_or_403_with_its_code(caller: Caller, how: str) -> None:
    if how == "expired":
        caller.clock.turn(6 * 3600)
    else:
        caller.token = "invented"
    answer = caller.employee()
    assert (caller.status, answer["code"]) == (401, "expired_access_token")
    caller.switch("expired_status", 403)
    answer = caller.employee()
    assert (caller.status, answer["code"]) == (403, "expired_access_token")


def test_the_address_can_be_refused(caller: Caller) -> None:
    caller.switch("ip_restriction", True)
    answer = caller.employee()
    assert caller.status == 401
    assert answer["code"] == "source_ip_address_limit"
    assert "接続元のIPアドレスからは、サービスをご利用いただくことができません" in answer["message"]
    caller.switch("ip_restriction", False)
    assert caller.employee()["id"] == REGULAR


def test_the_app_can_lack_a_permission(caller: Caller) -> None:
    caller.switch("missing_permission", True)
    caller.put_profile(title="部長")
    assert (caller.status, caller.last.mimetype) == (403, "application/problem+json")
    caller.call("GET", "/api/v1/users/me")
    assert caller.status == 200
    caller.switch("missing_permission", "reauthorize")
    answer = caller.employee()
    assert (caller.status, answer["code"]) == (401, "re_authorization_required")
    caller.switch("missing_permission", False)
    assert caller.rule("profile_rule")["title"] == "主任"


def test_maintenance_closes_everything_but_the_controls(caller: Caller) -> None:
    caller.switch("maintenance", True)
    caller.employee()
    assert (caller.status, caller.last.mimetype) == (503, "text/html")
    assert caller.http.post("/public_api/token", data={}).status_code == 503
    assert caller.http.put("/_practice/switches", json={"maintenance": False}).status_code == 200
    assert caller.employee()["id"] == REGULAR


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def limited(**rates: Any) -> Caller:
    return Caller(rates=Rates(**rates))


def test_every_answer_tells_what_is_left(caller: Caller) -> None:
    seen = []
    for path in ("/api/v1/users/me", "/api/v1/employees", f"/api/v1/employees/{REGULAR}"):
        caller.get(path)
        headers = caller.last.headers
        assert headers["X-RateLimit-Limit"] == "10000"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", headers["X-RateLimit-Reset"])
        seen.append(int(headers["X-RateLimit-Remaining"]))
    assert seen == [9999, 9998, 9997]
    reset = datetime.strptime(caller.last.headers["X-RateLimit-Reset"], STAMP).replace(tzinfo=UTC)
    assert 0 < reset.timestamp() - caller.clock() <= 3600


def test_over_the_quota_is_429_until_the_reset() -> None:
    caller = limited(freee_hour=2)
    assert [(caller.employee(), caller.status)[1] for _ in range(3)] == [200, 200, 429]
    assert caller.last.headers["X-RateLimit-Remaining"] == "0"
    reset = datetime.strptime(caller.last.headers["X-RateLimit-Reset"], STAMP).replace(tzinfo=UTC)
    caller.clock.turn(reset.timestamp() - caller.clock())
    assert caller.employee()["id"] == REGULAR


def test_a_burst_closes_the_door_for_ten_minutes() -> None:
    caller = limited(freee_burst=3)
    for _ in range(3):
        caller.employee()
    assert caller.status == 200
    answer = caller.employee()
    assert caller.status == 403
    assert "code" not in answer  # nothing tells it from missing rights
    caller.clock.turn(599)
    caller.employee()
    assert caller.status == 403
    caller.clock.turn(1)
    caller.employee()
    assert caller.status == 200


def test_a_write_refused_by_a_limit_is_not_carried_out() -> None:
    caller = limited(freee_hour=1)
    caller.put_profile(title="部長")
    caller.put_profile(title="社長")
    assert caller.status == 429
    assert caller.freee.employee(REGULAR, month=(2026, 4))["profile_rule"]["title"] == "部長"


def test_calls_with_a_dead_token_do_not_count_and_a_reset_starts_anew() -> None:
    caller = limited(freee_hour=1)
    caller.token = "invented"
    caller.employee()
    assert "X-RateLimit-Remaining" not in caller.last.headers
    caller.token = practice_company.FREEE_ACCESS_TOKEN
    assert [(caller.employee(), caller.status)[1] for _ in range(2)] == [200, 429]
    caller.freee.injector.reset()
    assert caller.employee()["id"] == REGULAR


def test_the_accounts_server_and_the_controls_do_not_count() -> None:
    caller = limited(freee_hour=1)
    for _ in range(3):
        caller.http.post("/public_api/token", data={})
        caller.http.get("/_practice/state")
    assert caller.employee()["id"] == REGULAR


# ── faults, log, switches ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fault_answers_instead(caller: Caller) -> None:
    caller.freee.injector.fault(method="PUT", path="bank_account_rule$", status=500, times=1)
    path = f"/hr/api/v1/employees/{REGULAR}/bank_account_rule"
    body = {"company_id": COMPANY, "year": 2026, "month": 4, "employee_bank_account_rule": {"bank_code": "0009"}}
    headers = {"Authorization": f"Bearer {caller.token}"}
    assert caller.http.put(path, json=body, headers=headers).status_code == 500
    assert caller.rule("bank_account_rule")["bank_code"] == "0001"
    assert caller.http.put(path, json=body, headers=headers).status_code == 200


def test_a_fault_after_the_deed_loses_only_the_answer(caller: Caller) -> None:
    caller.freee.injector.fault(method="POST", path="/employees$", status=504, after=True, times=1)
    new = {**NAMES, "birth_date": "1999-09-09", "entry_date": "2026-04-01", "pay_calc_type": "monthly"}
    body = {"company_id": COMPANY, "employee": {**new, "pay_amount": 1, "num": "0777"}}
    headers = {"Authorization": f"Bearer {caller.token}"}
    assert caller.http.post("/hr/api/v1/employees", json=body, headers=headers).status_code == 504
    assert len(caller.freee.ids_by_num("0777")) == 1


def test_the_log_counts_vendor_calls_only(caller: Caller) -> None:
    caller.employee()
    caller.put_profile()
    caller.http.get("/_practice/state")
    seen = [(each.method, each.path, each.status) for each in caller.freee.injector.requests]
    assert seen == [
        ("GET", f"/hr/api/v1/employees/{REGULAR}", 200),
        ("PUT", f"/hr/api/v1/employees/{REGULAR}/profile_rule", 200),
    ]


def test_switches_given_at_the_start_survive_a_reset() -> None:
    caller = Caller({"omitted_field": "clear"})
    caller.switch("omitted_field", "keep")
    caller.freee.injector.reset()
    assert caller.freee.injector.switch("omitted_field") == "clear"


@pytest.mark.parametrize("switches", [{"omitted_field": "erase"}, {"no_such": True}])
def test_a_wrong_switch_is_refused_at_the_start(switches: dict[str, Any]) -> None:
    with pytest.raises(BadSwitch):
        create_freee(small_company(), switches)


# ── a person at the screen ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_person_edits_without_the_api(caller: Caller) -> None:
    changed = {"num": "8888", "retire_date": "2027-03-31", "bank_account_rule": {"account_number": "7654321"}}
    answer = caller.http.post(f"/_practice/employees/{REGULAR}", json=changed)
    assert answer.status_code == 200
    employee = caller.employee()
    assert (employee["num"], employee["retire_date"]) == ("8888", "2027-03-31")
    assert employee["bank_account_rule"]["account_number"] == "7654321"
    assert employee["bank_account_rule"]["bank_code"] == "0001"
    assert caller.freee.injector.calls() == 1


def test_an_edit_over_http_takes_the_month_of_the_screen(caller: Caller) -> None:
    body = {"pay_month": "2026-05", "profile_rule": {"title": "店長"}}
    caller.http.post(f"/_practice/employees/{PART_TIME}", json=body)
    assert caller.rule("profile_rule", PART_TIME, month=3)["title"] == "主任"
    assert caller.rule("profile_rule", PART_TIME, month=4)["title"] == "店長"


def test_a_person_moves_somebody_to_another_group_and_adds_family(caller: Caller) -> None:
    caller.freee.edit(
        REGULAR,
        {
            "company_reference_date_rule_name": "役員",
            "working_hours_system_name": "フレックスタイム制",
            "dependent_rules": [{"last_name": "試験", "first_name": "花", "gender": "female"}],
        },
        pay_month="2026-01",
    )
    employee = caller.freee.employee(REGULAR, month=(2026, 1))
    assert employee["company_reference_date_rule_name"] == "役員"
    assert employee["dependent_rules"][0]["first_name"] == "花"
    caller.put_rule("basic_pay_rule", pay_calc_type="hourly", pay_amount=1)
    assert caller.status == 400


def test_a_wrong_edit_is_told(caller: Caller) -> None:
    assert caller.http.post("/_practice/employees/999", json={"num": "1"}).status_code == 404
    assert caller.http.post(f"/_practice/employees/{REGULAR}", json={"nmu": "1"}).status_code == 400
    assert caller.http.post(f"/_practice/employees/{REGULAR}", json={"pay_month": "soon"}).status_code == 400
    assert caller.employee()["num"] == "0011"


def test_a_person_adds_and_removes_people(caller: Caller) -> None:
    record = {"num": "0500", "display_name": "追加 花子", "profile_rule": {**NAMES, "title": "係長"}}
    made = caller.http.post("/_practice/employees", json=record).get_json()["id"]
    assert caller.employee(made)["profile_rule"]["title"] == "係長"
    assert caller.freee.ids_by_num("0500") == [made]
    assert caller.http.delete(f"/_practice/employees/{made}").status_code == 204
    caller.employee(made)
    assert caller.status == 404
    assert caller.http.delete(f"/_practice/employees/{made}").status_code == 404


def test_a_reset_brings_everybody_back(caller: Caller) -> None:
    before = caller.http.get("/_practice/state").get_json()
    caller.put_profile(title="部長")
    caller.freee.remove(OFFICER)
    caller.send("POST", "/api/v1/positions", position={"name": "部長"})
    caller.switch("maintenance", True)
    caller.http.post("/_practice/reset")
    assert caller.http.get("/_practice/state").get_json() == before


def paged(caller: Caller, path: str, **query: Any) -> list[dict[str, Any]]:
    """All pages of a list, people outside payroll included."""
    found: list[dict[str, Any]] = []
    while True:
        answer = caller.get(path, limit=100, offset=len(found), with_no_payroll_calculation="true", **query)
        page = answer if isinstance(answer, list) else answer["employees"]
        found += page
        if len(page) < 100:
            return found


# ── the whole practice company, over real HTTP ────────────────────────────────────────────────────────────────────────


def test_the_staff_of_the_practice_company_is_served_as_the_contract_wants_it() -> None:
    company = build_company(small_company().today, extra=30)
    caller = Caller(company=company)
    source = {each["id"]: each for each in company.employees}
    assert {each["id"] for each in paged(caller, f"/api/v1/companies/{COMPANY}/employees")} == set(source)
    served = paged(caller, "/api/v1/employees", year=2026, month=4)
    assert len(served) > 90
    for employee in served:
        number = employee["id"]
        for kind in ("profile_rule", "bank_account_rule", "health_insurance_rule", "basic_pay_rule"):
            expected = source[number][kind]
            assert employee[kind] == (expected and {**expected, "id": employee[kind]["id"]}), kind


def test_it_runs_as_a_real_server() -> None:
    app = create_freee(small_company())
    running = start_in_thread(app)
    try:
        url = f"{running.url}/hr/api/v1/employees/{REGULAR}"
        headers = {"Authorization": f"Bearer {practice_company.FREEE_ACCESS_TOKEN}"}
        query = {"company_id": COMPANY, "year": 2026, "month": 4}
        answer = requests.get(url, params=query, headers=headers, timeout=5)
        assert answer.json()["employee"]["num"] == "0011"
        freee_of(app).injector.fault(path="/employees/", cut="silent", times=1)
        with pytest.raises(requests.ConnectionError):
            requests.get(url, params=query, headers=headers, timeout=5)
        assert requests.get(url, params=query, headers=headers, timeout=5).status_code == 200
    finally:
        running.stop()
