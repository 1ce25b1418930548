"""Every kind of error is a problem document with its own code, and gives nothing away."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from app.domain.enums import System
from app.domain.errors import AwaseError, RunError, TemporaryError
from app.factory import create_app
from app.web.http.bearer_auth import FAILURES
from tests.web.test_web_runs import RUNS, request_body
from tests.web.world import World, impatient_database, locked

Bearer = Callable[..., dict[str, str]]


def check_problem(answer: TestResponse, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    body = json.loads(answer.text)
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"http://localhost/api/docs#{code}"
    assert body["title"] and body["detail"]
    assert body["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/api/v2/runs", "/api/v1/runs/x/y/z"])
def test_not_found(path: str, client: FlaskClient) -> None:
    check_problem(client.get(path), 404, "not_found")


def test_method_not_allowed_names_the_allowed_ones(client: FlaskClient) -> None:
    answer = client.delete(RUNS)
    check_problem(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(" ", "").split(","))


def test_no_key(client: FlaskClient) -> None:
    answer = client.get(RUNS)
    check_problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="awase"'


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer awase",
        "Bearer awase_000000000000_" + "0" * 64,
        "Bearer awase_%00_x",
        "Basic YTpi",
        "Bearer é",
    ],
)
def test_a_key_that_is_none(header: str, client: FlaskClient) -> None:
    answer = client.get(RUNS, headers={"Authorization": header})
    check_problem(answer, 401, "unauthorized")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_the_right_prefix_with_a_wrong_secret(client: FlaskClient, bearer: Bearer) -> None:
    good = bearer()["Authorization"]
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    check_problem(client.get(RUNS, headers={"Authorization": wrong}), 401, "unauthorized")


def test_the_key_is_asked_for_before_the_body_is_looked_at(client: FlaskClient) -> None:
    check_problem(client.post(RUNS, json={"direction": "sideways"}), 401, "unauthorized")


def test_guessing_is_slowed_down_and_good_keys_are_not(client: FlaskClient, bearer: Bearer) -> None:
    good = bearer()
    answers = [client.get(RUNS, headers={"Authorization": "Bearer no"}) for _ in range(FAILURES.amount + 1)]
    assert {a.status_code for a in answers[:-1]} == {401}
    check_problem(answers[-1], 429, "too_many_failures")
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert client.get(RUNS, headers=good).status_code == 200
    elsewhere = client.get(RUNS, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert elsewhere.status_code == 401


def test_a_key_without_the_scope(client: FlaskClient, bearer: Bearer) -> None:
    answer = client.post(RUNS, json=request_body(), headers=bearer("runs:read"))
    check_problem(answer, 403, "insufficient_scope")
    assert 'scope="runs:write"' in answer.headers["WWW-Authenticate"]
    assert "runs:write" in answer.json["detail"]


def test_a_body_too_large(client: FlaskClient, bearer: Bearer) -> None:
    answer = client.post(RUNS, data=b"x" * 10_000_000, content_type="application/json", headers=bearer())
    check_problem(answer, 413, "body_too_large")


def test_a_body_too_large_without_a_length(client: FlaskClient, bearer: Bearer) -> None:
    environ = {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(b"x" * 3_000_000)}
    headers = {**bearer(), "Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    answer = client.post(RUNS, headers=headers, environ_overrides=environ)
    check_problem(answer, 413, "body_too_large")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_taken(kind: str, client: FlaskClient, bearer: Bearer) -> None:
    answer = client.post(RUNS, data=json.dumps(request_body()), content_type=kind, headers=bearer())
    check_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("body", [b"{", b"{'a': 1}", b"\xff\xfe", b'{"a": 1} trailing'])
def test_not_json(body: bytes, client: FlaskClient, bearer: Bearer) -> None:
    answer = client.post(RUNS, data=body, content_type="application/json", headers=bearer())
    check_problem(answer, 400, "invalid_json")


def test_no_body_at_all(client: FlaskClient, bearer: Bearer) -> None:
    answer = client.post(RUNS, headers=bearer())
    check_problem(answer, 422, "missing_field")
    assert set(answer.json["fields"]) == {"connection", "direction", "as_of_date", "employees"}


def test_a_bug_shows_nothing_and_is_logged_without_its_text(world: World, bearer: Bearer) -> None:
    world.companies[System.SMARTHR].error = ValueError("山田太郎 must not be seen")
    answer, logs = _ask_for_employees(world, bearer)
    check_problem(answer, 500, "internal_error")
    assert "山田" not in answer.text
    assert "山田" not in str(logs)
    (entry,) = [e for e in logs if e["event"] == "bug"]
    assert entry["error"] == "ValueError"
    assert entry["request_id"] == answer.json["request_id"]


@pytest.mark.parametrize(
    ("error", "status"), [(RunError("E18", "token of 山田"), 409), (TemporaryError("E22", "山田"), 503)]
)
def test_a_vendor_that_refuses_is_not_our_bug(error: AwaseError, status: int, world: World, bearer: Bearer) -> None:
    world.companies[System.SMARTHR].error = error
    answer, logs = _ask_for_employees(world, bearer)
    check_problem(answer, status, error.code)
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert "山田" not in answer.text and "山田" not in str(logs)


def _ask_for_employees(world: World, bearer: Bearer) -> tuple[TestResponse, list[dict[str, object]]]:
    query = {"connection": "renshu", "direction": "smarthr_to_freee", "as_of_date": "2026-11-22"}
    client, headers = create_app(world.ctx).test_client(), bearer()
    with capture_logs() as logs:
        answer = client.get("/api/v1/employees", query_string=query, headers=headers)
    return answer, [dict(entry) for entry in logs]


def test_a_locked_database_is_a_503_and_leaves_nothing(world: World, bearer: Bearer) -> None:
    headers = bearer()
    impatient = impatient_database(world.ctx.settings)
    client = create_app(replace(world.ctx, unit_of_work=impatient.unit_of_work)).test_client()
    client.get(RUNS, headers=headers)  # the key has been used: reading it again writes nothing
    with locked(world.ctx.settings):
        answer = client.post(RUNS, json=request_body(), headers=headers)
    impatient.dispose()
    check_problem(answer, 503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    with world.ctx.unit_of_work() as uow:
        assert uow.runs.page(after=None, limit=1) == []


def test_every_answer_carries_the_security_headers(client: FlaskClient, bearer: Bearer) -> None:
    for answer in (client.get("/nowhere"), client.get("/health/live"), client.get(RUNS, headers=bearer())):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in answer.headers
    safe = client.get("/health/live", base_url="https://localhost")
    assert "max-age" in safe.headers["Strict-Transport-Security"]


def test_a_request_id_is_kept_when_it_is_one(client: FlaskClient) -> None:
    kept = client.get("/health/live", headers={"X-Request-ID": "caller-12345678"})
    assert kept.headers["X-Request-ID"] == "caller-12345678"
    forged = client.get("/health/live", headers={"X-Request-ID": "a b<script>"})
    assert forged.headers["X-Request-ID"] not in ("", "a b<script>")


def test_the_log_line_holds_ids_only(app: Flask, bearer: Bearer) -> None:
    headers = bearer()
    with capture_logs() as logs:
        app.test_client().get("/api/v1/runs/some-run?limit=山田", headers=headers)
        app.test_client().get("/山田/太郎?token=secret", headers=headers)
        app.test_client().post(RUNS, json=request_body(employees=["山田"]), headers=headers)
    text = str(logs)
    assert "山田" not in text and "secret" not in text
    assert headers["Authorization"].split("_")[2] not in text
    assert [e["status"] for e in logs if e["event"] == "request"] == [404, 404, 422]
    assert logs[0]["run_id"] == "some-run"
    assert logs[0]["key"] == headers["Authorization"].split("_")[1]
