"""The checks themselves: they let honest traffic through and find each kind of deviation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.openapi_checks import check_request, check_response, load_contract

CREW = {
    "id": "c-1",
    "emp_status": "employed",
    "last_name": "見本",
    "first_name": "花子",
    "last_name_yomi": "ミホン",
    "first_name_yomi": "ハナコ",
    "gender": "female",
    "recruitment_type": None,
    "address": {"city": "港区", "building": None},
    "positions": [None],
}


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "/v1/crews", {"page": "1", "per_page": "100", "sort": "created_at"}, None),
        ("GET", "/v1/crews/c-1", {"fields": "id"}, None),
        ("POST", "/v1/crews", {}, {"last_name": "見本"}),
        ("PATCH", "/v1/crews/c-1", {}, {"resigned_at": None, "address": {"city": "港区"}}),
    ],
)
def test_honest_smarthr_requests(method: str, path: str, query: dict[str, str], body: Any) -> None:
    check_request(load_contract("smarthr"), method, path, query, body)


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "/v1/nothing", {}, None),
        ("GET", "/v1/crews", {"per_pages": "100"}, None),
        ("GET", "/v1/crews", {"page": "one"}, None),
        ("GET", "/v1/crews", {"emp_status": "gone"}, None),
        ("GET", "/v1/crews", {}, {"a": 1}),
        ("POST", "/v1/crews", {}, None),
        ("POST", "/v1/crews", {}, {"last_name": None}),
        ("POST", "/v1/crews", {}, {"lastname": "見本"}),
        ("PATCH", "/v1/crews/c-1", {}, {"last_name": None}),
        ("PATCH", "/v1/crews/c-1", {}, {"gender": "unselected"}),
        ("PATCH", "/v1/crews/c-1", {}, {"entered_at": "2026/04/01"}),
        ("PATCH", "/v1/crews/c-1", {}, {"address": {"town": "港区"}}),
        ("PATCH", "/v1/crews/c-1", {}, {"hel_ins_insured_person_number": "7"}),
    ],
)
def test_deviations_of_smarthr_requests(method: str, path: str, query: dict[str, str], body: Any) -> None:
    with pytest.raises(AssertionError):
        check_request(load_contract("smarthr"), method, path, query, body)


def test_honest_smarthr_answers() -> None:
    contract = load_contract("smarthr")
    check_response(contract, "GET", "/v1/crews", 200, [CREW])
    check_response(contract, "GET", "/v1/crews/c-1", 200, {"id": "c-1"}, sparse=True)
    error = {"code": 4, "type": "not_found", "message": "存在しない ID です", "errors": None}
    check_response(contract, "GET", "/v1/crews/c-1", 404, error)
    check_response(contract, "DELETE", "/v1/crews/c-1", 204)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, CREW),
        (200, [CREW | {"id": None}]),
        (200, [CREW | {"emp_status": "gone"}]),
        (200, [CREW | {"my_number": "1"}]),
        (200, [CREW | {"hel_ins_insured_person_number": "7"}]),
        (200, [{"id": "c-1"}]),
        (206, [CREW]),
        (400, {"message": "x"}),
    ],
)
def test_deviations_of_smarthr_answers(status: int, body: Any) -> None:
    with pytest.raises(AssertionError):
        check_response(load_contract("smarthr"), "GET", "/v1/crews", status, body)


def test_honest_freee_traffic() -> None:
    contract = load_contract("freee")
    query = {"company_id": "1", "year": "2026", "month": "11"}
    check_request(contract, "GET", "/api/v1/employees", query)
    refusal = {"status_code": 400, "errors": [{"type": "bad_request", "messages": ["リクエストの形式が不正です。"]}]}
    check_response(contract, "GET", "/api/v1/employees", 400, refusal)
    check_response(contract, "GET", "/api/v1/employees", 429, None)


@pytest.mark.parametrize(
    ("method", "query", "body"),
    [
        ("GET", {"year": "2026", "month": "11"}, None),
        ("GET", {"company_id": "x", "year": "2026", "month": "11"}, None),
        ("GET", {"company_id": "1", "year": "2026", "month": "11", "months": "1"}, None),
        ("POST", {}, {"company_id": 1, "employee": {"nickname": "x"}}),
        ("POST", {}, {"company_id": "one"}),
    ],
)
def test_deviations_of_freee_requests(method: str, query: dict[str, str], body: Any) -> None:
    with pytest.raises(AssertionError):
        check_request(load_contract("freee"), method, "/api/v1/employees", query, body)


def test_deviations_of_freee_answers() -> None:
    contract = load_contract("freee")
    with pytest.raises(AssertionError):
        check_response(contract, "GET", "/api/v1/employees", 200, {"employees": "none"})
    with pytest.raises(AssertionError):
        check_response(contract, "GET", "/api/v1/employees", 200, [{"id": "1"}])
