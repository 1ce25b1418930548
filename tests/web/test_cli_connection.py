"""flask connection authorise, show and set-export-settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import Result
from flask import Flask

from app.domain.enums import System
from app.domain.settings.readability import Listing
from app.factory import create_app
from app.use_cases.connections import connections
from tests.web.test_cli_access import ADD, SETTINGS, runner
from tests.web.world import KEY, World

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    return runner(app)


def test_the_address_alone_goes_to_standard_output(run: Run, world: World) -> None:
    result = run("connection", "authorise", KEY)
    assert result.exit_code == 0
    (address,) = result.stdout.splitlines()
    query = parse_qs(urlsplit(address).query)
    assert query["redirect_uri"] == ["http://localhost/connect/freee/callback"]
    assert "30分以内" in result.stderr and "http://localhost/connect/freee/callback" in result.stderr
    given = connections.finish_consent(world.ctx, state=query["state"][0], code="abc")
    assert given.connection.key == KEY


def test_who_cannot_authorise_is_told(run: Run, world: World) -> None:
    assert run("connection", "authorise", "nobody").exit_code == 2
    bare = replace(world.ctx, settings=replace(world.ctx.settings, freee_client_secret=""))
    result = runner(create_app(bare))("connection", "authorise", KEY)
    assert result.exit_code == 2
    assert "FREEE_CLIENT_SECRET" in result.stderr and result.stdout == ""


def test_a_connection_without_tokens_says_how_to_go_on(run: Run) -> None:
    way = "flask connection authorise chosen"
    added = run(*ADD, *SETTINGS, "--key", "chosen", input="token-one\n")
    assert (added.exit_code, added.stdout.strip()) == (0, "chosen")
    assert way in added.stderr
    checked = run("connection", "check", "chosen")
    assert checked.exit_code == 1
    assert "SmartHR: 読めます" in checked.stdout and "freeeの認可が必要です" in checked.stdout
    assert way in checked.stdout
    assert way in run("connection", "show", "chosen").stdout


def test_a_connection_with_tokens_is_not_told_to_authorise(run: Run) -> None:
    added = run(*ADD, "--key", "chosen", "--with-freee-tokens", input="token-one\naccess-two\nrefresh-three\n")
    assert added.exit_code == 0
    for result in (added, run("connection", "check", "chosen"), run("connection", "show", "chosen")):
        assert result.exit_code == 0
        assert "authorise" not in result.output


def test_show_tells_the_export_settings(run: Run) -> None:
    shown = run("connection", "show", KEY)
    assert shown.exit_code == 0
    for line in ("勤務・賃金設定名: 標準", "締め日支払い日グループ名: 月末締め", "給与方式: 月給", "基本給: 200,000円"):
        assert line in shown.stdout
    assert "an-invented" not in shown.output
    assert run("connection", "show", "nobody").exit_code == 2


def test_export_settings_are_changed_one_by_one(run: Run) -> None:
    changed = run("connection", "set-export-settings", KEY, "--base-pay", "１８０,０００", "--pay-type", "時給")
    assert changed.exit_code == 0, changed.output
    assert "基本給: 180,000円" in changed.stdout and "給与方式: 時給" in changed.stdout
    assert "勤務・賃金設定名: 標準" in changed.stdout and "注意" not in changed.stdout
    doubtful = run("connection", "set-export-settings", KEY, "--working-hours-system-name", "フレックス")
    assert "注意: この勤務・賃金設定では、選ばれた給与方式を使えません。" in doubtful.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [([], "変える項目"), (["--base-pay", "-1"], "base_pay"), (["--pay-schedule-name", ""], "pay_schedule_name")],
)
def test_wrong_export_settings_change_nothing(run: Run, arguments: list[str], told: str) -> None:
    before = run("connection", "show", KEY).stdout
    result = run("connection", "set-export-settings", KEY, *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert run("connection", "show", KEY).stdout == before


def test_the_first_export_settings_need_all_four(run: Run) -> None:
    run(*ADD, "--key", "chosen", input="token-one\n")
    assert "勤務" not in run("connection", "show", "chosen").stdout
    partly = run("connection", "set-export-settings", "chosen", "--base-pay", "1")
    assert partly.exit_code == 2 and "pay_type" in partly.stderr
    whole = run("connection", "set-export-settings", "chosen", *SETTINGS)
    assert whole.exit_code == 0
    assert "エクスポート設定が未完了" not in whole.stdout


def test_a_smarthr_token_can_be_replaced_and_what_it_sees_is_learned_anew(world: World, run: Run) -> None:
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection is not None
        seen = {System.SMARTHR: Listing({"tel_number": "1"})}
        uow.connections.learn(connection.id, seen, {}, {"部長"}, marks={System.SMARTHR: "0"}, now=world.ctx.clock.now())
    result = run("connection", "set-smarthr-token", KEY, input="another-token\n")
    assert result.exit_code == 0
    assert "another-token" not in result.output
    with world.ctx.unit_of_work() as uow:
        assert uow.connections.smarthr_token(connection.id) == "another-token"
        learned = uow.connections.get(connection.id)
    assert learned is not None
    assert learned.readable_attributes == frozenset()
    assert learned.known_positions == {"部長"}


def test_the_token_of_an_unknown_connection_is_not_replaced(run: Run) -> None:
    result = run("connection", "set-smarthr-token", "nobody", input="another-token\n")
    assert result.exit_code == 2
    assert "another-token" not in result.output
