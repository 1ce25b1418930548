"""Every route with every wrong request: the right problem, the security headers, and nothing stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.domain.runs.run_state import ItemState, RunState
from app.web.http.problems import MAX_BODY_BYTES
from tests.web.made import add_delivery, add_run
from tests.web.test_web_runs import RUNS, request_body
from tests.web.test_web_scopes import ROUTES
from tests.web.world import KEY, World

Bearer = Callable[..., dict[str, str]]
PLAIN = ["/", "/api/docs", "/api/openapi.json", "/health/live", "/health/ready", "/metrics"]
POSTS = sorted(rule for method, rule in ROUTES if method == "POST")
GETS = sorted(rule for method, rule in ROUTES if method == "GET")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
DEEP = 200_000


def path_of(rule: str, run_id: str = "none") -> str:
    known = {"<public_id:run_id>": run_id, "<public_id:key>": KEY, "<int:delivery_id>": "1"}
    for parameter, value in known.items():
        rule = rule.replace(parameter, value)
    return rule


def check(answer: TestResponse, status: int, code: str) -> None:
    """A problem document with a request id, and the headers every answer has."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    body = json.loads(answer.text)
    assert (body["status"], body["code"]) == (status, code)
    assert body["title"] and body["detail"] and not body["detail"].isascii()
    assert body["request_id"] == answer.headers["X-Request-ID"]
    check_headers(answer)


def check_headers(answer: TestResponse) -> None:
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-ID"]
    assert "Server" not in answer.headers or "Python" not in answer.headers["Server"]


@pytest.fixture
def untouched(world: World) -> Iterator[None]:
    """Whatever the test sends, no run is stored."""
    yield
    with world.ctx.unit_of_work() as uow:
        assert uow.runs.page(after=None, limit=1) == []


@pytest.mark.usefixtures("untouched")
def test_every_route_with_every_method(app: Flask, bearer: Bearer) -> None:
    client, headers = app.test_client(), bearer()
    for rule in {rule for _, rule in ROUTES}:
        with_every_method(client, rule, headers)


def with_every_method(client: FlaskClient, rule: str, headers: dict[str, str]) -> None:
    served = {method for method, found in ROUTES if found == rule}
    known = served | {"OPTIONS"} | ({"HEAD"} if "GET" in served else set())
    for method in set(METHODS) - known:
        answer = client.open(path_of(rule), method=method, headers=headers)
        if method == "HEAD":  # an answer to HEAD has no body, and so no problem document
            assert (answer.status_code, answer.text) == (405, "")
        else:
            check(answer, 405, "method_not_allowed")
        check_headers(answer)
        assert {m.strip() for m in answer.headers["Allow"].split(",")} == known


def test_options_says_what_is_served_and_nothing_else(client: FlaskClient) -> None:
    for path in (*PLAIN, *map(path_of, {rule for _, rule in ROUTES})):
        answer = client.options(path)
        assert (answer.status_code, answer.text) == (200, "")
        assert "OPTIONS" in answer.headers["Allow"]
        assert "Access-Control-Allow-Origin" not in answer.headers  # no other site's script may read anything
        check_headers(answer)


@pytest.mark.parametrize("rule", GETS)
def test_head_is_get_without_a_body_and_needs_the_key_as_well(
    rule: str, client: FlaskClient, bearer: Bearer, world: World
) -> None:
    path = path_of(rule, add_run(world, ItemState.SUCCEEDED))
    assert add_delivery(world) == 1
    query = {"connection": KEY, "direction": "smarthr_to_freee", "as_of_date": "2026-11-22"}
    asked = query if rule.endswith("/employees") else {}
    assert client.head(path, query_string=asked).status_code == 401
    got, head = (client.open(path, method=m, query_string=asked, headers=bearer()) for m in ("GET", "HEAD"))
    assert (head.status_code, got.status_code, head.text) == (200, 200, "")
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
    check_headers(head)


def test_pages_without_a_key_carry_the_same_headers(client: FlaskClient) -> None:
    for path in PLAIN:
        for answer in (client.get(path), client.head(path), client.post(path)):
            check_headers(answer)


