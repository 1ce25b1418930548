"""The systemd units: systemd finds nothing wrong, they give little away, and their commands do what they say."""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.deploy import units
from tests.deploy.installed import KINDS, ROOT, await_that, clean_environment, install, is_ready, living
from tests.deploy.units import UNITS, Manager, read_unit, unit_names
from tests.ports import free_port

EXPOSURE = 20
"""Tenths of the points that systemd gives: 0 is locked up, 100 is open."""
SERVICES = [name for name in unit_names() if name.endswith(".service")]


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    folder = install(tmp_path / "opt")
    (folder / ".env").unlink()
    units.link_interpreter(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, installation: Path) -> Path:
    return units.copied(tmp_path / "system", installation)


def analyzed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze is not installed (apt-get install systemd)")
    env = clean_environment(SYSTEMD_UNIT_PATH=f"{folder}:")
    return subprocess.run(["systemd-analyze", *words], env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.few(2)
@pytest.mark.processes
@pytest.mark.parametrize("name", unit_names())
def test_systemd_finds_nothing_wrong(folder: Path, name: str) -> None:
    done = analyzed(folder, "verify", "--man=no", name)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.few(2)
@pytest.mark.processes
@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_gives_little_away(folder: Path, name: str) -> None:
    done = analyzed(folder, "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", name)
    assert done.returncode == 0, done.stdout
    assert re.search(r"exposure level for \S+: \d", done.stdout + done.stderr)


def test_the_units_start_what_the_procfile_names() -> None:
    """And nothing else but the migration and the broker; the target wants each of them."""
    started = {" ".join(read_unit(UNITS, name).command[1:]).replace("-m ", "python -m ", 1) for name in SERVICES}
    procfile = {line.partition(": ")[2] for line in (ROOT / "Procfile").read_text("utf-8").splitlines()}
    assert started == {*procfile, "python -m workers.broker", "db upgrade"}
    wanted = re.search(r"^Wants=(.*)$", (UNITS / "awase.target").read_text("utf-8"), flags=re.MULTILINE)
    assert wanted is not None
    assert set(wanted[1].split()) == {*SERVICES} - {"awase-broker.service", "awase-migrate.service"}


def test_all_that_stay_come_back_and_wait_for_the_migration() -> None:
    for name in {*SERVICES} - {"awase-migrate.service", "awase-broker.service"}:
        unit = read_unit(UNITS, name)
        assert unit.settings["Restart"] == ["always"]
        assert unit.settings["StartLimitIntervalSec"] == ["0"]
        assert unit.settings["Requires"] == ["awase-migrate.service"]
        assert "awase-migrate.service" in unit.settings["After"][0].split()
        assert float(unit.settings["WatchdogSec"][0]) >= 60


@pytest.mark.reach("all")
@pytest.mark.processes
def test_their_commands_make_one_service(folder: Path, tmp_path: Path) -> None:
    """Migration and broker, then everything at once: ready, alive to systemd, and ended in order."""
    port = free_port()
    around = units.variables((UNITS / "awase.env.example").read_text(encoding="utf-8"))
    around |= {"BASE_URL": f"http://127.0.0.1:{port}", "PORT": str(port), "WORKERS_BULK": "1"}
    keys = {name: secrets.token_urlsafe(48) for name in ("secret_key", "encryption_keys")}
    (tmp_path / "state").mkdir(mode=0o700)
    manager = Manager(tmp_path, around, keys)
    migrated = manager.run(read_unit(folder, "awase-migrate.service"))
    assert migrated.returncode == 0, migrated.stderr
    with ExitStack() as running:
        for name in ("awase-broker.service", *sorted({*SERVICES} - {"awase-broker.service", "awase-migrate.service"})):
            running.enter_context(manager.started(read_unit(folder, name)))
        await_that(lambda: is_ready(port))
        await_that(lambda: living(tmp_path / "state" / "awase.db") >= KINDS)
    for name in SERVICES:
        if name != "awase-migrate.service":
            assert "Traceback" not in manager.log_of(read_unit(folder, name))


SYSTEMD_RUN = """#!/bin/sh
# In place of systemd-run: what it is asked for, one a line, then the command in the environment it asks for.
printf '%s\\n' "$@" >"$ASKED"
while [ "${1#--}" != "$1" ]; do
    case "$1" in --setenv=*=*) export "${1#--setenv=}" ;; esac
    shift
done
exec env PATH="$PATH" "$@"
"""


@pytest.mark.processes
def test_commands_get_what_the_services_get(tmp_path: Path, installation: Path) -> None:
    """`awase …` asks systemd for the same user, folder, settings and credentials as the units have."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "systemd-run").write_text(SYSTEMD_RUN, encoding="utf-8")
    (tmp_path / "bin" / "systemd-run").chmod(0o755)
    script = tmp_path / "bin" / "awase"
    script.write_text((UNITS / "awase").read_text("utf-8").replace("/opt/awase", str(installation)), encoding="utf-8")
    around = clean_environment(ASKED=str(tmp_path / "asked"), AWASE_PASSWORD="an-invented-password")
    around["PATH"] = f"{tmp_path / 'bin'}:{around['PATH']}"
    done = subprocess.run(["sh", str(script), "version"], cwd=installation, env=around, capture_output=True, text=True)
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout), done.stderr
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert "--setenv=AWASE_PASSWORD" in asked
    assert "an-invented-password" not in " ".join(asked)
    unit = read_unit(UNITS, "awase-web.service")
    for key in ("User", "Group", "EnvironmentFile", "LoadCredential", "StateDirectory", "StateDirectoryMode", "UMask"):
        assert f"--property={key}={unit.settings[key][0]}" in asked
    assert {f"--setenv={name}={value}" for name, value in unit.environment().items()} <= {*asked}
