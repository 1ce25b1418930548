"""Backups: made while somebody writes, whole or not there, for their owner only, and proved by restoring them."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import make_url, text

from app.use_cases.accounts.api_keys import add_key
from app.use_cases.context import Context
from tests.storage.schema_walk import REVISIONS
from tests.web.world import World, locked

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    return lambda *arguments: app.test_cli_runner().invoke(args=["backup", *map(str, arguments)])


def databases(ctx: Context) -> set[str]:
    """The databases of the server, where there is one."""
    with ctx.unit_of_work().reading() as uow:
        rows = uow.houses._session.execute(text("SELECT datname FROM pg_database"))
        return {name for (name,) in rows}


@pytest.mark.usefixtures("world")
def test_a_backup_is_made_and_proved(world: World, run: Run, tmp_path: Path) -> None:
    for number in range(3):
        add_key(world.ctx, f"key {number}", ["runs:read"])
    file = tmp_path / "awase.backup"
    with locked(world.ctx.settings) if is_sqlite(world) else closing(Nobody()):
        made = run("create", file)
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if "backup" in each.name] == ["awase.backup"]
    before = set() if is_sqlite(world) else databases(world.ctx)
    checked = run("check", file)
    assert checked.exit_code == 0, checked.output
    assert "api_keys  3行" in checked.stdout and f"表の版 {REVISIONS[-1]}" in checked.stdout
    assert "操作記録 3件、誤りはありません" in checked.stdout
    assert (set() if is_sqlite(world) else databases(world.ctx)) == before, "the scratch database is gone"
    assert not list(world.ctx.settings.data_dir.glob("check-*"))


class Nobody:
    def close(self) -> None: ...


def is_sqlite(world: World) -> bool:
    return make_url(world.ctx.settings.database_url).get_backend_name() == "sqlite"


def test_nothing_is_replaced_and_faults_are_sentences(world: World, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.write_text("mine")
    for arguments, said in (
        (("create", file), "すでにあります"),
        (("create", tmp_path / "nowhere" / "file"), "フォルダがありません"),
        (("check", tmp_path / "missing"), "ファイルを読めません"),
        (("check", file), "バックアップではありません"),
    ):
        refused = run(*arguments)
        assert (refused.exit_code, said in refused.stderr) == (2, True), (arguments, refused.output)
        assert "Traceback" not in refused.output
    assert file.read_text() == "mine"


@pytest.mark.database("postgresql")
def test_a_missing_tool_and_a_damaged_dump_are_sentences(
    world: World, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "dump"
    assert run("create", file).exit_code == 0
    whole = file.read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    before = databases(world.ctx)
    damaged = run("check", tmp_path / "half")
    assert (damaged.exit_code, "pg_restore" in damaged.stderr) == (2, True), damaged.output
    assert databases(world.ctx) == before
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = run("create", tmp_path / "other")
    assert (missing.exit_code, "クライアント" in missing.stderr) == (2, True)
    assert not (tmp_path / "other").exists()


@pytest.mark.database("sqlite")
def test_a_backup_that_was_changed_is_told(world: World, run: Run, tmp_path: Path) -> None:
    add_key(world.ctx, "a key", ["runs:read"])
    file, half = tmp_path / "changed", tmp_path / "half"
    assert run("create", file).exit_code == 0
    half.write_bytes(file.read_bytes()[:20_000])
    damaged = run("check", half)
    assert (damaged.exit_code, "壊れています" in damaged.stderr) == (2, True), damaged.output
    with closing(sqlite3.connect(file)) as opened:
        for (trigger,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            opened.execute(f'DROP TRIGGER "{trigger}"')
        opened.execute("UPDATE audit SET action = 'key_revoked'")
        opened.commit()
    changed = run("check", file)
    assert (changed.exit_code, "誤りがあります" in changed.stdout) == (1, True), changed.output
