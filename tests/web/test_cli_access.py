"""flask user, key, secrets, db, queue and connection."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.fernet import InvalidToken
from flask import Flask
from sqlalchemy import inspect, text

from app.domain.access.roles import Role
from app.domain.enums import System
from app.domain.errors import Refused, RunError
from app.domain.runs.run_state import ItemState
from app.factory import create_app
from app.storage.vault import Vault, VaultError
from app.use_cases.accounts import api_keys, users
from app.use_cases.accounts.sign_in import sign_in, signed_in_by
from app.use_cases.context import Context
from tests.storage.databases import everything_stored
from tests.web.made import ACCOUNT_CHANGE, NAME_CHANGE, add_run
from tests.web.world import KEY, NOW, World, with_keys

Run = Callable[..., Result]
ADD = ["connection", "add", "--name", "新会社", "--smarthr-subdomain", "awase-new", "--freee-company-id", "7"]
SETTINGS = ["--working-hours-system-name", "標準", "--pay-schedule-name", "月末締め"]
SETTINGS += ["--pay-type", "月給", "--base-pay", "200000"]


def runner(app: Flask) -> Run:
    def call(*arguments: str, **more: object) -> Result:
        return app.test_cli_runner().invoke(args=list(arguments), **more)

    return call


@pytest.fixture
def run(app: Flask) -> Run:
    return runner(app)


# ── the first administrator, and users from the side of operations ───────────────────────────────────────────────────


def can_sign_in(world: World, login: str, password: str) -> bool:
    try:
        sign_in(world.ctx, login, password)
    except Refused:
        return False
    return True


def test_the_first_administrator_is_made_once_and_the_password_told_once(run: Run, world: World) -> None:
    hint = run("db", "upgrade")
    assert "flask user first" in hint.stderr
    made = run("user", "first")
    assert made.exit_code == 0
    password = made.stdout.split("パスワード: ")[1].strip()
    assert "ログイン名: admin" in made.stdout and "二度と表示されません" in made.stderr
    assert can_sign_in(world, "admin", password)
    assert [(view.login, view.role) for view in users.list_users(world.ctx)] == [("admin", Role.ADMIN)]
    again = run("user", "first", "another")
    assert again.exit_code == 0 and "reset-password admin" in again.stdout and password not in again.output
    assert len(users.list_users(world.ctx)) == 1
    assert "flask user first" not in run("db", "upgrade").output
    assert password.encode() not in everything_stored(world.ctx.settings)


def test_the_first_administrator_for_programs(run: Run, world: World) -> None:
    assert run("user", "first", "no login").exit_code == 2
    first, second = (json.loads(run("user", "first", "--json", "kanri@example.invalid").stdout) for _ in range(2))
    assert can_sign_in(world, first["login"], first["password"])
    assert second == {"login": "kanri@example.invalid", "password": None}


def test_every_generated_password_is_another_and_only_the_last_one_works(run: Run, world: World) -> None:
    run("user", "first")
    told = [run("user", "reset-password", "admin").stdout.split()[-1] for _ in range(3)]
    assert len(set(told)) == 3
    assert [can_sign_in(world, "admin", password) for password in told] == [False, False, True]


def test_users_are_changed_from_the_command_line(run: Run, world: World) -> None:
    run("user", "first")
    assert run("user", "add", "hana", "--role", "viewer", env={"AWASE_PASSWORD": "an-invented-password"}).exit_code == 0
    token = sign_in(world.ctx, "hana", "an-invented-password")
    assert run("user", "set-role", "hana", "ops").exit_code == 0
    assert signed_in_by(world.ctx, token) is None
    assert json.loads(run("user", "list", "--json").stdout)["items"][1]["role"] == "ops"
    run("user", "disable", "hana")
    assert "hana  運用  無効" in run("user", "list").stdout
    assert not can_sign_in(world, "hana", "an-invented-password")
    run("user", "enable", "hana")
    assert can_sign_in(world, "hana", "an-invented-password")
    told = run("user", "reset-password", "hana").stdout.split("パスワード: ")[1].strip()
    assert can_sign_in(world, "hana", told) and not can_sign_in(world, "hana", "an-invented-password")


@pytest.mark.parametrize("command", [["disable", "admin"], ["set-role", "admin", "member"]])
def test_the_last_administrator_stays_on_the_command_line_too(command: list[str], run: Run) -> None:
    run("user", "first")
    result = run("user", *command)
    assert result.exit_code == 2 and "最後の管理者です" in result.stderr


@pytest.mark.parametrize("command", [["disable"], ["enable"], ["reset-password"]])
def test_a_login_that_nobody_has(command: list[str], run: Run) -> None:
    assert run("user", *command, "nobody").exit_code == 2


# ── keys and users ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_alone_goes_to_standard_output_and_opens(run: Run, world: World) -> None:
    result = run("key", "add", "--name", "人事", "--scope", "runs:read", "--scope", "ops:read")
    assert result.exit_code == 0
    view = api_keys.verify_key(world.ctx, result.stdout.strip())
    assert view and view.scopes == {"runs:read", "ops:read"}
    assert "二度と表示されません" in result.stderr


def test_keys_are_listed_without_their_secret_and_revoked(run: Run, world: World) -> None:
    token = run("key", "add", "--name", "人事", "--scope", "runs:read").stdout.strip()
    _, prefix, secret = token.split("_")
    listed = run("key", "list").stdout
    assert prefix in listed and "人事" in listed and "有効" in listed and "未使用" in listed
    assert secret not in listed
    assert run("key", "revoke", prefix).exit_code == 0
    assert api_keys.verify_key(world.ctx, token) is None
    assert "無効(2026-11-22)" in run("key", "list").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["add", "--name", "人事"],
        ["add", "--name", "人事", "--scope", "all"],
        ["revoke", "0" * 12],
        ["add", "--name", " "],
    ],
)
def test_wrong_calls_of_key(arguments: list[str], run: Run) -> None:
    assert run("key", *arguments).exit_code == 2


def test_a_user_with_the_password_from_standard_input(run: Run, world: World) -> None:
    result = run("user", "add", "hr", "--role", "admin", input="correct horse battery\n")
    assert result.exit_code == 0
    assert "correct horse" not in result.output
    with world.ctx.unit_of_work() as uow:
        row = uow.users.by_login("hr")
    assert row and row.role == "admin"
    again = run("user", "add", "hr", input="correct horse battery\n")
    assert again.exit_code == 2 and "すでに" in again.stderr


def test_a_user_with_the_password_from_the_environment(run: Run, world: World) -> None:
    assert run("user", "add", "hr", env={"AWASE_PASSWORD": "correct horse battery"}).exit_code == 0
    with world.ctx.unit_of_work() as uow:
        assert uow.users.by_login("hr")


@pytest.mark.parametrize("password", ["", "short"])
def test_a_password_that_is_none(password: str, run: Run) -> None:
    result = run("user", "add", "hr", input=f"{password}\n")
    assert result.exit_code == 2
    assert "パスワード" in result.stderr


# ── secrets ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _sealed(world: World) -> list[str | bytes]:
    """Everything encrypted, straight from the tables."""
    values: list[str | bytes] = []
    with world.database.engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            columns = [column["name"] for column in inspect(connection).get_columns(table)]
            for column in (name for name in columns if name.endswith("_enc")):
                values += connection.scalars(text(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"))
    return values


def test_after_a_rotation_the_old_key_opens_nothing_and_the_new_one_everything(world: World) -> None:
    run_id = add_run(world, *[ItemState.FAILED] * 250, changes=[NAME_CHANGE, ACCOUNT_CHANGE])
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        stored = uow.runs.get_by_public_id(run_id)
        assert connection and stored
        uow.survey_pages.add(stored.id, System.SMARTHR, seq=0, rows=[{"id": "x"}], next_cursor=None)
        uow.audit.add(action="queue_requeued", subject="queue", now=NOW)  # with the first one, the key of the seals
    old, new = world.ctx.settings.encryption_keys[0], "a-brand-new-encryption-key"
    both = with_keys(world.ctx, new, old)
    rotated = runner(create_app(both))("secrets", "rotate")
    assert rotated.exit_code == 0, rotated.output
    sealed = _sealed(world)
    assert len(sealed) > 1000
    assert f"{len(sealed)}件" in rotated.stdout
    only_new, only_old = Vault([new]), Vault([old])
    for value in sealed:
        token = value if isinstance(value, bytes) else value.encode()
        only_new.decrypt_bytes(token)
        with pytest.raises((VaultError, InvalidToken)):
            only_old.decrypt_bytes(token)
    with both.unit_of_work() as uow:
        assert uow.connections.smarthr_token(connection.id) == "an-invented-token"


def test_a_rotation_with_the_wrong_keys_changes_nothing(world: World) -> None:
    before = _sealed(world)
    result = runner(create_app(with_keys(world.ctx, "some-other-encryption-key")))("secrets", "rotate")
    assert result.exit_code == 2
    assert "ENCRYPTION_KEYS" in result.output
    assert _sealed(world) == before


# ── database ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_commands_say_what_to_do_before_the_migration(unmigrated: World) -> None:
    run = runner(create_app(unmigrated.ctx))
    result = run("key", "list")
    assert result.exit_code == 1
    assert "flask db upgrade" in result.stderr
    assert run("db", "upgrade").exit_code == 0
    assert run("key", "list").exit_code == 0


def test_a_database_of_a_newer_version_is_used_as_it_is(run: Run, world: World) -> None:
    """A host that still has the version before starts while others are replaced: its migration has nothing to do."""
    with world.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    result = run("db", "upgrade")
    assert (result.exit_code, result.stdout.count("新しいバージョン")) == (0, 1)
    assert run("key", "list").exit_code == 0
    with world.database.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


def test_commands_say_when_there_is_no_database(without_database: Context) -> None:
    result = runner(create_app(without_database))("key", "list")
    assert result.exit_code == 1
    assert "データベースに接続できません" in result.stderr


# ── queue and connections ─────────────────────────────────────────────────────────────────────────────────────────


def test_queue_status(run: Run, world: World) -> None:
    add_run(world, ItemState.WAITING)
    result = run("queue", "status")
    assert result.exit_code == 0
    assert "interactive: 待ち3 実行中1 失敗0 ワーカー2 最も古い待ち12秒" in result.stdout
    assert "終わっていない実行1件" in result.stdout and KEY in result.stdout
    assert json.loads(run("queue", "status", "--json").stdout)["runs_open"] == 1


def test_queue_status_without_the_broker(run: Run, world: World) -> None:
    world.broker.away = True
    result = run("queue", "status")
    assert result.exit_code == 0
    assert "接続できません" in result.stdout


def test_pause_resume_requeue(run: Run) -> None:
    assert run("queue", "pause", "--connection", KEY).exit_code == 0
    assert "一時停止中" in run("connection", "list").stdout
    assert run("queue", "resume", "--connection", KEY).exit_code == 0
    assert "有効" in run("connection", "list").stdout
    assert run("queue", "requeue").exit_code == 0
    assert run("queue", "pause", "--connection", "nobody").exit_code == 2


def test_a_connection_with_all_tokens_from_standard_input(run: Run, world: World) -> None:
    secrets = "token-one\naccess-two\nrefresh-three\n"
    to = ("--mail-to", "hr@example.invalid", "--mail-to-english", "en@example.invalid")
    result = run(*ADD, *SETTINGS, *to, "--with-freee-tokens", input=secrets)
    assert result.exit_code == 0, result.output
    key = result.stdout.strip()
    assert len(key) >= 16, "a key nobody can guess"
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(key)
        assert connection and connection.export_settings
        assert (connection.name, connection.mail_to) == ("新会社", ("hr@example.invalid", "en@example.invalid"))
        assert [each.language.value for each in connection.recipients] == ["ja", "en"]
        assert uow.connections.smarthr_token(connection.id) == "token-one"
        tokens = uow.connections.freee_tokens(connection.id)
    assert tokens and (tokens.access_token, tokens.refresh_token) == ("access-two", "refresh-three")
    for secret in secrets.split():
        assert secret not in result.output


def test_a_connection_with_the_token_from_the_environment_waits_for_the_consent(run: Run, world: World) -> None:
    result = run(*ADD, "--key", "chosen", env={"AWASE_SMARTHR_TOKEN": "token-one"})
    assert (result.exit_code, result.stdout.strip()) == (0, "chosen")
    assert "freee の認可が必要" in result.stderr and "エクスポート設定が未完了" in result.stderr
    again = run(*ADD, "--key", "chosen", env={"AWASE_SMARTHR_TOKEN": "token-one"})
    assert again.exit_code == 2


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--mail-to", "nobody"], "mail_to"),
        (["--base-pay", "-1"], "base_pay"),
        (["--freee-company-id", "x"], "freee-company-id"),
        (["--smarthr-subdomain", "a.evil.example/"], "smarthr_subdomain"),
    ],
)
def test_a_connection_that_is_refused(more: list[str], told: str, run: Run) -> None:
    result = run(*ADD, *SETTINGS, *more, input="token-one\n")
    assert result.exit_code == 2
    assert told in result.stderr


def test_a_connection_without_a_token(run: Run) -> None:
    result = run(*ADD, input="")
    assert result.exit_code == 2
    assert "AWASE_SMARTHR_TOKEN" in result.stderr


def test_connections_are_listed(run: Run, world: World) -> None:
    assert json.loads(run("connection", "list", "--json").stdout)["items"][0]["key"] == KEY
    assert "an-invented" not in run("connection", "list").output


def test_check_asks_both_sides(run: Run, world: World) -> None:
    good = run("connection", "check", KEY)
    assert (good.exit_code, good.stdout.count("読めます")) == (0, 2)
    world.companies[System.FREEE].error = RunError("E18", "no")
    bad = run("connection", "check", KEY)
    assert bad.exit_code == 1
    assert "SmartHR: 読めます" in bad.stdout and "freee人事労務: " in bad.stdout
    assert bad.stdout.count("読めます") == 1
    assert run("connection", "check", "nobody").exit_code == 2


def test_the_commands_of_the_design_are_there(app: Flask) -> None:
    expected = {
        "sync": {"start", "show", "approve", "approve-alone", "retry", "cancel", "undo"},
        "queue": {"status", "requeue", "pause", "resume"},
        "connection": {"list", "add", "check", "authorise", "show", "set-export-settings", "set-smarthr-token"}
        | {"register-webhook", "rotate-webhook-secret", "remove-webhook", "set-automatic", "merge", "remove"}
        | {"cleared", "look-now", "set-two-persons"},
        "delivery": {"list", "show", "replay"},
        "trouble": {"list", "lift"},
        "user": {"first", "add", "list", "set-role", "disable", "enable", "reset-password"},
        "key": {"add", "revoke", "list"},
        "secrets": {"rotate", "status", "forget"},
        "db": {"upgrade"},
    }
    for group, commands in expected.items():
        found = app.cli.commands[group]
        assert set(found.commands) == commands  # type: ignore[attr-defined]
        assert found.help
        assert all(command.help for command in found.commands.values())  # type: ignore[attr-defined]


@pytest.mark.processes
def test_flask_finds_the_commands_through_wsgi(tmp_path: Path) -> None:
    import subprocess
    import sys

    env = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(tmp_path),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": secrets.token_urlsafe(48),
        "LANG": "C.UTF-8",
    }
    root = Path(__file__).parents[2]

    def flask(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flask", *arguments]
        return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert flask("db", "upgrade").returncode == 0
    added = flask("key", "add", "--name", "人事", "--scope", "runs:read")
    assert added.returncode == 0, added.stderr
    assert added.stdout.startswith("awase_")
