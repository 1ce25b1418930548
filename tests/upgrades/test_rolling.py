"""Upgrades without a stop: the real processes of a release run on beside the schema and the processes of this version,
and are replaced one by one in the middle of runs. Nobody is lost or doubled, each run has its mail, and no error is
logged.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.player import Options, Player, Report
from tests.chaos.run import PEOPLE
from tests.chaos.scene import opened
from tests.chaos.versions import side_by_side, unpacked
from tests.upgrades.releases import RELEASES, Release

pytestmark = [
    pytest.mark.processes,
    pytest.mark.reach("all"),
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("proc"),
]


@pytest.fixture
def checkout(release: Release, tmp_path: Path) -> Path:
    try:
        return unpacked(release.commit, tmp_path / "older")
    except (OSError, subprocess.SubprocessError):
        pytest.skip(f"git does not know the commit of {release.revision}: there is no history of the project here")


@pytest.mark.parametrize("release", RELEASES[-2:], ids=lambda release: release.revision)
def test_the_release_before_works_on_beside_this_version(
    checkout: Path, release: Release, database_kind: str, tmp_path: Path
) -> None:
    options = Options(short=True, databases=(database_kind,), lanes=1, folder=tmp_path)
    report = Report()
    row = report.row("rolling", f"from {release.revision}", database_kind)
    with opened(tmp_path / "house", database_kind, people=PEOPLE, checkout=checkout) as lane:
        player = Player(lane, options, report)
        player.play(row, side_by_side, turn=0)
        player.judge_mails()
        logs = lane.house.processes.logs
        errors = list(error_lines(logs))
    assert row.runs == 1, row.notes
    assert not row.findings
    assert row.mails and set(row.mails) == {1}
    assert errors == []


def error_lines(logs: Path) -> Iterator[str]:
    """What any process has logged as an error, and whatever stands in the log that is no line of ours."""
    for log in sorted(logs.iterdir()):
        if log.name.startswith("practice"):
            continue
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if told := _error_in(line):
                yield f"{log.name}: {told}"


def _error_in(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line if "Traceback" in line else ""
    return line if isinstance(entry, dict) and entry.get("level") in ("error", "critical") else ""
