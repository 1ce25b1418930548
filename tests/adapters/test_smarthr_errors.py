"""SmartHR's refusals, one row per line of its error table and per strange answer seen in the field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from app.adapters.answers import Response
from app.adapters.smarthr.errors import NotFound, classify
from app.domain.error_catalogue.entries import CATALOGUE
from app.domain.errors import AwaseError, ItemError, RunError, TemporaryError

CREW = "/v1/crews/1f0c6c0e-3b0f-4c39-9d7e-0d5a7a5b1c11"


def envelope(code: int, kind: str, message: str = "エラーです", errors: Any = None) -> bytes:
    return json.dumps({"code": code, "type": kind, "message": message, "errors": errors}).encode()


def refusal(
    status: int, content: bytes = b"", *, method: str = "PATCH", path: str = CREW, headers: dict[str, str] | None = None
) -> AwaseError:
    is_read = method == "GET"
    return classify(Response(method, path, status, CaseInsensitiveDict(headers or {}), content, is_read))


TABLE = [
    (400, envelope(1, "bad_request"), "PATCH", ItemError, "E17"),
    (401, envelope(2, "unauthorized_token"), "PATCH", RunError, "E18"),
    (403, envelope(3, "forbidden"), "GET", RunError, "E19"),
    (404, envelope(4, "not_found"), "GET", NotFound, "E20"),
    (500, envelope(5, "internal_server_error"), "PATCH", TemporaryError, "E22"),
    (429, envelope(6, "too_many_requests"), "GET", TemporaryError, "rate_limited"),
    (403, envelope(7, "plan_limit_exceeded"), "POST", ItemError, "plan_limit"),
    (400, envelope(8, "non_deletable_resource"), "PATCH", ItemError, "E17"),
    (503, envelope(9, "service_maintenance"), "GET", TemporaryError, "maintenance"),
    (403, envelope(15, "ip_not_permitted"), "GET", RunError, "ip_not_permitted"),
    (400, b'{"message":"subdomain awase-renshu is inactive"}', "PATCH", RunError, "smarthr_subdomain_inactive"),
    (403, envelope(12, "something_new"), "GET", RunError, "E19"),
    (401, b"", "GET", TemporaryError, "not_the_vendor"),
    (403, b"<html>Forbidden</html>", "GET", TemporaryError, "not_the_vendor"),
    (404, b"<html>Not Found</html>", "GET", TemporaryError, "not_the_vendor"),
    (404, b"[]", "PATCH", TemporaryError, "not_the_vendor"),
    (408, b"", "GET", TemporaryError, "E22"),
    (405, b"", "PATCH", TemporaryError, "not_the_vendor"),
    (405, envelope(12, "method_not_allowed"), "PATCH", ItemError, "unexpected"),
    (502, b"<html>Bad Gateway</html>", "GET", TemporaryError, "E22"),
    (503, b"", "GET", TemporaryError, "E22"),
    (504, b"null", "GET", TemporaryError, "E22"),
    (400, b"\xff\xfe", "PATCH", TemporaryError, "not_the_vendor"),
    (400, b'{"code":"one","type":1,"message":[],"errors":{"a":1}}', "PATCH", TemporaryError, "not_the_vendor"),
    (400, b'{"errors":[null,{"message":1},{"message":"x"}]}', "PATCH", TemporaryError, "not_the_vendor"),
    (400, b'{"code":1,"type":"bad_request","errors":[null,{"message":1},{"message":"x"}]}', "PATCH", ItemError, "E17"),
]


@pytest.mark.parametrize(("status", "content", "method", "kind", "code"), TABLE)
def test_every_refusal_has_its_kind_and_a_text_for_people(
    status: int, content: bytes, method: str, kind: type[AwaseError], code: str
) -> None:
    path = "/v1/crews" if method == "POST" else CREW
    error = refusal(status, content, method=method, path=path)
    assert (type(error), error.code) == (kind, code)
    assert error.code in CATALOGUE


def test_a_dead_token_stops_the_run_and_waits_for_no_consent() -> None:
    """SmartHR knows no authorisation that could be given while the run waits: another token has to be set."""
    error = refusal(401, envelope(2, "unauthorized_token"))
    assert isinstance(error, RunError)
    assert not error.needs_consent


def test_a_refused_list_stops_the_run_a_refused_person_does_not() -> None:
    assert isinstance(refusal(400, envelope(1, "bad_request"), method="GET", path="/v1/crews"), RunError)
    assert isinstance(refusal(404, envelope(4, "not_found"), method="GET", path="/v1/job_titles"), TemporaryError)
    assert isinstance(refusal(400, envelope(1, "bad_request"), method="GET"), ItemError)


def test_all_messages_of_a_validation_reach_the_operator_without_values() -> None:
    errors = [
        {"message": "業務内容は30文字以内で入力してください。", "resource": "Crew", "field": "occupation"},
        {"message": "社員番号E-471100は使われています。", "resource": "Crew", "field": "emp_code"},
        {"message": "someone@example.com は使えません。", "resource": None, "field": None},
    ]
    error = refusal(400, envelope(1, "bad_request", "不正なリクエストパラメータです。", errors))
    assert error.detail == (
        "業務内容は30文字以内で入力してください。; 社員番号E-••••は使われています。; •••• は使えません。"
    )
    assert len(refusal(400, envelope(1, "bad_request", "長" * 9999)).detail) <= 300


def test_an_unknown_code_is_kept() -> None:
    assert refusal(400, envelope(12, "new_kind", "新しい理由です。")).detail == "新しい理由です。; code 12"
    assert refusal(400, envelope(1, "bad_request", "理由です。")).detail == "理由です。"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-rate-limit-remaining": "4321", "x-rate-limit-reset": "1800"}, 1.0),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "1800"}, 1800.0),
        (
            {
                "x-rate-limit-remaining": "9",
                "x-intensive-rate-limit-remaining": "0",
                "x-intensive-rate-limit-reset": "7",
            },
            7.0,
        ),
        ({"x-rate-limit-reset": "42"}, 42.0),
        ({"Retry-After": "5"}, 5.0),
        ({"x-rate-limit-remaining": "many", "x-rate-limit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_a_429_closes(headers: dict[str, str], wait: float | None) -> None:
    error = refusal(429, envelope(6, "too_many_requests"), headers=headers)
    assert isinstance(error, TemporaryError)
    assert (error.retry_after, error.counts, error.closes_connection) == (wait, False, True)


def test_maintenance_costs_no_attempt_a_fault_does() -> None:
    maintenance = refusal(503, envelope(9, "service_maintenance"), headers={"Retry-After": "120"})
    assert isinstance(maintenance, TemporaryError)
    assert (maintenance.counts, maintenance.closes_connection, maintenance.retry_after) == (False, True, 120.0)
    fault = refusal(503, b"", headers={"Retry-After": "30"})
    assert isinstance(fault, TemporaryError)
    assert (fault.counts, fault.closes_connection, fault.retry_after) == (True, False, 30.0)
