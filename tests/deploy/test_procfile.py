"""`honcho start` as the deployment page prints it: everything starts from a copied `.env`, and goes on."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.deploy.installed import KINDS, ROOT, await_that, clean_environment, flask, install, is_ready, living
from tests.ports import free_port

pytestmark = pytest.mark.processes


@pytest.fixture
def honcho() -> list[str]:
    if importlib.util.find_spec("honcho") is None:
        missing("honcho is not installed (requirements-dev.txt)")
    return [sys.executable, "-m", "honcho"]


def printed(start: str) -> str:
    """The command that the page prints, by its beginning."""
    page = (ROOT / "docs" / "deploy" / "README.md").read_text(encoding="utf-8")
    (found,) = set(re.findall(rf"^({re.escape(start)}[^#\n]*?)\s*(?:#.*)?$", page, flags=re.MULTILINE))
    return str(found)


def test_all_of_awase_starts_on_one_machine_and_goes_on(tmp_path: Path, honcho: list[str]) -> None:
    port = free_port()
    folder = install(tmp_path / "awase", PORT=str(port), BASE_URL=f"http://127.0.0.1:{port}", WORKERS_BULK="1")
    assert flask(folder, "db", "upgrade").returncode == 0
    command = [*honcho, *printed("honcho -d").split()[1:]]
    with (tmp_path / "log").open("wb") as log:
        started = subprocess.Popen(command, cwd=folder, env=clean_environment(), stdout=log, stderr=log)
        try:
            await_that(lambda: is_ready(port), alive=lambda: started.poll() is None)
            await_that(lambda: living(folder / "var" / "awase.db") >= KINDS, alive=lambda: started.poll() is None)
        finally:
            started.send_signal(signal.SIGTERM)
            started.wait(60)
    told = (tmp_path / "log").read_text(encoding="utf-8")
    assert "Traceback" not in told
    assert set(re.findall(r"\| (\w+)\.1 stopped", told)) == {*KINDS, "broker"}, told
    assert "stopped" not in told.partition("SIGTERM received")[0], told


@pytest.mark.reach("all")
def test_refused_settings_end_it_with_sentences(tmp_path: Path, honcho: list[str]) -> None:
    folder = install(tmp_path / "awase", SECRET_KEY="short")
    done = subprocess.run([*honcho, "start"], cwd=folder, env=clean_environment(), capture_output=True, text=True)
    assert done.returncode != 0
    assert "SECRET_KEY を設定してください" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
