"""The run routes: what is taken, what is refused with which code, what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.domain.planning.plan import Severity
from app.domain.runs.run_state import ItemState, RunState
from app.storage.runs.rows import NewNote
from app.web.http.problems import PROBLEMS
from tests.web.made import ACCOUNT_CHANGE, NAME_CHANGE, add_run
from tests.web.world import KEY, World

Bearer = Callable[..., dict[str, str]]
RUNS = "/api/v1/runs"


def request_body(**changes: Any) -> dict[str, Any]:
    body = {"connection": KEY, "direction": "smarthr_to_freee", "as_of_date": "2026-11-22", "employees": ["0001"]}
    return {k: v for k, v in (body | changes).items() if v is not ...}


# ── start ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_start_accepts_and_says_where_the_run_is(client: FlaskClient, bearer: Bearer, world: World) -> None:
    headers = bearer("runs:write", "runs:read")
    answer = client.post(RUNS, json=request_body(dry_run=True), headers=headers)
    assert answer.status_code == 202
    run = answer.json
    assert answer.headers["Location"] == f"/api/v1/runs/{run['id']}"
    assert (run["connection"], run["direction"], run["as_of_date"]) == (KEY, "smarthr_to_freee", "2026-11-22")
    assert run["dry_run"] is True
    assert run["trigger"] == "api"
    assert run["state"] == "waiting"
    assert set(run["counts"]) == {str(s) for s in ItemState}
    assert client.get(answer.headers["Location"], headers=headers).json["id"] == run["id"]
    assert world.broker.jobs == [], "accepting must not need the broker"


def test_start_keeps_who_did_it_without_the_secret(client: FlaskClient, bearer: Bearer, world: World) -> None:
    headers = bearer("runs:write")
    run = client.post(RUNS, json=request_body(), headers=headers).json
    prefix = headers["Authorization"].split("_")[1]
    with world.ctx.unit_of_work() as uow:
        stored = uow.runs.get_by_public_id(run["id"])
    assert stored and stored.started_by == f"key:{prefix}"
    assert stored.dry_run is False
    assert stored.scope == ["0001"]


def test_start_for_everybody(client: FlaskClient, bearer: Bearer, world: World) -> None:
    run = client.post(RUNS, json=request_body(employees="all"), headers=bearer()).json
    with world.ctx.unit_of_work() as uow:
        stored = uow.runs.get_by_public_id(run["id"])
    assert stored and stored.scope is None


def test_start_works_while_the_broker_is_away(client: FlaskClient, bearer: Bearer, world: World) -> None:
    world.broker.away = True
    assert client.post(RUNS, json=request_body(), headers=bearer()).status_code == 202


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"direction": "sideways"}, "invalid_direction", "direction"),
        ({"direction": 1}, "invalid_direction", "direction"),
        ({"direction": ["smarthr_to_freee"]}, "invalid_direction", "direction"),
        ({"as_of_date": "2026-02-30"}, "invalid_date", "as_of_date"),
        ({"as_of_date": "20261122"}, "invalid_date", "as_of_date"),
        ({"as_of_date": "2026-W47-7"}, "invalid_date", "as_of_date"),
        ({"as_of_date": "２０２６-11-22"}, "invalid_date", "as_of_date"),
        ({"as_of_date": "9999-12-31"}, "invalid_date", "as_of_date"),
        ({"as_of_date": 20261122}, "invalid_date", "as_of_date"),
        ({"connection": ""}, "invalid_connection", "connection"),
        ({"connection": "a\x00b"}, "invalid_connection", "connection"),
        ({"connection": 5}, "invalid_connection", "connection"),
        ({"employees": []}, "empty_employees", "employees"),
        ({"employees": "everybody"}, "invalid_employees", "employees"),
        ({"employees": {"0001": True}}, "invalid_employees", "employees"),
        ({"employees": [1]}, "invalid_employee_number", "employees"),
        ({"employees": [""]}, "invalid_employee_number", "employees"),
        ({"employees": ["00\x0001"]}, "invalid_employee_number", "employees"),
        ({"employees": ["0" * 101]}, "invalid_employee_number", "employees"),
        ({"dry_run": "true"}, "invalid_boolean", "dry_run"),
        ({"dry_run": 1}, "invalid_boolean", "dry_run"),
        ({"dry_run": None}, "null_field", "dry_run"),
        ({"direction": None}, "null_field", "direction"),
        ({"direction": ...}, "missing_field", "direction"),
        ({"as_of_date": ...}, "missing_field", "as_of_date"),
        ({"employees": ...}, "missing_field", "employees"),
        ({"dryrun": True}, "unknown_field", "dryrun"),
    ],
)
def test_start_refuses_with_a_code_for_each_fault(
    changes: dict[str, Any], code: str, field: str, client: FlaskClient, bearer: Bearer, world: World
) -> None:
    answer = client.post(RUNS, json=request_body(**changes), headers=bearer())
    assert (answer.status_code, answer.json["code"]) == (422, code)
    assert answer.mimetype == "application/problem+json"
    assert list(answer.json["fields"]) == [field]
    assert any(ord(c) > 0x3000 for c in answer.json["fields"][field]), "the text is for people in Japan"
    with world.ctx.unit_of_work() as uow:
        assert uow.runs.page(after=None, limit=1) == [], "a refused request leaves nothing behind"


def test_several_faults_are_named_together(client: FlaskClient, bearer: Bearer) -> None:
    answer = client.post(RUNS, json=request_body(direction="x", as_of_date="y", extra=1), headers=bearer())
    assert answer.json["code"] == "invalid_request"
    assert set(answer.json["fields"]) == {"direction", "as_of_date", "extra"}


@pytest.mark.parametrize("body", [[], ["a"], "text", 5])
def test_a_body_that_is_no_object(body: Any, client: FlaskClient, bearer: Bearer) -> None:
    answer = client.post(RUNS, json=body, headers=bearer())
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_body")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"connection": "nobody"}, 404, "unknown_connection"),
        ({"employees": ["2", "2"]}, 422, "duplicate_employee_number"),
        ({"employees": [" "]}, 422, "blank_employee_number"),
        ({"employees": ["0001", "9999"]}, 422, "unknown_employee_number"),
        ({"employees": [str(n) for n in range(10_001)]}, 422, "too_many_employees"),
        ({"as_of_date": "2020-01-01"}, 422, "as_of_date_out_of_range"),
    ],
)
def test_start_passes_on_what_the_use_case_refuses(
    changes: dict[str, Any], status: int, code: str, client: FlaskClient, bearer: Bearer
) -> None:
    answer = client.post(RUNS, json=request_body(**changes), headers=bearer())
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.json["title"] == PROBLEMS[code].title


# ── idempotency ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_key_and_body_start_one_run(client: FlaskClient, bearer: Bearer, world: World) -> None:
    headers = {**bearer(), "Idempotency-Key": "hr-1"}
    first, second = (client.post(RUNS, json=request_body(), headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json["id"] == second.json["id"]
    assert first.headers["Location"] == second.headers["Location"]
    with world.ctx.unit_of_work() as uow:
        assert len(uow.runs.page(after=None, limit=10)) == 1


def test_a_preview_that_is_being_surveyed_is_the_answer_whatever_the_key(
    client: FlaskClient, bearer: Bearer, world: World
) -> None:
    """Another Idempotency-Key with the same meaning gets the open run; another wish is told which run is open."""
    caller, body = bearer(), request_body(dry_run=True)
    first, second = (client.post(RUNS, json=body, headers={**caller, "Idempotency-Key": key}) for key in ("a", "b"))
    assert [(each.status_code, each.json["already"]) for each in (first, second)] == [(202, False), (202, True)]
    assert second.json["id"] == first.json["id"]
    assert second.headers["Location"] == first.headers["Location"]
    other = client.post(RUNS, json=request_body(dry_run=True, as_of_date="2026-11-01"), headers=caller)
    assert (other.status_code, other.json["code"]) == (409, "survey_open")
    assert other.json["fields"] == {"run": first.json["id"]}
    with world.ctx.unit_of_work() as uow:
        assert len(uow.runs.page(after=None, limit=10)) == 1


def test_the_same_key_with_another_body_is_a_conflict(client: FlaskClient, bearer: Bearer) -> None:
    headers = {**bearer(), "Idempotency-Key": "hr-1"}
    client.post(RUNS, json=request_body(), headers=headers)
    answer = client.post(RUNS, json=request_body(employees=["0002"]), headers=headers)
    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_conflict")


def test_another_caller_may_use_the_same_key(client: FlaskClient, bearer: Bearer) -> None:
    one, other = ({**bearer(), "Idempotency-Key": "hr-1"} for _ in range(2))
    first = client.post(RUNS, json=request_body(), headers=one).json
    second = client.post(RUNS, json=request_body(), headers=other).json
    assert first["id"] != second["id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "鍵".encode().decode("latin-1"), "a b"])
def test_an_unusable_idempotency_key(key: str, client: FlaskClient, bearer: Bearer) -> None:
    answer = client.post(RUNS, json=request_body(), headers={**bearer(), "Idempotency-Key": key})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_idempotency_key")


def test_the_longest_idempotency_key(client: FlaskClient, bearer: Bearer) -> None:
    answer = client.post(RUNS, json=request_body(), headers={**bearer(), "Idempotency-Key": "x" * 255})
    assert answer.status_code == 202


# ── follow ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_runs_are_listed_newest_first_page_by_page(client: FlaskClient, bearer: Bearer) -> None:
    headers = bearer()
    ids = [client.post(RUNS, json=request_body(), headers=headers).json["id"] for _ in range(5)]
    seen: list[str] = []
    after: int | None = None
    for _ in range(4):
        query = {"limit": 2} | ({"after": after} if after is not None else {})
        page = client.get(RUNS, query_string=query, headers=headers).json
        assert len(page["items"]) <= 2
        seen += [run["id"] for run in page["items"]]
        after = page["next_after"]
        if after is None:
            break
    assert after is None
    assert seen == ids[::-1]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_limit"),
        ("limit=101", "invalid_limit"),
        ("limit=1_0", "invalid_limit"),
        ("limit=５", "invalid_limit"),
        ("after=-1", "invalid_after"),
        ("after=99999999999999999999999", "invalid_after"),
        ("after=x", "invalid_after"),
        ("page=2", "unknown_field"),
    ],
)
def test_a_wrong_query_is_refused(query: str, code: str, client: FlaskClient, bearer: Bearer) -> None:
    answer = client.get(f"{RUNS}?{query}", headers=bearer())
    assert (answer.status_code, answer.json["code"]) == (422, code)


def test_runs_of_one_connection(client: FlaskClient, bearer: Bearer, world: World) -> None:
    add_run(world, ItemState.SUCCEEDED)
    headers = bearer()
    assert len(client.get(f"{RUNS}?connection={KEY}", headers=headers).json["items"]) == 1
    unknown = client.get(f"{RUNS}?connection=nobody", headers=headers)
    assert (unknown.status_code, unknown.json["code"]) == (404, "unknown_connection")


def test_run_shows_counts_and_result(client: FlaskClient, bearer: Bearer, world: World) -> None:
    run_id = add_run(world, ItemState.SUCCEEDED, ItemState.UNCHANGED, ItemState.FAILED)
    run = client.get(f"{RUNS}/{run_id}", headers=bearer("runs:read")).json
    assert (run["state"], run["state_label"]) == ("partly_failed", "一部失敗")
    assert (run["counts"]["succeeded"], run["counts"]["failed"], run["counts"]["conflict"]) == (1, 1, 0)
    assert (run["progress"]["done"], run["progress"]["total"]) == (3, 3)
    assert run["vendor_calls"] == {"smarthr": 0, "freee": 0}


@pytest.mark.parametrize("path", ["/runs/unknown", "/runs/unknown/items", "/runs/a%00b", "/runs/" + "x" * 65])
def test_an_unknown_run_is_not_found(path: str, client: FlaskClient, bearer: Bearer) -> None:
    answer = client.get(f"/api/v1{path}", headers=bearer())
    assert answer.status_code == 404
    assert answer.json["code"] in ("run_not_found", "not_found")


def test_items_by_state_and_page(client: FlaskClient, bearer: Bearer, world: World) -> None:
    run_id = add_run(world, *[ItemState.SUCCEEDED] * 3, ItemState.FAILED)
    headers = bearer()
    first = client.get(f"{RUNS}/{run_id}/items?limit=2", headers=headers).json
    assert [i["employee_number"] for i in first["items"]] == ["0001", "0002"]
    rest = client.get(f"{RUNS}/{run_id}/items?limit=2&after={first['next_after']}", headers=headers).json
    assert [i["employee_number"] for i in rest["items"]] == ["0003", "0004"]
    failed = client.get(f"{RUNS}/{run_id}/items?state=failed", headers=headers).json
    assert [i["employee_number"] for i in failed["items"]] == ["0004"]
    assert failed["next_after"] is None
    (item,) = failed["items"]
    assert (item["state_label"], item["error_code"], item["pay_month"]) == ("失敗", "E1", "2026-12")
    assert item["message"] and item["remedy"]
    wrong = client.get(f"{RUNS}/{run_id}/items?state=lost", headers=headers)
    assert (wrong.status_code, wrong.json["code"]) == (422, "invalid_state")


def test_values_need_their_own_scope_and_masked_ones_never_show(
    client: FlaskClient, bearer: Bearer, world: World
) -> None:
    run_id = add_run(world, ItemState.SUCCEEDED, changes=[NAME_CHANGE, ACCOUNT_CHANGE])

    def values(headers: dict[str, str]) -> dict[str, tuple[str, str]]:
        (item,) = client.get(f"{RUNS}/{run_id}/items", headers=headers).json["items"]
        return {change["key"]: (change["before"], change["after"]) for change in item["changes"]}

    hidden = values(bearer("runs:read"))
    assert hidden["last_name"] == ("••••", "••••")
    shown = values(bearer("runs:read", "personal:read"))
    assert shown["last_name"] == ("鈴木", "佐藤")
    for seen in (hidden, shown):
        assert "1234567" not in str(seen) and "7654321" not in str(seen)


def test_notes_are_told_in_japanese(client: FlaskClient, bearer: Bearer, world: World) -> None:
    notes = [NewNote("E16", Severity.INFO.value, "gender")]
    run_id = add_run(world, ItemState.SUCCEEDED, notes=notes)
    (item,) = client.get(f"{RUNS}/{run_id}/items", headers=bearer()).json["items"]
    (note,) = item["notes"]
    assert (note["code"], note["key"], note["severity"]) == ("E16", "gender", "info")
    assert note["message"]


# ── approve, retry, cancel ────────────────────────────────────────────────────────────────────────────────────────


def test_approving_a_preview_starts_it(client: FlaskClient, bearer: Bearer, world: World) -> None:
    run_id = add_run(world, ItemState.WAITING, state=RunState.PREVIEWED)
    answer = client.post(f"{RUNS}/{run_id}/approve", headers=bearer("runs:write"))
    assert answer.status_code == 202
    assert answer.json["state"] == "running"
    assert answer.headers["Location"] == f"{RUNS}/{run_id}"


@pytest.mark.parametrize("action", ["approve", "retry", "cancel"])
def test_an_action_that_does_not_fit_the_state_is_a_conflict(
    action: str, client: FlaskClient, bearer: Bearer, world: World
) -> None:
    run_id = add_run(world, ItemState.SUCCEEDED)
    answer = client.post(f"{RUNS}/{run_id}/{action}", headers=bearer())
    assert answer.status_code == 409, answer.json
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("action", ["approve", "retry", "cancel"])
def test_an_action_on_an_unknown_run(action: str, client: FlaskClient, bearer: Bearer) -> None:
    assert client.post(f"{RUNS}/unknown/{action}", headers=bearer()).status_code == 404


@pytest.mark.parametrize("action", ["approve", "retry", "cancel"])
def test_a_part_of_a_run_cannot_be_chosen(action: str, client: FlaskClient, bearer: Bearer, world: World) -> None:
    run_id = add_run(world, ItemState.WAITING, ItemState.FAILED, state=RunState.PREVIEWED)
    answer = client.post(f"{RUNS}/{run_id}/{action}", json={"items": [1]}, headers=bearer())
    assert (answer.status_code, answer.json["code"]) == (422, "unknown_field")
    assert client.get(f"{RUNS}/{run_id}", headers=bearer()).json["state"] == "previewed"


def test_retry_is_a_new_run_of_the_failed_ones(client: FlaskClient, bearer: Bearer, world: World) -> None:
    run_id = add_run(world, ItemState.SUCCEEDED, ItemState.FAILED)
    answer = client.post(f"{RUNS}/{run_id}/retry", json={}, headers=bearer())
    assert answer.status_code == 202
    assert answer.json["retried_run"] == run_id
    assert answer.json["trigger"] == "retry"
    assert answer.headers["Location"] == f"{RUNS}/{answer.json['id']}"
    with world.ctx.unit_of_work() as uow:
        stored = uow.runs.get_by_public_id(answer.json["id"])
    assert stored and stored.scope == ["0002"]


def test_cancelling_ends_what_waits(client: FlaskClient, bearer: Bearer, world: World) -> None:
    run_id = add_run(world, ItemState.WAITING, state=RunState.PREVIEWED)
    headers = bearer()
    assert client.post(f"{RUNS}/{run_id}/cancel", headers=headers).status_code == 202
    assert client.get(f"{RUNS}/{run_id}", headers=headers).json["counts"]["cancelled"] == 1
