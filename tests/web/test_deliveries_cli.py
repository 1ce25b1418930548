"""flask delivery, flask trouble, and what flask queue status says of webhooks."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from app.domain.enums import Direction
from tests.web.hooks import listen, rows, stored
from tests.web.made import add_delivery
from tests.web.test_cli_access import runner
from tests.web.world import KEY, NOW, World

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    return runner(app)


def trouble(world: World, person: str, number: str, *, times: int = 3, direction: Direction | None = None) -> None:
    with world.ctx.unit_of_work() as uow:
        for _ in range(times):
            uow.troubles.note(
                1,
                direction or Direction.SMARTHR_TO_FREEE,
                person,
                employee_number=number,
                code="E1",
                now=NOW,
                quarantine_after=3,
            )


def troubled(world: World) -> list[str]:
    with world.ctx.unit_of_work().reading() as uow:
        return [row.employee_number for row in uow.troubles.of_connection(1)]


# ── deliveries ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_list_shows_newest_first_in_japans_time(run: Run, world: World) -> None:
    first, second = add_delivery(world, "crew-1"), add_delivery(world, "crew-2", "crew-3")
    result = run("delivery", "list")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [str(second), str(first)]
    assert "2026-11-22 12:00" in lines[0] and "SmartHR" in lines[0] and "2人" in lines[0] and "待機中2" in lines[0]
    assert "crew-" not in result.stdout


def test_list_narrows_and_pages(run: Run, world: World) -> None:
    made = [add_delivery(world, f"crew-{n}") for n in range(3)]
    unknown = add_delivery(world, "crew-9", name="surprise", known=False)
    assert run("delivery", "list", "--state", "unknown").stdout.split()[0] == str(unknown)
    assert "当てはまる通知はありません" in run("delivery", "list", "--failed").stdout
    assert "当てはまる通知はありません" in run("delivery", "list", "--until", "2026-11-22T12:00").stdout
    assert str(made[0]) in run("delivery", "list", "--since", "2026-11-22T12:00").stdout
    paged = run("delivery", "list", "--limit", "2", "--connection", KEY).stdout
    assert f"--after {made[2]}" in paged
    rest = json.loads(run("delivery", "list", "--after", str(made[2]), "--json").stdout)
    assert [each["id"] for each in rest["items"]] == [made[1], made[0]]


def test_json_is_what_the_api_answers(
    run: Run, world: World, client: FlaskClient, bearer: Callable[..., dict[str, str]]
) -> None:
    one, headers = add_delivery(world, "crew-1"), bearer("ops:read")
    for command, path in ((("list",), ""), (("show", str(one)), f"/{one}")):
        shown = json.loads(run("delivery", *command, "--json").stdout)
        assert shown == client.get(f"/api/v1/deliveries{path}", headers=headers).json


def test_show_names_people_by_id_and_where_to_look(run: Run, world: World) -> None:
    one = add_delivery(world, "crew-1")
    result = run("delivery", "show", str(one))
    (held,) = stored(world.database).runs
    assert "crew-1" in result.stdout and f"flask sync show {held.public_id} --items" in result.stdout
    missing = run("delivery", "show", "77")
    assert (missing.exit_code, missing.stdout) == (2, "") and "見つかりません" in missing.stderr


def test_replay_of_one_of_a_range_and_of_the_failed(run: Run, world: World) -> None:
    one = add_delivery(world, "crew-1")
    add_delivery(world, "crew-2", name="surprise", known=False)
    assert "1件の通知をやり直します(従業員1人)" in run("delivery", "replay", "--id", str(one)).stdout
    ranged = run("delivery", "replay", "--since", "2026-11-22", "--until", "2026-11-23")
    assert "2件の通知をやり直します(従業員2人)" in ranged.stdout
    assert "0件の通知をやり直します" in run("delivery", "replay", "--failed").stdout
    limited = run("delivery", "replay", "--since", "2026-11-22", "--limit", "1")
    assert "--after" in limited.stdout
    as_json = json.loads(run("delivery", "replay", "--id", str(one), "--json").stdout)
    assert as_json == {"replayed": 1, "people": 1, "skipped": 0, "next_after": None}
    assert [d.replays for d in stored(world.database).deliveries] == [3, 2]


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["delivery", "replay"], "いつ以後"),
        (["delivery", "replay", "--connection", KEY], "いつ以後"),
        (["delivery", "replay", "--id", "1", "--failed"], "--id"),
        (["delivery", "replay", "--id", "77"], "見つかりません"),
        (["delivery", "replay", "--since", "yesterday"], "2026-11-22"),
        (["delivery", "replay", "--since", "0001-01-01"], "年"),
        (["delivery", "list", "--connection", "nobody"], "登録されていません"),
        (["delivery", "list", "--state", "done"], "--state"),
        (["trouble", "list", "nobody"], "登録されていません"),
        (["trouble", "lift", KEY, "--number", "0009"], "0009"),
    ],
)
def test_a_wrong_call_says_why_and_does_nothing(arguments: list[str], told: str, run: Run, world: World) -> None:
    add_delivery(world, "crew-1")
    trouble(world, "crew-1", "0001")
    before = rows(world.database)
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr and "Traceback" not in result.output
    assert (rows(world.database), troubled(world)) == (before, ["0001"])


# ── troubles ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_troubles_are_listed_with_cause_and_remedy(run: Run, world: World) -> None:
    assert "いません" in run("trouble", "list", KEY).stdout
    trouble(world, "crew-1", "0001")
    trouble(world, "678", "0002", times=1, direction=Direction.FREEE_TO_SMARTHR)
    first, second = (line for line in run("trouble", "list", KEY).stdout.splitlines() if line.startswith("["))
    assert "[0001] SmartHR → freee人事労務" in first and "3回" in first and "2026-11-22 12:00から停止" in first
    assert "[0002] freee人事労務 → SmartHR" in second and "まだ対象" in second
    assert "対処:" in run("trouble", "list", KEY).stdout


def test_troubles_are_lifted_by_number_or_all(run: Run, world: World) -> None:
    for number in ("0001", "0002", "0003"):
        trouble(world, f"crew-{number}", number)
    assert "1件を解除しました" in run("trouble", "lift", KEY, "--number", "0002").stdout
    assert troubled(world) == ["0001", "0003"]
    assert "2件を解除しました" in run("trouble", "lift", KEY).stdout
    assert troubled(world) == []


def test_queue_status_tells_of_webhooks(run: Run, world: World) -> None:
    listen(world)
    add_delivery(world, "crew-1")
    trouble(world, "crew-2", "0002")
    text = run("queue", "status").stdout
    assert "通知を集めている実行1件 直近1時間の Webhook: 受付1" in text
    (line,) = (line for line in text.splitlines() if line.startswith("#1 "))
    for told in (KEY, "両方向", "SmartHR 2026-11-22 12:00", "freee -", "未登録", "停止中の従業員1人"):
        assert told in line, told
