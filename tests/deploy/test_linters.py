"""What others' linters say of the artefacts: hadolint of the Containerfile (with the shell lines in it, by ShellCheck),
the Compose Specification of both compositions. Each is seen to find something first.

The third linter of the suite, `systemd-analyze` for the units, stands in `test_systemd.py`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.deploy.test_container import COMPOSE, CONTAINER

pytestmark = pytest.mark.processes


def linted(program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
    if found is None:
        missing(f"{program} is not installed (it is among requirements-dev.txt where there is one for this machine)")
    return subprocess.run([str(found), *map(str, words)], capture_output=True, text=True, timeout=120, check=False)


def hadolint(file: Path) -> subprocess.CompletedProcess[str]:
    """Every rule counts, also those that are only advice; no configuration of the machine's."""
    return linted("hadolint", "--no-color", "--failure-threshold", "style", file)


def compose_spec(file: Path) -> subprocess.CompletedProcess[str]:
    return linted("check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)


def test_hadolint_finds_nothing_in_the_image(tmp_path: Path) -> None:
    ours = CONTAINER / "Containerfile"
    worse = tmp_path / "Containerfile"
    worse.write_text(f"{ours.read_text(encoding='utf-8')}\nRUN cd /tmp && sudo echo $HOME\n", encoding="utf-8")
    told = hadolint(worse)
    assert (told.returncode, "DL3004" in told.stdout, "SC2086" in told.stdout) == (1, True, True)
    told = hadolint(ours)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


@pytest.mark.parametrize("name", COMPOSE)
def test_a_composition_follows_the_specification(name: str, tmp_path: Path) -> None:
    ours = CONTAINER / name
    worse = tmp_path / name
    worse.write_text(ours.read_text(encoding="utf-8").replace("depends_on:", "depends_upon:", 1), encoding="utf-8")
    assert compose_spec(worse).returncode == 1
    told = compose_spec(ours)
    assert told.returncode == 0, told.stdout
