"""A proxy that the settings do not name is told of: in the log, in the engine room, to whoever asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from app.domain.access.roles import Role
from app.logs import configure_logging
from app.use_cases.monitoring.sightings import TOLD_FOR, proxy_headers_seen
from app.web.http.proxies import TELL_AFTER
from tests.web.application import application_on
from tests.web.visitor import Visitor
from tests.web.world import World, impatient_database, locked, make_settings, make_world

Visit = Callable[..., Visitor]
HEADERS = [{"X-Forwarded-For": "198.51.100.9"}, {"Forwarded": "for=198.51.100.9"}]


def told(output: str) -> int:
    events = [json.loads(line)["event"] for line in output.splitlines()]
    return events.count("proxy_headers_without_trusted_proxies")


@pytest.mark.parametrize("headers", HEADERS, ids=["x-forwarded-for", "forwarded"])
def test_it_is_told_once_per_while_and_in_the_engine_room(
    headers: dict[str, str], visit: Visit, world: World, app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    ops = visit(Role.OPS)
    assert "TRUSTED_PROXIES" not in ops.open("/engine") and proxy_headers_seen(world.ctx) is None
    configure_logging("INFO")
    stranger, first = app.test_client(), world.clock.now()
    for _ in range(5):
        stranger.get("/sign-in", headers=headers)
    output = capsys.readouterr().err
    assert told(output) == 1 and "198.51.100.9" not in output, "what a header claims is nobody's word"
    assert proxy_headers_seen(world.ctx) == first
    assert "TRUSTED_PROXIES" in ops.open("/engine")
    world.clock.turn(seconds=TELL_AFTER.total_seconds())
    stranger.get("/sign-in", headers=headers)
    assert told(capsys.readouterr().err) == 1 and proxy_headers_seen(world.ctx) == first + TELL_AFTER
    world.clock.turn(seconds=TOLD_FOR.total_seconds() + 1)
    assert proxy_headers_seen(world.ctx) is None


@pytest.mark.database("sqlite")
def test_a_proxy_that_is_named_is_none_to_tell_of(world: World) -> None:
    made = make_world(make_settings(world.ctx.settings.data_dir, TRUSTED_PROXIES="1"))
    application_on(made.ctx).test_client().get("/sign-in", headers=HEADERS[0])
    with made.ctx.unit_of_work() as uow:
        assert uow.sightings.last("proxy_headers") is None
    made.database.dispose()


def test_neither_health_checks_nor_webhooks_look_at_it(world: World, app: Flask) -> None:
    client = app.test_client()
    client.get("/health/live", headers=HEADERS[0])
    client.post("/webhooks/freee", headers=HEADERS[0])
    assert proxy_headers_seen(world.ctx) is None


def test_a_page_comes_although_it_cannot_be_noted(world: World) -> None:
    database = impatient_database(world.ctx.settings)
    client = application_on(replace(world.ctx, unit_of_work=database.unit_of_work)).test_client()
    with locked(world.ctx.settings):
        assert client.get("/sign-in", headers=HEADERS[0]).status_code == 200
    database.dispose()
