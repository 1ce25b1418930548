"""The audit trail as a file, on the screen and on the command line, and the script with which anybody can check it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app.domain.access.roles import Role
from app.logs import configure_logging
from app.use_cases.monitoring.audit_check import check_audit
from app.use_cases.queries.audit_export import COLUMNS, Format, begin_export, lines_of
from app.use_cases.upkeep.audit_keeping import keep_audit
from tests.web.test_audit_chain import behind_our_back
from tests.web.visitor import Visitor
from tests.web.world import NOW, World

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "tools" / "verify_audit.py"
Visit = Callable[..., Visitor]
Lines = list[str]


def add(world: World, count: int, **told: Any) -> None:
    with world.ctx.unit_of_work() as uow:
        for n in range(count):
            detail = {"n": n, "names": ["漢字", '"q", \'', None, True], "changes": {"a": [None, 1]}}
            given = {"actor": "cli", "action": "run_started", "subject": f"=run:{n}", "detail": detail}
            uow.audit.add(now=world.clock.now(), **{**given, **told})


def exported(world: World, form: Format) -> bytes:
    today = world.clock.now().date()
    export = begin_export(world.ctx, today, today, form)
    return b"".join(lines_of(world.ctx, export, form, lambda action: f"=words {action}"))


def verified(folder: Path, content: str, form: Format, *more: str) -> tuple[int, str]:
    file = folder / f"export.{form.value}"
    file.write_text(content, encoding="utf-8", newline="")
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(file), *more], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_script_is_short_and_needs_nothing_of_ours() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 30
    imported = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names


def parts(content: str, form: Format) -> tuple[str, list[str]]:
    """What stands before the lines, and the lines: that which begins, the entries, that which ends."""
    lines = content.splitlines(keepends=True)
    return (lines[0], lines[1:]) if form is Format.CSV else ("", lines)


FORGERIES: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "untouched": (lambda lines: lines, "whole"),
    "changed": (lambda lines: [*lines[:3], lines[3].replace("cli", "user:9"), *lines[4:]], "entry 3: changed"),
    "in its details": (lambda lines: [*lines[:2], lines[2].replace("漢字", "感じ"), *lines[3:]], "entry 2: changed"),
    "removed": (lambda lines: [*lines[:2], *lines[3:]], "entry 3: changed"),
    "the first one": (lambda lines: [lines[0], *lines[2:]], "entry 2: changed"),
    "twice": (lambda lines: [*lines[:3], lines[2], *lines[3:]], "entry 2: changed"),
    "in another order": (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "entry 3: changed"),
    "tail cut": (lambda lines: lines[:-1], "what follows is cut off"),
    "entries of the tail cut": (lambda lines: [*lines[:-3], lines[-1]], "entry 6: changed"),
    "beginning cut": (lambda lines: lines[1:], "entry 1: changed"),
    "an end in the middle": (lambda lines: [*lines[:3], lines[-1], *lines[3:]], "entry 6: changed"),
    "empty": (lambda lines: [], "cut off"),
}


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("form", list(Format), ids=str)
def test_whatever_is_done_to_a_file_is_named(form: Format, world: World, tmp_path: Path) -> None:
    add(world, 5)
    before, lines = parts(exported(world, form).decode(), form)
    assert len(lines) == 8, "the beginning, five entries, the export itself, the end"
    for name, (forge, told) in FORGERIES.items():
        code, output = verified(tmp_path, before + "".join(forge(list(lines))), form)
        assert told in output and (code == 0) == (name == "untouched"), (name, output)


@pytest.mark.database("sqlite")
def test_a_head_noted_elsewhere_shows_that_the_end_was_made_anew(world: World, tmp_path: Path) -> None:
    add(world, 3)
    whole = exported(world, Format.JSONL).decode().splitlines(keepends=True)
    end = json.loads(whole[-1])
    noted = f"{end['detail']['head']}:{end['detail']['head_digest']}"
    assert verified(tmp_path, "".join(whole), Format.JSONL, noted)[0] == 0
    last = json.loads(whole[-3])
    forged = {**end, "position": last["position"], "digest": last["digest"]}
    cut = "".join([*whole[:-2], json.dumps(forged) + "\n"])
    assert verified(tmp_path, cut, Format.JSONL)[0] == 0
    assert "cut off" in verified(tmp_path, cut, Format.JSONL, noted)[1]
    assert "noted" in verified(tmp_path, "".join(whole), Format.JSONL, f"2:{'0' * 64}")[1]


@pytest.mark.database("sqlite")
def test_a_spreadsheet_takes_no_cell_for_a_formula(world: World) -> None:
    add(world, 1, actor="@SUM(1)", subject="+1")
    text = exported(world, Format.CSV).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == [*COLUMNS, "action_in_words"]
    assert {len(row) for row in rows} == {len(COLUMNS) + 1}
    assert not [cell for row in rows for cell in row if cell.lstrip(" \u3000")[:1] in tuple("=+-@＝＋－＠\t\r\n")]
    assert rows[2][COLUMNS.index("actor")] == "'@SUM(1)" and rows[2][-1] == "'=words run_started"


@pytest.mark.sql
def test_a_period_holds_its_days_in_japan_and_goes_on_from_where_the_one_before_ends(world: World) -> None:
    for _ in range(4):  # 12:00 in Japan, then every 8 hours
        add(world, 1)
        world.clock.turn(hours=8)
    first, second = NOW.date(), world.clock.now().date()
    made = [list(lines(world, day)) for day in (first, second)]
    assert [row["action"] for row in made[0]] == ["export_begins", "run_started", "run_started", "export_ends"]
    assert [row["position"] for row in made[1]][:2] == [2, 3]
    assert made[1][0]["digest"] == made[0][-1]["digest"]


def lines(world: World, day: Any) -> list[dict[str, Any]]:
    export = begin_export(world.ctx, day, day, Format.JSONL)
    content = b"".join(lines_of(world.ctx, export, Format.JSONL, str)).decode()
    return [json.loads(line) for line in content.splitlines()]


def test_a_period_without_an_entry_is_a_file_that_says_so(world: World, tmp_path: Path) -> None:
    add(world, 2)
    world.clock.turn(days=40)
    day = NOW.date().replace(day=1)
    content = b"".join(lines_of(world.ctx, begin_export(world.ctx, day, day, Format.CSV), Format.CSV, str))
    assert content.decode().count("\r\n") == 3
    assert verified(tmp_path, content.decode("utf-8"), Format.CSV) == (0, "whole\n")


# ── on the screen ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.reach("test")
def test_the_page_hands_out_the_file(visit: Visit, world: World, tmp_path: Path) -> None:
    add(world, 3)
    admin = visit(Role.ADMIN)
    admin.open("/audit")
    assert 'href="/audit/export"' in admin.text
    admin.open("/audit/export")
    assert f"{check_audit(world.ctx).head}:" in admin.words
    for form, kind in ((Format.CSV, "text/csv"), (Format.JSONL, "application/jsonl")):
        admin.open("/audit/export")
        answer = admin.send("/audit/export", format=form.value)
        assert (answer.status_code, answer.mimetype) == (200, kind)
        assert f'filename="awase-audit-20261023-20261122.{form.value}"' in answer.headers["Content-Disposition"]
        assert verified(tmp_path, answer.get_data(as_text=True), form) == (0, "whole\n")
    assert "API" not in answer.text and "操作記録を書き出した" in admin.open("/audit")


@pytest.mark.reach("test")
def test_days_the_wrong_way_round_are_told(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    admin.open("/audit/export")
    assert admin.send("/audit/export", since="2026-11-30", until="2026-11-01").status_code == 422
    assert "始まりの日か、それより後" in admin.words and 'value="2026-11-30"' in admin.text
    assert admin.send("/audit/export", since="x").status_code == 422
    assert "日付を入力してください" in admin.words
    assert check_audit(world.ctx).entries == 2, "the user and the sign-in; nothing was exported"


# ── on the command line ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_checks_and_writes_the_file(app: Flask, world: World, tmp_path: Path) -> None:
    def run(*arguments: str) -> Result:
        return app.test_cli_runner().invoke(args=["audit", *arguments])

    add(world, 3)
    whole = run("verify")
    head = whole.stdout.splitlines()[-1].removeprefix("末尾 ")
    assert whole.exit_code == 0 and "3件を確かめました。誤りはありません。" in whole.stdout
    done = run("export", "--from", "2026-11-22", "--to", "2026-11-22", "--format", "csv")
    assert done.exit_code == 0
    assert verified(tmp_path, done.stdout_bytes.decode(), Format.CSV) == (0, "whole\n")
    assert run("verify", "--head", head).exit_code == 0
    assert run("verify", "--head", f"2:{'0' * 64}").exit_code == 1
    assert run("verify", "--head", "x").exit_code == 2
    behind_our_back(world.database.engine, "UPDATE audit SET actor = 'user:9' WHERE position = 2")
    forged = run("verify")
    assert forged.exit_code == 1 and "記録 2: 内容か順序が変えられています" in forged.stdout


def test_entries_that_are_too_old_are_purged_and_the_head_goes_into_the_log(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("INFO")
    add(world, 3)
    world.clock.turn(days=world.ctx.settings.audit_days + 1)
    add(world, 1)
    assert keep_audit(world.ctx) == 3
    assert keep_audit(world.ctx) == 0
    checked = check_audit(world.ctx)
    assert (checked.ok, checked.entries) == (True, 2)
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"audit_head"' in line]
    assert (told[-1]["position"], told[-1]["digest"]) == (checked.head, checked.digest)
