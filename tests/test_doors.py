"""Every way in which a process of ours begins: refused settings are sentences with codes there, never a traceback."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from app.practice.house.processes import procfile
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
ARGUMENTS = {"app.web.serving": ["wsgi:app"], "workers.worker": ["bulk"], "workers.alone": ["send_mail", "1"]}
REHEARSAL = {"app.practice.launch", "app.practice.house.commands", "app.practice.server"}
"""Doors of the practice house, which brings its own settings."""
COMMANDS = [["queue", "status"], ["db", "upgrade"], ["doctor"], ["user", "list"], ["secrets", "status"]]
KEY, LOCK = (f"{name}={secrets.token_urlsafe(48)}\n" for name in ("SECRET_KEY", "ENCRYPTION_KEYS"))
ENV_FILES = {
    "a key, a line and a file are missing": ("SECRET_KEY\nENCRYPTION_KEYS_FILE=/nowhere/keys\n",
                                             {"env_file_malformed", "setting_missing", "secret_file_missing"}),
    "no such folder can be": (f"{KEY}{LOCK}DATA_DIR=/dev/null/x\n",
                              {"data_dir_impossible"}),
}  # fmt: skip


def modules() -> list[str]:
    """Every module of ours that `python -m` starts."""
    found = set()
    for file in (each for folder in ("app", "workers") for each in (ROOT / folder).rglob("*.py")):
        if '__name__ == "__main__"' in file.read_text(encoding="utf-8"):
            found.add(".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__"))
    return sorted(found - REHEARSAL)


def doors() -> list[list[str]]:
    by_module = [["-m", name, *ARGUMENTS.get(name, [])] for name in modules()]
    return [*by_module, *(["-m", "flask", *words] for words in COMMANDS), ["-c", "import wsgi"]]


def begun(folder: Path, words: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    """A door, opened in a folder with a `.env` and nothing else of ours around it."""
    around = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "FLASK_APP": str(ROOT / "wsgi.py"),
    }
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, env={**around, **env}, capture_output=True, text=True, timeout=60)


def test_every_door_is_known() -> None:
    """The Procfile's commands are among them."""
    started = [shlex.split(command)[1:] for command in procfile(ROOT / "Procfile").values() if "python" in command]
    assert len(started) >= 5
    assert all(words in doors() or words[1] == "workers.worker" for words in started)


@pytest.mark.few(2)
@pytest.mark.processes
@pytest.mark.parametrize("words", doors(), ids=" ".join)
def test_refused_settings_are_sentences(tmp_path: Path, words: list[str]) -> None:
    for lines, expected in ENV_FILES.values():
        (tmp_path / ".env").write_text(lines, encoding="utf-8")
        done = begun(tmp_path, words, PORT=str(free_port()))  # the usual one may be taken, which is told first
        told = done.stdout + done.stderr
        assert done.returncode in (1, 2, 3), told
        assert expected <= set(re.findall(r"\[(\w+)\]$", told, flags=re.MULTILINE)), told
        assert "Traceback" not in told


@pytest.mark.processes
def test_what_stands_in_the_env_file_reaches_commands_and_processes(tmp_path: Path) -> None:
    lines = f"{KEY}{LOCK}DATA_DIR={tmp_path / 'kept'}\n"
    (tmp_path / ".env").write_text(lines, encoding="utf-8")
    done = begun(tmp_path, ["-m", "flask", "db", "upgrade"])
    assert (done.returncode, (tmp_path / "kept" / "awase.db").exists()) == (0, True), done.stderr
    checked = begun(tmp_path, ["-m", "workers.broker", "--check"])
    assert checked.stdout.strip().startswith(str(tmp_path / "kept")) or "awase-" in checked.stdout
    skipped = begun(tmp_path, ["-m", "flask", "db", "upgrade"], FLASK_SKIP_DOTENV="1")
    assert "[setting_missing]" in skipped.stderr


@pytest.mark.processes
def test_a_number_of_web_processes_is_one(tmp_path: Path) -> None:
    lines = f"{KEY}{LOCK}WEB_CONCURRENCY=many\n"
    (tmp_path / ".env").write_text(lines, encoding="utf-8")
    done = begun(tmp_path, ["-m", "app.web.serving", "wsgi:app"])
    assert (done.returncode, done.stderr.count("WEB_CONCURRENCY")) == (1, 1)
    assert "[setting_malformed]" in done.stderr
