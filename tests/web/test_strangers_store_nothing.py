"""Whoever is refused leaves no row behind: requests without a right, with a wrong secret, or that cannot be met."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.storage.tables.models import Base
from tests.web.world import KEY, World

pytestmark = pytest.mark.sql

Bearer = Callable[..., dict[str, str]]
RUN = {
    "connection": KEY,
    "direction": "smarthr_to_freee",
    "as_of_date": "2026-11-22",
    "employees": ["0001"],
    "dry_run": True,
}
FLOOD = 30


def sizes(world: World) -> dict[str, int]:
    with world.database.engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def test_strangers_may_knock_as_often_as_they_like(client: FlaskClient, world: World) -> None:
    before = sizes(world)
    for n in range(FLOOD):
        wrong = {"Authorization": f"Bearer awase_{n:08d}_nothing", "Idempotency-Key": f"k{n}"}
        for answer in (
            client.post(f"/webhooks/smarthr/invented-{n}", data=b"{}", headers={"X-SmartHR-Token": "no"}),
            client.post(f"/webhooks/smarthr/{KEY}", data=b"{}", headers={"X-SmartHR-Token": f"no-{n}"}),
            client.post("/webhooks/freee", data=b"{}", headers={"x-freee-token": f"no-{n}"}),
            client.post("/api/v1/runs", json=RUN, headers=wrong),
            client.get(f"/connect/freee/callback?state=invented-{n}&code=x"),
            client.get(f"/invitation/invented-{n}"),
            client.get("/", headers={"Cookie": f"awase_session=invented-{n}"}),
        ):
            assert answer.status_code != 500 and answer.status_code != 202
    assert sizes(world) == before


def test_a_run_that_is_refused_leaves_nothing(client: FlaskClient, bearer: Bearer, world: World) -> None:
    caller = bearer()
    client.get("/api/v1/runs", headers=caller)  # a key's first use of the day leaves an entry
    before = sizes(world)
    wishes = (
        {"connection": "nobody"},
        {"as_of_date": "1999-01-01"},
        {"employees": ["0001", "0001"]},
        {"employees": [" "]},
    )
    for n in range(FLOOD):
        body = RUN | wishes[n % len(wishes)]
        answer = client.post("/api/v1/runs", json=body, headers={**caller, "Idempotency-Key": f"k{n}"})
        assert answer.status_code in (404, 422)
        assert client.post(f"/api/v1/runs/none-{n}/retry", json={}, headers=caller).status_code == 404
        assert client.post(f"/api/v1/runs/none-{n}/undo", json={}, headers=caller).status_code == 404
    assert sizes(world) == before


def test_a_flood_of_previews_is_one_run_and_a_row_for_each_key(
    client: FlaskClient, bearer: Bearer, world: World
) -> None:
    caller = bearer()
    client.get("/api/v1/runs", headers=caller)
    before = sizes(world)
    for n in range(FLOOD):
        client.post("/api/v1/runs", json=RUN, headers={**caller, "Idempotency-Key": f"k{n}"})
    grown = {name: size - before[name] for name, size in sizes(world).items() if size != before[name]}
    for expected in ("runs", "outbox", "history", "audit"):
        assert grown.pop(expected) == 1
    assert grown.pop("idempotency") == FLOOD
    assert set(grown) <= {"directory", "api_keys"}
