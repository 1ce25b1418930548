"""Many requests at once, and a database that is locked or gone: one run, or an honest 503."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.factory import create_app
from app.use_cases.context import Context
from app.use_cases.queries.history import list_runs
from tests.together import together
from tests.web.test_web_errors import check_problem
from tests.web.test_web_matrix import check_headers
from tests.web.test_web_runs import RUNS, request_body
from tests.web.test_web_scopes import ROUTES
from tests.web.world import KEY, World, impatient_database, locked

pytestmark = pytest.mark.sql

Bearer = Callable[..., dict[str, str]]
THREADS = 8


def test_the_same_request_at_the_same_moment_is_one_run(app: Flask, bearer: Bearer, world: World) -> None:
    headers = {**bearer(), "Idempotency-Key": "at-once"}

    def send(_number: int) -> TestResponse:
        return app.test_client().post(RUNS, json=request_body(), headers=headers)

    answers = together(send, THREADS)
    assert {answer.status_code for answer in answers} == {202}  # type: ignore[attr-defined]
    assert len({answer.headers["Location"] for answer in answers}) == 1  # type: ignore[attr-defined]
    assert len(list_runs(world.ctx).items) == 1
    with world.ctx.unit_of_work() as uow:
        assert len(uow.outbox.due(world.clock.now())) == 1


def test_the_same_key_with_two_bodies_at_the_same_moment(app: Flask, bearer: Bearer, world: World) -> None:
    headers = {**bearer(), "Idempotency-Key": "at-once"}

    def send(number: int) -> TestResponse:
        body = request_body(dry_run=bool(number % 2))
        return app.test_client().post(RUNS, json=body, headers=headers)

    answers: list[TestResponse] = together(send, THREADS)  # type: ignore[assignment]
    (stored,) = list_runs(world.ctx).items
    for number, answer in enumerate(answers):
        if bool(number % 2) is stored.dry_run:
            assert answer.status_code == 202
            assert answer.json["id"] == stored.id
        else:
            check_problem(answer, 409, "idempotency_conflict")


def test_without_a_key_each_request_is_a_run(app: Flask, bearer: Bearer, world: World) -> None:
    headers = bearer()
    together(lambda _: app.test_client().post(RUNS, json=request_body(), headers=headers), 4)
    assert len(list_runs(world.ctx).items) == 4


def test_the_replay_answers_with_the_run_as_it_is_now(client: FlaskClient, bearer: Bearer) -> None:
    headers = {**bearer(), "Idempotency-Key": "again"}
    first = client.post(RUNS, json=request_body(), headers=headers)
    assert client.post(f"{RUNS}/{first.json['id']}/cancel", headers=headers).status_code == 202
    again = client.post(RUNS, json=request_body(), headers=headers)
    assert (again.status_code, again.json["id"], again.json["state"]) == (202, first.json["id"], "cancelled")


def test_two_cancels_at_once_one_is_told_it_is_over(app: Flask, bearer: Bearer) -> None:
    headers = bearer()
    run_id = app.test_client().post(RUNS, json=request_body(), headers=headers).json["id"]
    answers = together(lambda _: app.test_client().post(f"{RUNS}/{run_id}/cancel", headers=headers), 4)
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]  # type: ignore[attr-defined]


# ── a database that is locked or gone ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def impatient(world: World) -> Iterator[FlaskClient]:
    """The application on a database whose lock it does not wait for."""
    database = impatient_database(world.ctx.settings)
    yield create_app(replace(world.ctx, unit_of_work=database.unit_of_work)).test_client()
    database.dispose()


def writes(run_id: str) -> list[tuple[str, dict[str, object]]]:
    paths = [f"{RUNS}/{run_id}/{action}" for action in ("approve", "retry", "cancel")]
    paths += ["/api/v1/queue/requeue", f"/api/v1/connections/{KEY}/pause", f"/api/v1/connections/{KEY}/resume"]
    return [(RUNS, {"json": request_body()}), *((path, {}) for path in paths)]


def test_while_another_process_writes_reading_goes_on_and_writing_is_put_off(
    impatient: FlaskClient, bearer: Bearer, world: World
) -> None:
    headers = bearer()
    run_id = impatient.post(RUNS, json=request_body(), headers=headers).json["id"]
    with locked(world.ctx.settings):
        for path in (RUNS, f"{RUNS}/{run_id}", f"{RUNS}/{run_id}/items", "/api/v1/queue", "/metrics"):
            assert impatient.get(path, headers=headers).status_code == 200, path
        for path, more in writes(run_id):
            if path.endswith("/retry"):
                continue  # refused before it would write: the run is not finished
            answer = impatient.post(path, headers=headers, **more)  # type: ignore[arg-type]
            check_problem(answer, 503, "database_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            check_headers(answer)
    assert impatient.get(f"{RUNS}/{run_id}", headers=headers).json["state"] == "waiting"
    assert len(list_runs(world.ctx).items) == 1


def test_the_same_request_sent_again_after_the_lock(impatient: FlaskClient, bearer: Bearer, world: World) -> None:
    headers = {**bearer(), "Idempotency-Key": "until-it-works"}
    impatient.get(RUNS, headers=headers)  # the key's use is noted, so that reading it writes nothing
    with locked(world.ctx.settings):
        check_problem(impatient.post(RUNS, json=request_body(), headers=headers), 503, "database_unavailable")
    assert impatient.post(RUNS, json=request_body(), headers=headers).status_code == 202
    assert impatient.post(RUNS, json=request_body(), headers=headers).status_code == 202
    assert len(list_runs(world.ctx).items) == 1


def filled(rule: str) -> str:
    """The path of a rule with somebody in it."""
    path = rule.replace("<public_id:run_id>", "none").replace("<public_id:key>", KEY)
    return re.sub(r"<int[^>]*:\w+>", "1", path)


def test_without_a_database_every_route_says_so(without_database: Context, bearer: Bearer) -> None:
    headers = bearer()
    client = create_app(without_database).test_client()
    for method, rule in ROUTES:
        path = filled(rule)
        answer = client.open(path, method=method, headers=headers)
        check_problem(answer, 503, "database_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert "sql" not in answer.text and "nowhere" not in answer.text
        check_headers(answer)
    for path in ("/sign-in", "/api/docs", "/api/openapi.json", "/health/live"):
        assert client.get(path).status_code == 200, path
    assert client.get("/health/ready").status_code == 503
    assert client.get("/metrics", headers=headers).status_code == 503


def test_a_broker_that_is_gone_refuses_nothing(client: FlaskClient, bearer: Bearer, world: World) -> None:
    headers = bearer()
    world.broker.away = True
    for method, rule in ROUTES:
        path = filled(rule)
        assert client.open(path, method=method, headers=headers).status_code != 503, rule
