"""Every command once as it should be, as a script sees it: exit code, standard output, standard error, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from app.domain.runs.run_state import ItemState, RunState
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.queries.history import get_run, list_runs
from tests.web.made import ACCOUNT_CHANGE, NAME_CHANGE, add_run, close
from tests.web.test_cli_sync import START, workers
from tests.web.world import NOW, World

Run = Callable[..., Result]
SECRETS = {
    "AWASE_SMARTHR_TOKEN": "smarthr-token-invented-1",
    "AWASE_FREEE_ACCESS_TOKEN": "freee-access-invented-1",
    "AWASE_FREEE_REFRESH_TOKEN": "freee-refresh-invented-1",
}
ADD = ["connection", "add", "--name", "架空商事", "--smarthr-subdomain", "kakuu", "--freee-company-id", "77"]


@pytest.fixture
def run(app: Flask) -> Run:
    def call(*arguments: str, **more: object) -> Result:
        return app.test_cli_runner().invoke(args=list(arguments), **more)

    return call


# ── --wait: the exit code is the run's ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([ItemState.SUCCEEDED], 0),
        ([ItemState.UNCHANGED], 0),
        ([ItemState.NEEDS_REVIEW], 0),
        ([ItemState.CONFLICT, ItemState.SUCCEEDED], 0),
        ([ItemState.FAILED], 1),
        ([ItemState.FAILED, ItemState.SUCCEEDED], 1),
        ([ItemState.CANCELLED], 1),
        ([], 1),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_start_and_wait(states: list[ItemState], code: int, as_json: bool, run: Run, world: World) -> None:
    with workers(world, *states):
        result = run(*START, "--employees", "all", "--wait", *(["--json"] if as_json else []))
    assert result.exit_code == code, result.output
    (view,) = list_runs(world.ctx).items
    if as_json:
        shown = json.loads(result.stdout)
        assert (shown["id"], shown["state"]) == (view.id, view.state.value)
        assert len(shown["items"]) == states.count(ItemState.FAILED)
    else:
        assert view.id in result.stdout and view.word.label in result.stdout


@pytest.mark.parametrize("state", [ItemState.SUCCEEDED, ItemState.FAILED])
def test_retry_and_wait(state: ItemState, run: Run, world: World) -> None:
    failed = add_run(world, ItemState.FAILED)
    with workers(world, state):
        result = run("sync", "retry", failed, "--wait", "--json")
    assert result.exit_code == (1 if state is ItemState.FAILED else 0), result.output
    assert json.loads(result.stdout)["retried_run"] == failed


def test_approve_and_wait(run: Run, world: World) -> None:
    preview = add_run(world, ItemState.UNCHANGED, ItemState.WAITING, state=RunState.PREVIEWED)
    with world.ctx.unit_of_work() as uow:
        row = uow.runs.get_by_public_id(preview)
        assert row
    original = world.ctx.unit_of_work
    done: list[int] = []

    def end_it() -> Any:
        """The workers end the waiting item as soon as the run has been approved."""
        unit = original()
        with original() as uow:
            found = uow.runs.get_by_public_id(preview)
            if found and found.state is RunState.RUNNING and not done:
                done.append(uow.items.end_waiting(found.id, state=ItemState.FAILED, error_code="E1", now=NOW))
        if done == [1]:
            done.append(0)
            close(world, preview)
        return unit

    object.__setattr__(world.ctx, "unit_of_work", end_it)
    result = run("sync", "approve", preview, "--wait")
    assert result.exit_code == 1, result.output
    assert "【0002】" in result.stdout and "選択していない従業員: 1件" in result.stdout


def test_a_run_that_somebody_else_cancels_ends_the_waiting(run: Run, world: World) -> None:
    preview = add_run(world, ItemState.WAITING, state=RunState.PREVIEWED)
    approve_retry_cancel.cancel(world.ctx, preview, by="cli")
    shown = run("sync", "show", preview, "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["state"]) == (0, "cancelled")


def test_ctrl_c_ends_the_waiting_and_not_the_run(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    result = run(*START, "--employees", "all", "--wait")
    (view,) = list_runs(world.ctx).items
    assert (result.exit_code, view.state) == (130, RunState.WAITING)
    assert f"flask sync show {view.id}" in result.stderr


# ── --json: what the API answers, and nothing else on standard output ─────────────────────────────────────────────


def test_json_of_show_is_what_the_api_answers(
    run: Run, world: World, client: FlaskClient, bearer: Callable[..., dict[str, str]]
) -> None:
    run_id = add_run(world, ItemState.SUCCEEDED, ItemState.FAILED, changes=[NAME_CHANGE, ACCOUNT_CHANGE])
    shown = json.loads(run("sync", "show", run_id, "--json", "--items").stdout)
    headers = bearer()
    items = shown.pop("items")
    assert shown == client.get(f"/api/v1/runs/{run_id}", headers=headers).json
    assert items == client.get(f"/api/v1/runs/{run_id}/items", headers=headers).json["items"]
    assert "7654321" not in str(items)


@pytest.mark.parametrize(
    ("command", "path"), [(["queue", "status"], "/api/v1/queue"), (["connection", "list"], "/api/v1/connections")]
)
def test_json_of_the_operators_is_what_the_api_answers(
    command: list[str], path: str, run: Run, client: FlaskClient, bearer: Callable[..., dict[str, str]]
) -> None:
    result = run(*command, "--json")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert json.loads(result.stdout) == client.get(path, headers=bearer()).json


@pytest.mark.parametrize("command", [["sync", "start"], ["sync", "approve"], ["sync", "retry"]])
def test_json_without_waiting_is_one_document(command: list[str], run: Run, world: World) -> None:
    states = {"approve": ([ItemState.WAITING], RunState.PREVIEWED), "retry": ([ItemState.FAILED], RunState.RUNNING)}
    if command[1] == "start":
        result = run(*START, "--employees", "0001", "--json")
    else:
        made, state = states[command[1]]
        result = run(*command, add_run(world, *made, state=state), "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert get_run(world.ctx, shown["id"]).state.value == shown["state"]
    assert shown["items"] == []


# ── refusals of the other commands ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["queue", "pause", "--connection", "nobody"], "登録されていません"),
        (["queue", "resume", "--connection", "nobody"], "登録されていません"),
        (["queue", "pause"], "--connection"),
        (["connection", "check", "nobody"], "登録されていません"),
        (["key", "revoke", "000000000000"], "ありません"),
        (["key", "add", "--name", "x", "--scope", "everything"], "everything"),
        (["key", "add", "--name", " ", "--scope", "runs:read"], "キーの名前"),
        (["key", "add", "--name", "x"], "--scope"),
        (["sync", "start"], "--connection"),
        (["sync", "nonsense"], "nonsense"),
        (["sync", "show"], "RUN_ID"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(arguments: list[str], told: str, run: Run) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_one_reason_is_told_once(run: Run) -> None:
    result = run(*START, "--employees", "9999")
    assert result.exit_code == 2
    assert result.stderr.count("9999") == 1


def test_several_reasons_are_told_one_by_one(run: Run) -> None:
    arguments = ["connection", "add", "--name", " ", "--smarthr-subdomain", "大文字", "--freee-company-id", "0"]
    result = run(*arguments, env={"AWASE_SMARTHR_TOKEN": "t"})
    assert result.exit_code == 2
    assert {"name", "smarthr_subdomain", "freee_company_id"} <= set(
        re.findall(r"^  (\w+):", result.stderr, re.MULTILINE)
    )


# ── secrets: from standard input or the environment, never shown ──────────────────────────────────────────────────


@pytest.mark.parametrize("way", ["stdin", "environment"])
def test_secrets_are_kept_encrypted_and_never_shown(way: str, run: Run, world: World) -> None:
    given = {"input": "\n".join(SECRETS.values()) + "\n"} if way == "stdin" else {"env": SECRETS}
    result = run(*ADD, "--key", "kakuu", "--with-freee-tokens", **given)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == ["kakuu"]
    assert not any(secret in result.output for secret in SECRETS.values())
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key("kakuu")
        assert connection
        tokens = uow.connections.freee_tokens(connection.id)
        assert tokens
        kept = [uow.connections.smarthr_token(connection.id), tokens.access_token, tokens.refresh_token]
    assert kept == list(SECRETS.values())
    stored = b"".join(path.read_bytes() for path in world.ctx.settings.data_dir.glob("awase.db*"))
    assert not any(secret.encode() in stored for secret in SECRETS.values())


def test_a_missing_line_of_standard_input_stores_nothing(run: Run, world: World) -> None:
    result = run(*ADD, "--key", "kakuu", "--with-freee-tokens", input="only-one-token\n")
    assert result.exit_code == 2
    assert "AWASE_FREEE_ACCESS_TOKEN" in result.stderr and "only-one-token" not in result.output
    with world.ctx.unit_of_work() as uow:
        assert uow.connections.get_by_key("kakuu") is None


def test_no_command_takes_a_secret_as_an_argument(app: Flask) -> None:
    """Arguments are seen in the list of processes and kept by the shell."""
    options = [
        option
        for group in app.cli.commands.values()
        for command in getattr(group, "commands", {}).values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    ]
    assert len(options) > 20
    taken = [option for option in options if re.search(r"token|password|secret", option)]
    assert taken == ["--with-freee-tokens"]  # a switch: they come from elsewhere
