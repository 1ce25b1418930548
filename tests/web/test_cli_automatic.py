"""flask connection register-webhook, rotate-webhook-secret, remove-webhook, set-automatic, check and show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from tests.house import KEY, House
from tests.web.application import application_on
from tests.web.test_cli_access import runner

Run = Callable[..., Result]


@pytest.fixture
def run(house: House) -> Run:
    call = runner(application_on(house.ctx))

    def one(command: str, *arguments: str) -> Result:
        return call("connection", command, KEY, *arguments)

    return one


def there(house: House) -> list[dict[str, Any]]:
    return list(house.smarthr.state.webhooks.values())


def test_a_webhook_from_its_registration_to_its_end(run: Run, house: House) -> None:
    assert (run("check").exit_code, there(house)) == (0, [])
    registered = run("register-webhook")
    assert (registered.exit_code, len(there(house))) == (0, 1), registered.output
    assert "有効です" in registered.stdout
    secret = there(house)[0]["secret_token"]
    rotated = run("rotate-webhook-secret")
    assert rotated.exit_code == 0 and "まで受け付けます" in rotated.stdout
    assert there(house)[0]["secret_token"] != secret
    for result in (registered, rotated, run("show"), run("check")):
        assert secret not in result.output and there(house)[0]["secret_token"] not in result.output
    assert "SmartHR の Webhook: 有効(" in run("show").stdout
    removed = run("remove-webhook")
    assert (removed.exit_code, there(house)) == (0, [])
    assert run("remove-webhook").exit_code == 2


def test_check_finds_and_repair_mends(run: Run, house: House) -> None:
    run("register-webhook")
    assert run("check").exit_code == 0
    there(house)[0]["disabled_at"] = "2026-11-10T01:02:03.000Z"
    found = run("check")
    assert found.exit_code == 1
    assert "2026-11-10 10:02 に無効になりました" in found.stdout and f"check {KEY} --repair" in found.stdout
    mended = run("check", "--repair")
    assert mended.exit_code == 0 and "直します" in mended.stdout and "有効です" in mended.stdout
    assert there(house)[0]["disabled_at"] is None
    before = len(house.smarthr_injector.requests)
    assert run("check", "--repair").exit_code == 0
    assert {seen.method for seen in house.smarthr_injector.requests[before:]} == {"GET"}


def test_an_automatic_connection_without_a_webhook_is_told(run: Run) -> None:
    told = run("set-automatic", "--directions", "both")
    assert told.exit_code == 0
    hint = f"flask connection register-webhook {KEY}"
    assert hint in told.stdout
    checked = run("check", "--repair")
    assert checked.exit_code == 1 and hint in checked.stdout
    run("register-webhook")
    assert run("check").exit_code == 0
    assert hint not in run("show").stdout


def test_a_refusal_of_smarthr_is_told_with_its_reason(run: Run, house: House) -> None:
    house.smarthr_injector.set_switch("forbidden", ["webhooks"])
    refused = run("register-webhook")
    assert refused.exit_code == 1 and "権限がありません" in refused.stderr
    house.smarthr_injector.set_switch("forbidden", [])
    run("register-webhook")
    house.smarthr_injector.set_switch("forbidden", ["webhooks"])
    checked = run("check")
    assert checked.exit_code == 1
    assert checked.stdout.count("読めます") == 2 and "SmartHR の Webhook: この操作の権限がありません" in checked.stdout


def test_an_address_smarthr_does_not_take(run: Run, house: House) -> None:
    body = {"code": 1, "type": "bad_request", "message": "URLは外部から到達できません。", "errors": None}
    house.smarthr_injector.fault(method="POST", path="/webhooks", status=400, body=body)
    refused = run("register-webhook")
    assert refused.exit_code == 2 and "URLは外部から到達できません。" in refused.stderr


def test_all_of_the_automatic_settings_are_set_and_shown(run: Run) -> None:
    given = ["--directions", "both", "--policy", "smarthr_wins", "--quiet-seconds", "10", "--sweep-minutes", "60"]
    items = ["--item-policy", "title=freee_wins", "--item-policy", "bank=hold"]
    result = run("set-automatic", *given, *items, "--mail", "changes")
    assert result.exit_code == 0, result.output
    expected = (
        "自動の同期: 両方向",
        "両方で変わった項目: SmartHR を優先",
        "役職・肩書(title): freee人事労務を優先",
        "口座(5項目)(bank): 反映せずに知らせる",
        "通知をまとめる時間: 10秒",
        "全員を照合する間隔: 60分",
        "自動の同期の結果メール: 変更か失敗があったとき",
    )
    for line in expected:
        assert line in result.stdout
        assert line in run("show").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "変える設定"),
        (["--directions", "up"], "directions"),
        (["--policy", "source_wins"], "policy"),
        (["--item-policy", "title"], "項目=方針"),
        (["--item-policy", "bank_code=hold"], "bank_code"),
        (["--quiet-seconds", "601"], "0から600"),
        (["--sweep-minutes", "1"], "5から1440"),
        (["--mail", "never"], "mail"),
    ],
)
def test_wrong_settings_change_nothing(run: Run, arguments: list[str], told: str) -> None:
    before = run("show").stdout
    result = run("set-automatic", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert run("show").stdout == before
