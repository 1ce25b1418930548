"""freee's refusals become the right one of the three errors, whatever status and body they come in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from app.adapters.answers import Response
from app.adapters.freee.errors import (
    OPEN_TO_ALL,
    AccessExpired,
    NoRightOrThrottled,
    NotFound,
    classify,
    step_of,
)
from app.domain.enums import Step
from app.domain.error_catalogue.entries import CATALOGUE
from app.domain.errors import ItemError, RunError, TemporaryError

PROFILE = "/api/v1/employees/100001/profile_rule"
DENIED = "アクセスする権限がありません"


def refused(
    status: int,
    body: Any = None,
    *,
    path: str = PROFILE,
    method: str = "PUT",
    headers: dict[str, str] | None = None,
) -> Response:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    sent = {"Date": "Fri, 20 Nov 2026 03:00:00 GMT"} | (headers or {})
    return Response(method, path, status, CaseInsensitiveDict(sent), content, method == "GET")


def problem(status: int, *messages: str, kind: str = "bad_request") -> dict[str, Any]:
    return {"status_code": status, "errors": [{"type": kind, "messages": list(messages)}]}


def denied(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": "access_denied", "message": message} | ({"code": code} if code else {})


# ── 400 ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("締め日支払い日を選択してください。", "E4"),
        ("入社日を入力してください", "E1"),
        ("退職日は入社日以降の日付を入力してください", "E13"),
        ("姓カナは全角カタカナで入力してください", "E16"),
        ("リクエストの形式が不正です。", "E17"),
        ("だれも知らない新しい文", "E17"),
    ],
)
def test_a_400_is_the_employees_own_and_carries_the_message(message: str, code: str) -> None:
    error = classify(refused(400, problem(400, message)))

    assert type(error) is ItemError
    assert (error.code, error.detail) == (code, message)


def test_all_messages_of_a_400_are_told() -> None:
    body = {"status_code": 400, "errors": [{"type": "bad_request", "messages": ["一つ目"]}, {"messages": ["二つ目"]}]}

    assert classify(refused(400, body)).detail == "一つ目 / 二つ目"


def test_numbers_addresses_and_length_are_taken_out_of_a_message() -> None:
    text = "口座番号1234567と１２３４は使えません sato.hanako@example.com " + "あ" * 1000
    error = classify(refused(400, problem(400, text)))

    assert "1234567" not in error.detail and "１２３４" not in error.detail
    assert "example.com" not in error.detail
    assert len(error.detail) <= 300


@pytest.mark.parametrize("body", [None, b"<html>Bad Request</html>", b"[1,2]", b"null", b"{", {"errors": "text"}])
def test_a_400_without_a_readable_body_says_nothing_of_the_employee(body: Any) -> None:
    error = classify(refused(400, body))

    assert isinstance(error, TemporaryError)
    assert (error.code, error.counts, error.outcome_unknown) == ("not_the_vendor", True, True)


# ── 401 and 403 ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("code", ["expired_access_token", "invalid_access_token"])
def test_an_expired_token_is_known_by_its_code_under_both_statuses(status: int, code: str) -> None:
    assert type(classify(refused(status, denied(DENIED, code)))) is AccessExpired


def test_an_expired_token_is_known_by_codes_inside_the_errors_as_well() -> None:
    body = {"status_code": 401, "errors": [{"type": "status", "messages": ["…"], "codes": ["expired_access_token"]}]}

    assert type(classify(refused(401, body))) is AccessExpired


def test_a_401_without_a_code_counts_as_expired_in_freees_own_form() -> None:
    assert type(classify(refused(401, {"message": "ログインをしてください。"}))) is AccessExpired


@pytest.mark.parametrize("body", [None, b"<html>", {}, {"message": "Unauthorized"}, {"error": "Unauthorized"}])
def test_a_401_of_something_between_is_a_doubt(body: Any) -> None:
    error = classify(refused(401, body))

    assert isinstance(error, TemporaryError)
    assert error.code == "not_the_vendor"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, denied("再認可が必要です。", "re_authorization_required")),
        (403, problem(403, "アプリケーションにこのエンドポイントへのアクセス権限がありません", kind="forbidden")),
        (403, problem(403, "The application has no access to the endpoint", kind="forbidden")),
    ],
)
def test_a_missing_app_permission_needs_a_new_consent(status: int, body: Any) -> None:
    error = classify(refused(status, body))

    assert isinstance(error, RunError)
    assert (error.code, error.needs_consent) == ("needs_consent", True)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, denied("だめです", "source_ip_address_limit"), "E3"),
        (403, problem(403, "接続元のIPアドレスからは、サービスをご利用いただくことができません"), "E3"),
        (401, denied("プラン", "freee_plan_limit"), "plan_limit"),
        (403, denied(DENIED, "user_do_not_have_permission"), "E19"),
        (401, denied("事業所がありません", "company_not_found"), "E19"),
    ],
)
def test_what_only_an_administrator_can_change_stops_the_run(status: int, body: Any, code: str) -> None:
    error = classify(refused(status, body))

    assert type(error) is RunError
    assert (error.code, error.needs_consent) == (code, False)


def test_a_403_that_explains_nothing_is_the_throttle() -> None:
    error = classify(refused(403, problem(403, "Forbidden", kind="forbidden")))

    assert isinstance(error, TemporaryError)
    assert (error.code, error.retry_after, error.counts, error.closes_connection) == ("throttled", 600, False, True)


@pytest.mark.parametrize("body", [None, b"<html>Forbidden</html>", {}])
def test_a_403_in_a_strange_form_waits_as_long_but_not_for_ever(body: Any) -> None:
    """It may be the throttle, and it may be something between: a run that waits for that has to end and say so."""
    error = classify(refused(403, body))

    assert isinstance(error, TemporaryError)
    assert (error.code, error.retry_after, error.counts, error.closes_connection) == ("not_the_vendor", 600, True, True)


def test_a_403_about_rights_without_a_code_is_in_doubt_except_where_no_right_is_needed() -> None:
    assert type(classify(refused(403, denied(DENIED)))) is NoRightOrThrottled
    at_the_open_door = classify(refused(403, denied(DENIED), path=OPEN_TO_ALL, method="GET"))
    assert isinstance(at_the_open_door, TemporaryError)
    assert at_the_open_door.code == "throttled"


# ── the rest ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_404_is_a_broken_link() -> None:
    error = classify(refused(404, problem(404, "従業員が見つかりません", kind="not_found")))

    assert type(error) is NotFound
    assert error.code == "E20"


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("2026-11-20T03:12:30.500000Z", 750.5),
        ("2026-11-20T03:12:30.500000", 750.5),
        ("2026-11-20T12:12:30.500000+09:00", 750.5),
        ("2026-11-20T09:00:00.000000Z", 3600),
        ("2026-11-20T02:00:00.000000Z", 1),
        ("1700000000", 60),
        ("soon", 60),
    ],
)
def test_a_429_waits_until_the_reset_by_the_vendors_own_clock(reset: str, seconds: float) -> None:
    error = classify(refused(429, headers={"x-ratelimit-reset": reset}))

    assert isinstance(error, TemporaryError)
    assert error.retry_after == seconds
    assert (error.code, error.counts, error.closes_connection) == ("rate_limited", False, True)


def test_a_429_that_says_nothing_waits_a_minute() -> None:
    error = classify(refused(429))

    assert isinstance(error, TemporaryError)
    assert error.retry_after == 60


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_of_the_server_is_temporary(status: int) -> None:
    error = classify(refused(status, b"<html>maintenance</html>"))

    assert isinstance(error, TemporaryError)
    assert (error.code, error.detail, error.counts) == ("E22", f"status {status}", True)


@pytest.mark.parametrize("status", [402, 405, 409, 418, 422])
def test_any_other_refusal_is_for_this_employee_only(status: int) -> None:
    assert type(classify(refused(status, problem(status, "何か")))) is ItemError


def test_a_refused_list_is_nobodys_own() -> None:
    """Every employee of the run needs it; an ItemError would be taken for one person's."""
    path = "/api/v1/companies/1/employees"
    assert type(classify(refused(400, problem(400, "何か"), path=path, method="GET"))) is RunError
    missing = classify(refused(404, problem(404, "何か", kind="not_found"), path=path, method="GET"))
    assert isinstance(missing, TemporaryError)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
def test_every_code_is_in_the_catalogue(status: int) -> None:
    assert classify(refused(status, problem(status, "何か"))).code in CATALOGUE


@pytest.mark.parametrize(
    ("method", "path", "step"),
    [
        ("POST", "/api/v1/employees", Step.CREATE),
        ("PUT", "/api/v1/employees/5", Step.EMPLOYEE),
        ("PUT", PROFILE, Step.PROFILE),
        ("PUT", "/api/v1/employees/5/health_insurance_rule", Step.HEALTH_INSURANCE),
        ("PUT", "/api/v1/employees/5/welfare_pension_insurance_rule", Step.PENSION_INSURANCE),
        ("PUT", "/api/v1/employees/5/bank_account_rule", Step.BANK_ACCOUNT),
        ("GET", "/api/v1/employees/5", None),
    ],
)
def test_the_request_tells_the_step(method: str, path: str, step: Step | None) -> None:
    assert step_of(refused(400, method=method, path=path)) is step


def test_a_step_refused_for_somebody_outside_payroll_is_theirs_alone() -> None:
    error = classify(refused(403, problem(403, "給与計算対象外の従業員は利用できません", kind="forbidden")))

    assert type(error) is ItemError
    assert error.code == "E14"
