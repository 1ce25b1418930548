"""A former key was removed although something still stands under it: what can be read is shown and goes on, what cannot
is told as just that, and nothing is lost until the key is back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.domain.access.roles import Role
from app.domain.enums import System
from app.domain.ports import EmployeeGateway
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Connection
from app.factory import create_app
from app.use_cases.accounts.api_keys import Scope, add_key
from app.use_cases.connections.connection_settings import set_names
from app.use_cases.connections.pause_resume import pause
from app.use_cases.context import Context
from app.use_cases.employee.job import sync_item
from app.use_cases.upkeep.heartbeat import beat
from app.use_cases.upkeep.relay import relay_once
from app.use_cases.upkeep.secrets_status import locked_values
from tests.web.hooks import FREEE_TOKEN, SECRET, SMARTHR_URL, freee_body, listen, send_freee, send_smarthr, smarthr_body
from tests.web.made import NAME_CHANGE, add_run
from tests.web.test_cli_access import runner
from tests.web.visitor import Visitor
from tests.web.world import KEY, World, with_keys

BROWSER = {"Accept": "text/html"}
OLD, NEW = "an-invented-encryption-key", "the-key-of-the-coming-year"
TOLD = "いまの暗号鍵では開けないものがあります"


@pytest.fixture
def listening(world: World) -> World:
    """With a SmartHR webhook, a run that shows values, and a process that has told of its key."""
    world.ctx = replace(world.ctx, settings=replace(world.ctx.settings, freee_webhook_token=FREEE_TOKEN))
    listen(world)
    beat(world.ctx, "web@here:1", since=world.clock.now())
    return world


def without_old_key(world: World) -> Context:
    return with_keys(world.ctx, NEW)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "address", ["/", "/connections", f"/connections/{KEY}", "/runs", "/links", "/engine", "/users"]
)
def test_a_page_is_shown_or_says_what_is_missing(listening: World, visit: Callable[..., Visitor], address: str) -> None:
    run = add_run(listening, ItemState.FAILED, changes=[NAME_CHANGE])
    admin = visit(Role.ADMIN)
    cookie = admin.client.get_cookie("awase")
    assert cookie is not None
    client = create_app(without_old_key(listening)).test_client()
    client.set_cookie("awase", cookie.value)
    for each in (address, f"/runs/{run}"):
        answer = client.get(each, headers=BROWSER)
        assert answer.status_code in (200, 303) or (answer.status_code == 503 and TOLD in answer.text), each
        assert answer.status_code != 503 or answer.headers["Retry-After"]


def test_readiness_counts_what_is_locked_and_is_well_again_with_the_key(listening: World) -> None:
    without = without_old_key(listening)
    operator = {"Authorization": f"Bearer {add_key(listening.ctx, '監視', [Scope.OPS_READ])}"}
    ready = create_app(without).test_client().get("/health/ready", headers=operator)
    assert (ready.status_code, ready.json["status"]) == (200, "degraded")
    assert ready.json["checks"]["keys"] == "stored_value_locked"
    assert sum(locked_values(without, most=1_000).values()) > 3
    again = create_app(with_keys(listening.ctx, NEW, OLD)).test_client().get("/health/ready", headers=operator).json
    assert (again["status"], again["checks"]["keys"]) == ("ok", "ok")


def test_a_webhook_is_taken_where_its_secret_can_be_read_and_else_sent_again(listening: World) -> None:
    client = create_app(without_old_key(listening)).test_client()
    assert send_freee(client, freee_body()).status_code == 202
    answer = client.post(SMARTHR_URL, data=smarthr_body(), headers={"X-SmartHR-Token": SECRET})
    assert (answer.status_code, answer.json["code"]) == (503, "stored_value_locked")
    assert int(answer.headers["Retry-After"]) > 0
    assert send_smarthr(create_app(with_keys(listening.ctx, NEW, OLD)).test_client(), smarthr_body()).status_code == 202


def test_what_was_taken_is_sorted_meanwhile(listening: World) -> None:
    without = without_old_key(listening)
    send_freee(create_app(without).test_client(), freee_body())
    relay_once(without)
    with listening.ctx.unit_of_work() as uow:
        assert not uow.deliveries.any_unsorted()


def test_a_connection_is_paused_and_gets_other_recipients_although_nobody_can_read_the_former(world: World) -> None:
    without = without_old_key(world)
    pause(without, KEY)
    set_names(without, KEY, name="れんしゅう", mail_to=["jinji@example.org"])
    with without.unit_of_work() as uow:
        renamed, paused = uow.audit.page(limit=2)
        connection = uow.connections.get_by_key(KEY)
    assert connection is not None and connection.paused and list(connection.mail_to) == ["jinji@example.org"]
    assert paused.detail["changes"] == {"paused": [False, True]}
    assert renamed.detail["changes"]["mail_to"] == ["", "changed"]


def test_the_status_says_where_and_a_lost_key_can_be_given_up(listening: World) -> None:
    without = without_old_key(listening)
    run = runner(create_app(without))
    told = run("secrets", "status")
    assert told.exit_code == 1 and "webhooks.secret_enc=1" in told.stdout
    assert run("secrets", "rotate").exit_code == 2
    old_id = with_keys(listening.ctx, OLD).keys.encryption.newest.id
    assert run("secrets", "forget", old_id).exit_code == 2, "it is in use"
    both = runner(create_app(with_keys(listening.ctx, NEW, OLD)))
    assert both("secrets", "forget", "0000000000").exit_code == 2
    listening.clock.turn(minutes=2)  # who has not told of itself since counts as ended
    rotated = both("secrets", "rotate")
    assert rotated.exit_code == 0, rotated.output
    assert both("secrets", "forget", old_id).exit_code == 0
    with listening.ctx.unit_of_work() as uow:
        assert uow.audit.page(limit=1)[0].action == "key_forgotten"


def test_the_wrong_keys_at_the_very_first_look_are_noticed(world: World) -> None:
    wrong = with_keys(world.ctx, "some-quite-other-encryption-key")
    beat(wrong, "web@here:1", since=world.clock.now())
    assert create_app(wrong).test_client().get("/health/ready").json["status"] == "degraded"


def test_a_job_waits_for_the_key_and_counts_no_failure(listening: World) -> None:
    run = add_run(listening, ItemState.WAITING)
    with listening.ctx.unit_of_work() as uow:
        stored = uow.runs.get_by_public_id(run)
        assert stored is not None
        (item,) = uow.items.page(stored.id, after=-1, limit=2)

    def gateway(connection: Connection, _system: System) -> EmployeeGateway:
        raise AssertionError(without.tokens.smarthr_token(connection.id))

    without = replace(without_old_key(listening), gateway=gateway)
    sync_item(without, item.id, item.attempt)
    with listening.ctx.unit_of_work() as uow:
        waiting = uow.items.get(item.id)
    assert waiting is not None
    assert (waiting.state, waiting.error_code, waiting.attempts_failed) == (ItemState.WAITING, "stored_value_locked", 0)