BODIES: dict[str, tuple[bytes, str, int, str]] = {
    "not JSON": (b"{", "application/json", 400, "invalid_json"),
    "empty text": (b" ", "application/json", 400, "invalid_json"),
    "a byte that is no UTF-8": (b'{"connection": "\xff"}', "application/json", 400, "invalid_json"),
    "Shift_JIS, as it says": (
        '{"employees": ["社員"]}'.encode("shift_jis"),
        "application/json; charset=shift_jis",
        400,
        "invalid_json",
    ),
    "deep lists": (b"[" * DEEP + b"]" * DEEP, "application/json", 400, "invalid_json"),
    "deep objects": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "application/json", 413, "body_too_large"),
    "deep inside a field": (
        b'{"employees": ' + b"[" * DEEP + b"]" * DEEP + b"}",
        "application/json",
        400,
        "invalid_json",
    ),
    "a number without an end": (b'{"connection": ' + b"9" * 5000 + b"}", "application/json", 400, "invalid_json"),
    "a form": (b"connection=renshu", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    "text": (b"{}", "text/plain", 415, "unsupported_media_type"),
    "nothing said": (b"{}", "", 415, "unsupported_media_type"),
    "XML": (b"<a/>", "application/xml", 415, "unsupported_media_type"),
    "one byte too many": (b" " * (MAX_BODY_BYTES + 1), "application/json", 413, "body_too_large"),
    "far too many": (b"x" * 5_000_000, "text/plain", 413, "body_too_large"),
    "a list": (b"[]", "application/json", 422, "invalid_body"),
    "a text": (b'"renshu"', "application/json", 422, "invalid_body"),
    "a number": (b"7", "application/json", 422, "invalid_body"),
    "an unknown field": (b'{"surprise": 1}', "application/json", 422, ""),
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("kind", list(BODIES))
def test_every_route_that_takes_a_body_with_every_wrong_one(kind: str, client: FlaskClient, bearer: Bearer) -> None:
    body, content_type, status, code = BODIES[kind]
    headers = bearer()
    for rule in POSTS:
        answer = client.post(path_of(rule), data=body, content_type=content_type, headers=headers)
        wanted = code
        if kind == "an unknown field":
            wanted = "invalid_request" if rule == RUNS else "unknown_field"  # a start lacks its own fields as well
            assert "surprise" in answer.json["fields"]
        check(answer, status, wanted)


@pytest.mark.usefixtures("untouched")
def test_the_largest_body_is_read(client: FlaskClient, bearer: Bearer) -> None:
    body = b" " * (MAX_BODY_BYTES - 2) + b"[]"
    for rule in POSTS:
        answer = client.post(path_of(rule), data=body, content_type="application/json", headers=bearer())
        check(answer, 422, "invalid_body")


WRONG: list[Any] = [None, "", " ", 0, 1, -1, 1.5, True, [], {}, [[]], [None], [1], {"a": 1}, "x" * 70_000, "\u0000"]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("field", ["connection", "direction", "as_of_date", "employees", "dry_run"])
def test_every_field_with_every_wrong_type(field: str, client: FlaskClient, bearer: Bearer) -> None:
    headers = bearer()
    for wrong in WRONG:
        if field == "dry_run" and wrong is True:
            continue
        answer = client.post(RUNS, json=request_body(**{field: wrong}), headers=headers)
        assert answer.status_code in (404, 422), (field, str(wrong)[:20], answer.text)
        check(answer, answer.status_code, answer.json["code"])
        assert set(answer.json.get("fields", {field: ""})) == {field}


QUERIES = [
    "surprise=1",
    "limit=0",
    "limit=101",
    "limit=-1",
    "limit=1.0",
    "limit=1e1",
    "limit=%EF%BC%91",
    "limit=",
    "limit=ten",
    "after=-1",
    "after=x",
    "after=" + "9" * 30,
    "limit=1&limit=0",
    "state=done",
    "state=",
    "connection=%00",
]


@pytest.mark.parametrize("rule", GETS)
def test_every_list_with_every_wrong_query(rule: str, client: FlaskClient, bearer: Bearer, world: World) -> None:
    path, headers = path_of(rule, add_run(world, ItemState.SUCCEEDED)), bearer()
    assert add_delivery(world) == 1
    for query in QUERIES:
        check_query(rule, query, client.get(f"{path}?{query}", headers=headers))


def check_query(rule: str, query: str, answer: TestResponse) -> None:
    single = ("/api/v1/runs/<public_id:run_id>", "/api/v1/deliveries/<int:delivery_id>")
    if rule in (*single, "/api/v1/queue", "/api/v1/connections"):
        assert answer.status_code == 200  # they take no query; nothing of it is read
        return
    if query == "limit=1&limit=0" and answer.status_code == 200:
        # the first one counts; in this world nobody waits for a person
        assert len(answer.json["items"]) == (0 if rule == "/api/v1/attention" else 1)
        return
    check(answer, 422, answer.json["code"])
    assert answer.json["fields"]


@pytest.mark.parametrize(
    "run_id", ["%2e%2e", "a" * 65, "a/b", "%00", "%E5%B1%B1", "a b", "a;b", "'--", "%27%20OR%201=1"]
)
def test_an_id_we_never_gave_out_is_not_found(run_id: str, client: FlaskClient, bearer: Bearer) -> None:
    headers = bearer()
    for method, rule in ROUTES:
        if "run_id" in rule:
            answer = client.open(path_of(rule, run_id), method=method, headers=headers)
            check(answer, 404, answer.json["code"])


def test_a_run_that_exists_looks_like_none_without_a_key(client: FlaskClient, bearer: Bearer, world: World) -> None:
    narrow = bearer("personal:read")
    run_id = add_run(world, ItemState.SUCCEEDED)
    for method, rule in ((m, r) for m, r in ROUTES if r.count("run_id")):
        for headers, status in (({}, 401), (narrow, 403)):
            there, nowhere = (
                client.open(path_of(rule, asked), method=method, headers=headers).json for asked in (run_id, "none")
            )
            assert {**there, "request_id": ""} == {**nowhere, "request_id": ""}
            assert there["status"] == status


def test_paging_through_everything_while_runs_are_added(client: FlaskClient, bearer: Bearer, world: World) -> None:
    """A keyset page neither repeats nor skips one when newer ones arrive in between."""
    first = [add_run(world, ItemState.SUCCEEDED) for _ in range(7)]
    headers, seen, after = bearer(), [], None
    while True:
        query = {"limit": 2} | ({"after": after} if after is not None else {})
        page = client.get(RUNS, query_string=query, headers=headers).json
        seen += [run["id"] for run in page["items"]]
        add_run(world, ItemState.SUCCEEDED)
        after = page["next_after"]
        if after is None:
            break
    assert seen == first[::-1]


def test_paging_through_items_while_they_end(client: FlaskClient, bearer: Bearer, world: World) -> None:
    run_id = add_run(world, *[ItemState.FAILED] * 7, state=RunState.PREVIEWED)
    headers, seen, after = bearer(), [], None
    while True:
        query = {"limit": 3, "state": "failed"} | ({"after": after} if after is not None else {})
        page = client.get(f"{RUNS}/{run_id}/items", query_string=query, headers=headers).json
        seen += [item["employee_number"] for item in page["items"]]
        after = page["next_after"]
        if after is None:
            break
    assert seen == [f"{n:04d}" for n in range(1, 8)]


def test_the_last_page_is_full_and_ends(client: FlaskClient, bearer: Bearer, world: World) -> None:
    for _ in range(4):
        add_run(world, ItemState.SUCCEEDED)
    page = client.get(RUNS, query_string={"limit": 4}, headers=bearer()).json
    assert (len(page["items"]), page["next_after"]) == (4, None)
    beyond = client.get(RUNS, query_string={"after": 10**18 - 1}, headers=bearer()).json
    assert len(beyond["items"]) == 4
    assert client.get(RUNS, query_string={"after": 0}, headers=bearer()).json == {"items": [], "next_after": None}
