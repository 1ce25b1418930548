"""What the use cases refuse and what is said about it are one: code, status, title, text, OpenAPI, terminal."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from app.domain.runs.run_state import ItemState, RunState
from app.use_cases.connections import pause_resume
from app.use_cases.intake.start_run import MAX_NUMBERS
from app.web.http.problems import FIELD_PROBLEMS, MAX_BODY_BYTES, PROBLEMS, REFUSALS
from tests.web.made import add_run
from tests.web.test_web_errors import check_problem
from tests.web.test_web_runs import RUNS, request_body
from tests.web.world import KEY, World

Bearer = Callable[..., dict[str, str]]
USE_CASES = Path(__file__).parents[2] / "app" / "use_cases"
OF_THE_API = (
    "intake/start_run",
    "intake/approve_retry_cancel",
    "intake/tick_held",
    "shared/run_lookup",
    "shared/second_persons",
    "monitoring/queue_admin",
    "intake/offered",
    "intake/delivery_replay",
    "shared/delivery_lookup",
    "shared/connection_lookup",
    "planning/mass_change",
    "intake/undo",
    "intake/one_survey",
)
"""Use cases behind the API. The others are behind commands and screens, which show a refusal's own text."""


def refusals(*names: str) -> Iterator[tuple[str, int]]:
    """(code, status) of each refusal that is written out in these modules."""
    for name in names:
        for node in ast.walk(ast.parse((USE_CASES / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused":
                given = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
                if isinstance(node.args[0], ast.Constant):
                    yield str(node.args[0].value).partition(".")[0], given.get("status", 422)


def test_the_list_of_codes_is_what_the_use_cases_raise() -> None:
    raised = set(refusals(*OF_THE_API))
    listed = {(code, kind.status) for code, kind in REFUSALS.items() if kind.status != 503}
    assert raised == listed


def test_one_code_has_one_status_everywhere() -> None:
    found: dict[str, set[int]] = {}
    for code, status in refusals(
        *(str(path.relative_to(USE_CASES).with_suffix("")) for path in USE_CASES.rglob("*.py"))
    ):
        found.setdefault(code, set()).add(status)
    assert {code: statuses for code, statuses in found.items() if len(statuses) > 1} == {}
    assert {code for code in found if code in PROBLEMS and PROBLEMS[code].status not in found[code]} == set()


def test_every_problem_is_told_in_japanese() -> None:
    for code, kind in PROBLEMS.items():
        assert not kind.title.isascii() and not kind.detail.isascii(), code
        assert not kind.title.endswith("。") and kind.detail.endswith(("。", "。)")), code


def test_the_largest_list_is_the_same_for_schema_and_use_case(client: FlaskClient) -> None:
    spec: dict[str, Any] = client.get("/api/openapi.json").json
    employees = spec["components"]["schemas"]["StartRun"]["properties"]["employees"]
    (listed,) = (form for form in employees["oneOf"] if form["type"] == "array")
    assert listed["maxItems"] == MAX_NUMBERS
    longest = len(str(request_body(employees=[f"{n:08d}" for n in range(MAX_NUMBERS)])))
    assert longest < MAX_BODY_BYTES, "a list that is allowed has to fit into a body that is allowed"


@pytest.mark.parametrize("text", ["pause", "resume"])
def test_what_is_said_about_a_pause_is_what_happens(
    text: str, client: FlaskClient, bearer: Bearer, world: World
) -> None:
    spec: dict[str, Any] = client.get("/api/openapi.json").json
    summary = spec["paths"][f"/api/v1/connections/{{key}}/{text}"]["post"]["summary"]
    assert "受け付けは続" not in summary
    if text == "pause":
        assert "409" in summary
        pause_resume.pause(world.ctx, KEY)
        check_problem(client.post(RUNS, json=request_body(), headers=bearer()), 409, "connection_paused")
        pause_resume.resume(world.ctx, KEY)
    assert client.post(RUNS, json=request_body(), headers=bearer()).status_code == 202


# ── each refusal over HTTP: raised, answered and documented alike ─────────────────────────────────────────────────


def held(world: World, **how: bool) -> None:
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection
        if how.get("consent"):
            uow.connections.set_needs_consent(connection.id, True)
        if how.get("settings"):
            uow.connections.set_export_settings(connection.id, None)
        if how.get("paused"):
            uow.connections.set_paused(connection.id, True)


def nothing(_world: World) -> None: ...


START: dict[str, tuple[Callable[[World], object], dict[str, Any]]] = {
    "unknown_connection": (nothing, {"connection": "nobody"}),
    "needs_consent": (lambda w: held(w, consent=True), {}),
    "connection_paused": (lambda w: held(w, paused=True), {}),
    "export_settings_incomplete": (lambda w: held(w, settings=True), {}),
    "as_of_date_out_of_range": (nothing, {"as_of_date": "2099-12-31"}),
    "too_many_employees": (nothing, {"employees": [f"{n:05d}" for n in range(MAX_NUMBERS + 1)]}),
    "blank_employee_number": (nothing, {"employees": ["0001", " "]}),
    "duplicate_employee_number": (nothing, {"employees": ["0001", "0001"]}),
    "unknown_employee_number": (nothing, {"employees": ["9999"]}),
}


def documented(client: FlaskClient, method: str, path: str, status: int, code: str) -> bool:
    spec: dict[str, Any] = client.get("/api/openapi.json").json
    return code in spec["paths"][path][method]["responses"][str(status)]["description"].split(" — ")[1].split(", ")


@pytest.mark.parametrize("code", list(START))
def test_start_refuses_as_it_is_documented(code: str, client: FlaskClient, bearer: Bearer, world: World) -> None:
    prepare, changes = START[code]
    prepare(world)
    answer = client.post(RUNS, json=request_body(**changes), headers=bearer())
    check_problem(answer, REFUSALS[code].status, code)
    assert documented(client, "post", RUNS, answer.status_code, code)
    assert answer.json["title"] == REFUSALS[code].title
    assert ("fields" in answer.json) == (answer.status_code == 422)


@pytest.mark.parametrize("code", [code for code in START if code != "blank_employee_number"])
def test_the_command_line_tells_each_refusal_in_japanese_and_ends_with_2(code: str, app: Flask, world: World) -> None:
    prepare, changes = START[code]
    prepare(world)
    body = request_body(**changes)
    numbers = body["employees"] if isinstance(body["employees"], str) else ",".join(body["employees"])
    called = ["--connection", body["connection"], "--direction", body["direction"], "--as-of", body["as_of_date"]]
    result: Result = app.test_cli_runner().invoke(args=["sync", "start", *called, "--employees", numbers, "--wait"])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert not result.stderr.isascii()
    assert not re.search(r"Traceback|Refused|[a-z]+_[a-z]+_", result.stderr), "people are told in words, not in codes"


ACTIONS: dict[tuple[str, str], Callable[[World], str]] = {
    ("approve", "not_previewed"): lambda w: add_run(w, ItemState.SUCCEEDED),
    ("approve", "run_not_found"): lambda _: "none",
    ("retry", "run_not_finished"): lambda w: add_run(w, ItemState.WAITING, state=RunState.PREVIEWED),
    ("retry", "nothing_to_retry"): lambda w: add_run(w, ItemState.SUCCEEDED),
    ("retry", "run_not_found"): lambda _: "none",
    ("cancel", "run_finished"): lambda w: add_run(w, ItemState.SUCCEEDED),
    ("cancel", "run_not_found"): lambda _: "none",
}


@pytest.mark.parametrize(("action", "code"), list(ACTIONS))
def test_an_action_refuses_as_it_is_documented(
    action: str, code: str, app: Flask, client: FlaskClient, bearer: Bearer, world: World
) -> None:
    run_id = ACTIONS[action, code](world)
    answer = client.post(f"{RUNS}/{run_id}/{action}", headers=bearer())
    check_problem(answer, REFUSALS[code].status, code)
    assert documented(client, "post", f"{RUNS}/{{run_id}}/{action}", answer.status_code, code)
    told = app.test_cli_runner().invoke(args=["sync", action, run_id])
    assert (told.exit_code, told.stderr.strip()) == (2, answer.json["detail"])


@pytest.mark.parametrize("how", ["paused", "consent"])
def test_a_held_connection_refuses_approval_and_retry(
    how: str, client: FlaskClient, bearer: Bearer, world: World
) -> None:
    preview = add_run(world, ItemState.WAITING, state=RunState.PREVIEWED)
    failed = add_run(world, ItemState.FAILED)
    held(world, **{how: True})
    code = {"paused": "connection_paused", "consent": "needs_consent"}[how]
    for run_id, action in ((preview, "approve"), (failed, "retry")):
        check_problem(client.post(f"{RUNS}/{run_id}/{action}", headers=bearer()), 409, code)
        assert documented(client, "post", f"{RUNS}/{{run_id}}/{action}", 409, code)
    assert client.post(f"{RUNS}/{preview}/cancel", headers=bearer()).status_code == 202  # that is always possible


@pytest.mark.parametrize(
    ("method", "path", "described"),
    [
        ("get", f"{RUNS}?connection=nobody", RUNS),
        (
            "get",
            "/api/v1/employees?connection=nobody&direction=smarthr_to_freee&as_of_date=2026-11-22",
            "/api/v1/employees",
        ),
        ("post", "/api/v1/connections/nobody/pause", "/api/v1/connections/{key}/pause"),
        ("post", "/api/v1/connections/nobody/resume", "/api/v1/connections/{key}/resume"),
    ],
)
def test_an_unknown_connection_is_the_same_wherever_it_is_named(
    method: str, path: str, described: str, client: FlaskClient, bearer: Bearer
) -> None:
    check_problem(client.open(path, method=method, headers=bearer()), 404, "unknown_connection")
    assert documented(client, method, described, 404, "unknown_connection")


def test_every_documented_code_is_one_of_ours(client: FlaskClient) -> None:
    spec: dict[str, Any] = client.get("/api/openapi.json").json
    told = {
        (code, int(status))
        for methods in spec["paths"].values()
        for method, operation in methods.items()
        if method != "parameters"
        for status, answer in operation["responses"].items()
        if int(status) >= 400
        for code in answer["description"].split(" — ")[1].split(", ")
    }
    assert {(code, PROBLEMS[code].status) for code, _ in told} == told
    of_pages = {"undo_open"}  # who asks the API to take back once more gets the run that is open
    unavailable = {"database_unavailable", "queue_unavailable"}
    assert set(REFUSALS) - {code for code, _ in told} <= {"no_employees"} | unavailable | of_pages
    assert set(FIELD_PROBLEMS) - {code for code, _ in told} <= {"invalid_body", "invalid_text"}
