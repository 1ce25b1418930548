"""Three hosts: a wrong clock, a lost host and a cut network cost time, nothing else. `make hosts` plays all cases."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.practice.house.processes import ROOT
from tests.hosts.network import missing_parts
from tests.storage.servers import missing_parts as missing_server

pytestmark = [pytest.mark.processes, pytest.mark.reach("all"), pytest.mark.timeout(1800)]


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(["ahead", "behind", "leader-ahead"], id="a-wrong-clock"),
        pytest.param(["kill-host", "cut-host", "database-crash"], id="what-breaks"),
    ],
)
def test_three_hosts_finish_the_run(tmp_path: Path, cases: list[str]) -> None:
    reason = missing_parts() or missing_server()
    if reason:
        pytest.skip(reason)
    command = [sys.executable, "-m", "tests.hosts.run", *cases, "--people", "20", "--folder", str(tmp_path / "hosts")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1700, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
