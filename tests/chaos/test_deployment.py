"""Programs follow the link of the version in service, and wait where there is none; an older version comes from git."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.deployment import Deployment, checkout_of, running
from tests.chaos.parts import wait_for
from tests.chaos.versions import MIGRATIONS, ROOT, older_checkout

PROGRAM = f"{sys.executable} -m workers.relay"
# The command comes in the environment: a child that is not yet the shell has the supervisor's own command line.
SUPERVISOR = """
import json, os, subprocess
while True:
    subprocess.run(json.loads(os.environ["COMMAND"]), check=False)
"""


def checkout(folder: Path, name: str) -> Path:
    """A version whose relay does nothing but be there."""
    made = folder / name
    (made / "workers").mkdir(parents=True)
    (made / "wsgi.py").touch()
    (made / "Procfile").write_text(f"web: python -m another\nrelay: {PROGRAM}\n", encoding="utf-8")
    (made / "workers" / "relay.py").write_text("import time\ntime.sleep(600)\n", encoding="ascii")
    return made.resolve()


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


@pytest.fixture
def supervisor(deployment: Deployment) -> Iterator[subprocess.Popen[bytes]]:
    """It starts its one program again whenever that ends, as supervisord does."""
    (command,) = deployment.commands(["relay"]).values()
    words = ["sh", str(deployment.folder / "start.sh"), *command.split()[2:]]
    env = {**os.environ, "DATA_DIR": str(deployment.folder), "COMMAND": json.dumps(words)}
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR], env=env, start_new_session=True)
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def checkouts(supervisor: subprocess.Popen[bytes]) -> list[Path | None]:
    return [checkout_of(pid) for pid in running(supervisor.pid)]


def test_a_program_waits_for_a_version_and_follows_the_link(
    deployment: Deployment, supervisor: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    older, newer = checkout(tmp_path, "older"), checkout(tmp_path, "newer")
    assert running(supervisor.pid) == []
    deployment.put_in_service(older)
    wait_for(lambda: checkouts(supervisor) == [older], seconds=20, what="the older version")
    deployment.put_in_service(newer)
    assert checkouts(supervisor) == [older], "what runs goes on"
    deployment.replace_one_by_one(supervisor.pid, "workers.relay")
    assert checkouts(supervisor) == [newer]
    deployment.stop(supervisor.pid)
    assert checkouts(supervisor) == []


def test_the_older_version_does_not_know_the_newest_migration(tmp_path: Path) -> None:
    found = older_checkout(tmp_path)
    if found is None:
        pytest.skip("no history of the project here")
    here = {each.name for each in (ROOT / MIGRATIONS).glob("[0-9]*.py")}
    there = {each.name for each in (found / MIGRATIONS).glob("[0-9]*.py")}
    assert there == here - {max(here)}
    assert (found / "wsgi.py").exists()
