"""A copy at its doors: every operation of the API, every form and every command that begins work is refused, whoever
asks; what comes in is kept, and everybody is told. A new door that nobody has decided about is named here.

That nothing leaves is tried at the wire, in `tests/use_cases/test_law_a_copy_rests.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.domain.access.roles import Role
from app.use_cases.household import CODE, Standing
from app.use_cases.upkeep.heartbeat import beat
from app.use_cases.upkeep.homekeeping import Homekeeping
from app.use_cases.upkeep.relay import relay_once
from app.web.cli.commands import WHILE_RESTING
from tests.web.application import operator_of
from tests.web.hooks import SECRET, SMARTHR_URL, listen, smarthr_body, stored
from tests.web.visitor import Visitor, visitor
from tests.web.world import World

pytestmark = pytest.mark.database("sqlite")

SENT = frozenset({"POST", "PUT", "PATCH", "DELETE"})
GOES_ON = frozenset(
    {
        *("begin", "sign_out", "choose_language", "accept_invitation"),
        *("change_language", "change_password", "choose_password", "sign_out_everywhere"),
        *("end_own_session", "end_other_sessions", "end_user_session", "end_user_sessions"),
        *("users_disable", "users_enable", "users_role", "users_password", "users_invite", "users_revoke"),
        *("audit_file", "keys_add", "keys_revoke"),
    }
)
"""Forms of a copy that do what they say: who may sign in, and what was done. None asks a vendor or sends a mail."""


@pytest.fixture
def copy(world: World) -> Iterator[World]:
    """The world's database belongs to another house."""
    with world.ctx.unit_of_work() as uow:
        uow.houses.claim("f" * 64, world.ctx.clock.now())
    assert Homekeeping(world.ctx).keep() is Standing.COPY
    return world


def somebody(app: Flask, world: World, login: str = "somebody") -> Visitor:
    """An administrator at a browser."""
    return visitor(world.ctx, app.test_client(), Role.ADMIN, login=login)


def addresses(app: Flask, blueprint: str) -> dict[str, tuple[str, str]]:
    """Name of each view that takes a form or a body → (method, an address of it)."""
    found = {}
    for rule in app.url_map.iter_rules():
        of, _, name = rule.endpoint.rpartition(".")
        if of == blueprint and (methods := SENT & set(rule.methods or ())):
            values = dict.fromkeys(rule.arguments, 1)
            with app.test_request_context():
                built = app.url_map.bind("localhost").build(rule.endpoint, values, method=min(methods))
            found[name] = (min(methods), built)
    return found


@pytest.mark.parametrize("blueprint", ["runs", "ops", "employees"])
def test_the_api_begins_nothing_and_shows_everything(
    copy: World, app: Flask, bearer: Callable[..., dict[str, str]], blueprint: str
) -> None:
    client = app.test_client()
    for name, (method, address) in addresses(app, blueprint).items():
        answer = client.open(address, method=method, json={}, headers=bearer())
        assert (answer.status_code, answer.json["code"]) == (503, CODE), name
        assert client.open(address, method=method, json={}).status_code == 401, name
    assert client.get("/api/v1/runs", headers=bearer()).status_code == 200


def test_no_form_begins_anything(copy: World, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    refused = set()
    for name, (method, address) in addresses(app, "screens").items():
        answer = somebody(app, copy, name).client.open(address, method=method, data={})
        assert answer.status_code < 500 or answer.status_code == 503, name
        refused |= {name} if answer.status_code == 503 and "flask house adopt" in answer.text else set()
    assert set(addresses(app, "screens")) - refused == GOES_ON


def test_nobody_is_led_to_freee_and_no_code_is_taken(copy: World, client: FlaskClient) -> None:
    for answer in (
        client.get("/connect/freee/callback?code=a&state=b"),
        client.get("/connect/freee/start/some-token"),
        client.post("/connect/freee/start/some-token"),
    ):
        assert (answer.status_code, "写し" in answer.text) == (503, True)


def commands(app: Flask) -> set[str]:
    groups = {name: group for name, group in app.cli.commands.items() if isinstance(group, click.Group)}
    ours = {name: group for name, group in groups.items() if type(group).__module__.startswith("app.")}
    return {f"{name} {each}" for name, group in ours.items() for each in group.commands}


def test_no_command_begins_anything(copy: World, app: Flask) -> None:
    run = app.test_cli_runner()
    for command in sorted(commands(app) - WHILE_RESTING):
        result = run.invoke(args=command.split())
        assert (result.exit_code, "flask house adopt" in result.stderr) == (2, True), command
    assert commands(app) >= WHILE_RESTING
    assert run.invoke(args=["connection", "list"]).exit_code == 0


def test_webhooks_are_kept_and_not_begun(copy: World, client: FlaskClient) -> None:
    listen(copy)
    headers = {"X-SmartHR-Token": SECRET}
    sent = client.post(SMARTHR_URL, data=smarthr_body(), headers=headers, content_type="application/json")
    assert sent.status_code == 202
    relay_once(copy.ctx)
    found = stored(copy.database)
    assert ([row.state for row in found.deliveries], found.runs) == (["received"], [])


def test_whoever_is_signed_in_is_told_on_every_page(copy: World, app: Flask) -> None:
    person = somebody(app, copy)
    for address in ("/", "/runs", "/connections", "/engine", "/account", "/users"):
        assert "別の設置先の写し" in person.open(address), address
    assert "別の設置先の写し" not in app.test_client().get("/sign-in").text


def test_operators_are_told(copy: World, app: Flask) -> None:
    operator = operator_of(app, copy.ctx)
    told: Any = operator.get("/health/ready")
    assert (told.status_code, told.json["status"], told.json["checks"]["house"]) == (200, "degraded", "copy")
    assert "awase_house_resting 1.0" in operator.get("/metrics").text
    shown = app.test_cli_runner().invoke(args=["house", "show"])
    assert (shown.exit_code, "写し" in shown.stdout) == (1, True)


def test_two_houses_are_told_by_both(world: World, app: Flask) -> None:
    Homekeeping(world.ctx).keep()
    with world.ctx.unit_of_work() as uow:
        now = world.ctx.clock.now()
        uow.processes.beat("web@there:7", known={}, using={}, started_at=now, now=now, house="another")
    beat(world.ctx, "web@here:1", since=world.ctx.clock.now())
    Homekeeping(world.ctx).keep()
    operator = operator_of(app, world.ctx)
    assert operator.get("/health/ready").json["checks"]["house"] == "two_houses"
    assert "awase_houses 2.0" in operator.get("/metrics").text
    assert "web@there:7" in somebody(app, world).open("/engine")


def test_an_adoption_asks_first(copy: World, app: Flask) -> None:
    run = app.test_cli_runner()
    refused = run.invoke(args=["house", "adopt"], input="yes\n")
    assert (refused.exit_code, copy.ctx.household.look()) == (2, Standing.COPY)
    adopted = run.invoke(args=["house", "adopt"], input="adopt\n")
    assert (adopted.exit_code, copy.ctx.household.look()) == (0, Standing.AT_HOME), adopted.output
    assert "引き継ぎました" in adopted.stdout
    assert run.invoke(args=["house", "adopt", "--yes"]).exit_code == 2
    assert run.invoke(args=["house", "show"]).exit_code == 0
