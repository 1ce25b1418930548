"""The command line of a practice house, and what it is told when the webhook cannot be registered."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.practice import launch
from app.practice.house.banner import banner
from app.practice.house.connecting import (
    first_administrator,
    flask_one_after_the_other,
    hear_of_changes,
    tokens_of,
    write_command,
)
from app.practice.house.environment import Ports, StartError, environment
from app.practice.staff.tenants import tenants

PORTS = Ports(8000, 8011, 8012, 8025, inbox=8014)
TRAPS = "a b $HOME `id` 'q' \"d\" é練習?"


@pytest.mark.processes
def test_the_houses_command_sees_the_house_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / TRAPS
    folder.mkdir()
    env = environment(folder, PORTS, around={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
    write_command(folder, env)
    command = folder / "flask"
    assert stat.S_IMODE(command.stat().st_mode) == 0o700
    outside = {**os.environ, "DATABASE_URL": "postgresql+psycopg://db.example.com/awase", "DATA_DIR": "elsewhere"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(command), *arguments], cwd="/", env=outside, capture_output=True, text=True, timeout=60, check=False
        )

    upgraded = run("db", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    assert (folder / "awase.db").exists()
    listed = run("connection", "list", "--json")
    assert json.loads(listed.stdout)["items"] == []
    assert run("connection", "show", "nobody at all").returncode == 2


@pytest.mark.reach("all")
@pytest.mark.processes
def test_several_commands_share_a_process_and_the_first_that_fails_ends_it(tmp_path: Path) -> None:
    env = environment(tmp_path, PORTS, around={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
    listed, show = ["connection", "list", "--json"], ["connection", "show", "nobody"]
    wanted = [({}, ["db", "upgrade"]), ({}, listed), ({}, ["audit", "verify"]), ({}, listed)]
    upgraded, told, _ended_by_an_exit, once_more = flask_one_after_the_other(env, wanted)
    assert (upgraded, json.loads(told)["items"], once_more) == ("データベースは最新です。\n", [], told)
    secrets = tokens_of(tenants(1)[0])
    with pytest.raises(StartError, match="この接続は登録されていません") as refused:
        flask_one_after_the_other(env, [(secrets, show), ({}, listed)])
    assert not any(token in str(refused.value) for token in secrets.values())


@pytest.mark.reach("all")
@pytest.mark.processes
def test_a_webhook_that_cannot_be_registered_is_told_and_no_reason_to_stop(tmp_path: Path) -> None:
    env = environment(tmp_path, PORTS, around={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
    subprocess.run([sys.executable, "-m", "flask", "db", "upgrade"], env=env, check=True, capture_output=True)
    told = hear_of_changes(env, "nobody")
    assert "Webhook を登録できませんでした" in told and "この接続は登録されていません" in told


def test_the_practice_freee_is_given_its_address_only_when_webhooks_are_wanted() -> None:
    with_them = launch.ground(PORTS, launch.Company(), broker=False, webhooks=True)
    without = launch.ground(PORTS, launch.Company(), broker=False)
    assert without["practice_mailbox"].endswith(" --control 8014")
    assert "--webhook-url %(ENV_BASE_URL)s/webhooks/freee" in with_them["practice_freee"]
    others = [*without.values(), with_them["practice_smarthr"]]
    assert [command for command in others if "--webhook" in command] == []


@pytest.mark.reach("all")
@pytest.mark.processes
def test_the_first_start_tells_the_password_and_every_later_one_how_to_get_another(tmp_path: Path) -> None:
    env = environment(tmp_path, PORTS, around={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
    subprocess.run([sys.executable, "-m", "flask", "db", "upgrade"], env=env, check=True, capture_output=True)
    house = SimpleNamespace(
        folder=tmp_path,
        ports=PORTS,
        env=env,
        connection="x",
        connections=("x", "z"),
        api_key="y",
        notices=(),
        url="http://127.0.0.1:8000",
    )
    first, second = first_administrator(env), first_administrator(env)
    assert first.password is not None and first.password not in repr(first)
    assert f"admin / {first.password}" in banner(house, administrator=first)
    told = banner(house, administrator=second)
    assert f"{tmp_path}/mail (*.eml)\n  メールを読む        http://127.0.0.1:8014/\n" in told
    assert "x\n                      z(?company=2)\n" in told
    assert first.password not in told
    assert f"{tmp_path}/flask user reset-password admin" in told
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert first.password.encode() not in kept, "neither in the database nor in a file beside it"
