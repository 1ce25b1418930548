"""Queue, connections, who would be offered, health and metrics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app.domain.employee import Person
from app.domain.enums import System
from app.domain.runs.run_state import ItemState, RunState
from tests.web.made import add_run
from tests.web.world import KEY, World

pytestmark = pytest.mark.sql

Bearer = Callable[..., dict[str, str]]


def test_queue_shows_broker_and_database(client: FlaskClient, bearer: Bearer, world: World) -> None:
    add_run(world, ItemState.WAITING, ItemState.WAITING)
    found = client.get("/api/v1/queue", headers=bearer("ops:read")).json
    assert found["broker_reachable"] is True
    assert [(q["queue"], q["waiting"], q["oldest_age"]) for q in found["queues"]] == [
        ("interactive", 3, 12.5),
        ("bulk", 0, None),
    ]
    assert (found["items"]["waiting"], found["items"]["failed"], found["runs_open"]) == (2, 0, 1)
    assert [c["key"] for c in found["connections"]] == [KEY]


def test_queue_answers_while_the_broker_is_away(client: FlaskClient, bearer: Bearer, world: World) -> None:
    world.broker.away = True
    answer = client.get("/api/v1/queue", headers=bearer())
    assert answer.status_code == 200
    assert (answer.json["broker_reachable"], answer.json["queues"]) == (False, [])


def test_requeue_answers_with_the_queue(client: FlaskClient, bearer: Bearer) -> None:
    answer = client.post("/api/v1/queue/requeue", headers=bearer("ops:write"))
    assert answer.status_code == 202
    assert "outbox_waiting" in answer.json


def test_connections_show_no_secret(client: FlaskClient, bearer: Bearer) -> None:
    answer = client.get("/api/v1/connections", headers=bearer())
    (connection,) = answer.json["items"]
    assert (connection["key"], connection["state"]) == (KEY, "active")
    assert connection["export_settings_complete"] is True
    assert "token" not in answer.text


def test_pause_and_resume(client: FlaskClient, bearer: Bearer) -> None:
    headers = bearer("ops:write")
    paused = client.post(f"/api/v1/connections/{KEY}/pause", headers=headers)
    assert (paused.status_code, paused.json["items"][0]["state"]) == (202, "paused")
    resumed = client.post(f"/api/v1/connections/{KEY}/resume", headers=headers)
    assert resumed.json["items"][0]["state"] == "active"
    unknown = client.post("/api/v1/connections/nobody/pause", headers=headers)
    assert (unknown.status_code, unknown.json["code"]) == (404, "unknown_connection")


def test_employees_on_a_date(client: FlaskClient, bearer: Bearer, world: World) -> None:
    world.companies[System.SMARTHR].people = [
        Person(System.SMARTHR, "crew-1", "0001", hired_on=date(2020, 4, 1)),
        Person(System.SMARTHR, "crew-2", "0002", hired_on=date(2026, 12, 1)),
        Person(System.SMARTHR, "crew-3", "0003", hired_on=date(2020, 4, 1), resigned_on=date(2026, 11, 21)),
        Person(System.SMARTHR, "crew-4", "0004", hired_on=None),
    ]
    query = {"connection": KEY, "direction": "smarthr_to_freee", "as_of_date": "2026-11-22"}
    answer = client.get("/api/v1/employees", query_string=query, headers=bearer("employees:read"))
    found = {e["employee_number"]: e for e in answer.json["items"]}
    assert set(found) == {"0001", "0004"}
    assert (found["0001"]["hired_on"], found["0001"]["warning"], found["0001"]["linked"]) == ("2020-04-01", None, False)
    assert found["0004"]["warning"]


def test_one_employee_on_a_date(client: FlaskClient, bearer: Bearer, world: World) -> None:
    world.companies[System.SMARTHR].people = [
        Person(System.SMARTHR, f"crew-{n}", f"{n:04d}", hired_on=date(2020, 4, 1)) for n in range(3)
    ]
    query = {"connection": KEY, "direction": "smarthr_to_freee", "as_of_date": "2026-11-22"}
    for number, found in (("0001", ["crew-1"]), ("0009", [])):
        answer = client.get("/api/v1/employees", query_string={**query, "employee_number": number}, headers=bearer())
        assert [each["source_id"] for each in answer.json["items"]] == found
    assert world.companies[System.SMARTHR].listed_times == 0


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"employee_number": ""}, 422, "invalid_employee_number"),
        ({"connection": "nobody"}, 404, "unknown_connection"),
        ({"direction": "up"}, 422, "invalid_direction"),
        ({"as_of_date": "2026-13-01"}, 422, "invalid_date"),
        ({"limit": "5"}, 422, "unknown_field"),
    ],
)
def test_employees_refuses(
    changes: dict[str, str], status: int, code: str, client: FlaskClient, bearer: Bearer
) -> None:
    query = {"connection": KEY, "direction": "smarthr_to_freee", "as_of_date": "2026-11-22"} | changes
    answer = client.get("/api/v1/employees", query_string=query, headers=bearer())
    assert (answer.status_code, answer.json["code"]) == (status, code)


# ── health ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_live_needs_nothing(client: FlaskClient) -> None:
    assert client.get("/health/live").json == {"status": "ok"}


# ── metrics ───────────────────────────────────────────────────────────────────────────────────────────────────────


def samples(text: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_count_what_is_there(client: FlaskClient, world: World, bearer: Bearer) -> None:
    add_run(world, ItemState.WAITING, ItemState.FAILED)
    add_run(world, ItemState.SUCCEEDED)
    answer = client.get("/metrics", headers=bearer("ops:read"))
    assert answer.mimetype == "text/plain"
    found = samples(answer.text)
    assert found["awase_runs", str(RunState.RUNNING)] == 1
    assert found["awase_runs", str(RunState.SUCCEEDED)] == 1
    assert found["awase_runs", str(RunState.FAILED)] == 0
    assert found["awase_open_items", str(ItemState.WAITING)] == 1
    assert found["awase_queue_waiting", "interactive"] == 3
    assert found["awase_broker_up", ""] == 1
    assert ("awase_outbox_oldest_age_seconds", "") in found
    assert found["awase_smarthr_closed_seconds", "1"] == 0


def test_metrics_while_the_broker_is_away(client: FlaskClient, world: World, bearer: Bearer) -> None:
    world.broker.away = True
    found = samples(client.get("/metrics", headers=bearer()).text)
    assert found["awase_broker_up", ""] == 0
    assert {name: found["awase_ready", name] for name in ("database", "migrations", "broker")} == {
        "database": 1,
        "migrations": 1,
        "broker": 0,
    }


@pytest.mark.parametrize("path", ["/metrics", "/api/v1/queue", "/api/v1/connections", "/api/v1/deliveries"])
def test_no_address_opens_anything(path: str, client: FlaskClient, bearer: Bearer) -> None:
    """Behind a plain proxy_pass on the same host every caller has the proxy's address, and no header says so."""
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "192.0.2.1", "2001:db8::1", ""):
        for said in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"Host": "localhost"}):
            asked = {"environ_base": {"REMOTE_ADDR": address}, "headers": said}
            assert client.get(path, **asked).status_code in (401, 429), (address, said)
    assert client.get(path, headers=bearer("runs:read")).status_code == 403
    assert client.get(path, headers=bearer("ops:read")).status_code == 200
