"""flask sync: what is printed, and the exit codes scripts rely on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from click.testing import Result
from flask import Flask

from app.domain.planning.plan import Severity
from app.domain.runs.run_state import ItemState, RunState
from app.storage.runs.rows import NewNote
from app.use_cases.queries.history import list_runs
from app.use_cases.shared.views import ProgressView
from app.web.cli.sync import pace_text
from tests.web.made import ACCOUNT_CHANGE, NAME_CHANGE, add_run, close, survey
from tests.web.world import KEY, World

START = ["sync", "start", "--connection", KEY, "--direction", "smarthr_to_freee", "--as-of", "2026-11-22"]
Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    def call(*arguments: str, **more: object) -> Result:
        return app.test_cli_runner().invoke(args=list(arguments), **more)

    return call


@contextmanager
def workers(world: World, *states: ItemState, state: RunState = RunState.RUNNING) -> Iterator[None]:
    """Do what the workers do to the next run that waits."""

    def work() -> None:
        for _ in range(500):
            waiting = [r.id for r in list_runs(world.ctx).items if r.state is RunState.WAITING]
            if waiting:
                survey(world, waiting[0], *states, state=state)
                if state is RunState.RUNNING:
                    close(world, waiting[0])
                return
            time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def test_start_without_waiting(run: Run, world: World) -> None:
    result = run(*START, "--employees", "0001,0002")
    assert result.exit_code == 0, result.output
    (view,) = list_runs(world.ctx).items
    assert view.id in result.stdout
    with world.ctx.unit_of_work() as uow:
        stored = uow.runs.get_by_public_id(view.id)
    assert stored and stored.scope == ["0001", "0002"]
    assert (stored.started_by, stored.trigger.value, stored.dry_run) == ("cli", "manual", False)


def test_start_for_everybody_today_in_japan(run: Run, world: World) -> None:
    world.clock.instant = world.clock.instant.replace(hour=15, minute=30)  # half past midnight in Japan
    result = run("sync", "start", "--connection", KEY, "--direction", "freee_to_smarthr", "--employees", "all")
    assert result.exit_code == 0, result.output
    (view,) = list_runs(world.ctx).items
    assert view.as_of_date.isoformat() == "2026-11-23"
    with world.ctx.unit_of_work() as uow:
        stored = uow.runs.get_by_public_id(view.id)
    assert stored and stored.scope is None


def test_waiting_shows_the_progress_and_the_result(run: Run, world: World) -> None:
    with workers(world, ItemState.SUCCEEDED, ItemState.UNCHANGED):
        result = run(*START, "--employees", "all", "--wait")
    assert result.exit_code == 0, result.output
    assert "2/2" in result.stderr and "100%" in result.stderr
    assert "SmartHR → freee人事労務" in result.stdout
    assert "成功 1件 / 変更なし 1件" in result.stdout


def test_a_failed_employee_is_exit_code_1_with_reason_and_remedy(run: Run, world: World) -> None:
    with workers(world, ItemState.SUCCEEDED, ItemState.FAILED):
        result = run(*START, "--employees", "all", "--wait")
    assert result.exit_code == 1
    assert "一部失敗" in result.stdout
    assert "失敗 1件" in result.stdout
    assert "【0002】" in result.stdout and "入社年月日" in result.stdout and "対処: " in result.stdout


def test_people_who_have_to_decide_are_no_failure(run: Run, world: World) -> None:
    with workers(world, ItemState.SUCCEEDED, ItemState.CONFLICT):
        result = run(*START, "--employees", "all", "--wait")
    assert result.exit_code == 0
    assert "要確認 1件" in result.stdout


def test_a_run_without_anybody_is_a_failure(run: Run, world: World) -> None:
    with workers(world):
        result = run(*START, "--employees", "all", "--wait")
    assert result.exit_code == 1


def test_a_dry_run_ends_at_the_preview_and_is_approved(run: Run, world: World) -> None:
    with workers(world, ItemState.WAITING, state=RunState.PREVIEWED):
        result = run(*START, "--employees", "all", "--dry-run", "--wait")
    assert result.exit_code == 0
    (view,) = list_runs(world.ctx).items
    assert f"flask sync approve {view.id}" in result.stdout
    approved = run("sync", "approve", view.id)
    assert approved.exit_code == 0
    assert list_runs(world.ctx).items[0].state is RunState.RUNNING


def test_json_is_the_run_as_the_api_shows_it(run: Run, world: World) -> None:
    with workers(world, ItemState.SUCCEEDED, ItemState.FAILED):
        result = run(*START, "--employees", "all", "--wait", "--json")
    assert result.exit_code == 1
    shown = json.loads(result.stdout)
    assert (shown["state"], shown["counts"]["failed"]) == ("partly_failed", 1)
    assert [item["employee_number"] for item in shown["items"]] == ["0002"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--connection", "nobody"], "登録されていません"),
        (["--as-of", "2026-02-30"], "実在する日付"),
        (["--as-of", "20261122"], "実在する日付"),
        (["--as-of", "9999-01-01"], "年までの日付"),
        (["--direction", "sideways"], "smarthr_to_freee"),
        (["--employees", "9999"], "9999"),
        (["--employees", "0001,,0002"], "コンマ"),
        (["--employees", "0001,0001"], "重複"),
        (["--idempotency-key", "k", "--nonsense"], "nonsense"),
    ],
)
def test_refused_input_is_exit_code_2(arguments: list[str], told: str, run: Run, world: World) -> None:
    result = run(*START, "--employees", "0001", *arguments)
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert "Traceback" not in result.output
    assert list_runs(world.ctx).items == ()


def test_nobody_is_synchronised_by_leaving_something_out(run: Run, world: World) -> None:
    assert run(*START).exit_code == 2
    assert list_runs(world.ctx).items == ()


def test_the_same_idempotency_key_starts_one_run(run: Run, world: World) -> None:
    for _ in range(2):
        assert run(*START, "--employees", "0001", "--idempotency-key", "nightly").exit_code == 0
    assert len(list_runs(world.ctx).items) == 1
    assert run(*START, "--employees", "0002", "--idempotency-key", "nightly").exit_code == 2


def test_show_names_changes_without_masked_values(run: Run, world: World) -> None:
    notes = [NewNote("E16", Severity.INFO.value, "gender")]
    run_id = add_run(world, ItemState.SUCCEEDED, changes=[NAME_CHANGE, ACCOUNT_CHANGE], notes=notes)
    result = run("sync", "show", run_id, "--items")
    assert result.exit_code == 0
    assert "鈴木 → 佐藤" in result.stdout and "2026-12支払分" in result.stdout
    assert "•••• → ••••" in result.stdout
    assert "7654321" not in result.output
    assert "注意: " in result.stdout
    assert "鈴木" not in run("sync", "show", run_id).output


def test_show_as_json(run: Run, world: World) -> None:
    run_id = add_run(world, ItemState.SUCCEEDED, ItemState.FAILED)
    assert [i["state"] for i in json.loads(run("sync", "show", run_id, "--json").stdout)["items"]] == ["failed"]
    everybody = json.loads(run("sync", "show", run_id, "--json", "--items").stdout)["items"]
    assert [i["state"] for i in everybody] == ["succeeded", "failed"]


def test_many_failures_are_cut_short(run: Run, world: World) -> None:
    run_id = add_run(world, *[ItemState.FAILED] * 120)
    result = run("sync", "show", run_id)
    assert "【0050】" in result.stdout and "【0051】" not in result.stdout
    assert "ほか70件" in result.stdout
    everybody = json.loads(run("sync", "show", run_id, "--json").stdout)
    assert len(everybody["items"]) == 120


def test_retry_starts_a_run_of_the_failed_ones(run: Run, world: World) -> None:
    run_id = add_run(world, ItemState.SUCCEEDED, ItemState.FAILED)
    assert run("sync", "retry", run_id).exit_code == 0
    newest = list_runs(world.ctx).items[0]
    assert (newest.retried_run, newest.trigger.value) == (run_id, "retry")


def test_cancel(run: Run, world: World) -> None:
    run_id = add_run(world, ItemState.WAITING, state=RunState.PREVIEWED)
    result = run("sync", "cancel", run_id)
    assert result.exit_code == 0
    assert "取り消し 1件" in result.stdout


@pytest.mark.parametrize("action", ["show", "approve", "retry", "cancel"])
def test_an_unknown_run(action: str, run: Run) -> None:
    result = run("sync", action, "nothing")
    assert result.exit_code == 2
    assert "見つかりません" in result.stderr


@pytest.mark.parametrize("action", ["approve", "retry", "cancel"])
def test_an_action_that_does_not_fit(action: str, run: Run, world: World) -> None:
    assert run("sync", action, add_run(world, ItemState.SUCCEEDED)).exit_code == 2


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (ProgressView(1, 2, None, None), ""),
        (ProgressView(1, 2, 2.54, None), "2.5件/秒"),
        (ProgressView(1, 2, None, 0.2), "残り約0秒"),
        (ProgressView(1, 2, 0.5, 80.0), "0.5件/秒 残り約1分20秒"),
        (ProgressView(1, 2, None, 3600.0), "残り約1時間"),
        (ProgressView(1, 2, None, 10_985.0), "残り約3時間3分"),
    ],
)
def test_pace_in_words(progress: ProgressView, text: str) -> None:
    assert pace_text(progress) == text
