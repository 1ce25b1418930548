"""The processes of a house, found by what they were started with, so that a test can kill them by their id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def below(root: int) -> list[int]:
    """Everything that descends from `root`, nearest first."""
    parents = {int(entry.name): parent_of(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    found, layer = [], [root]
    while layer:
        layer = [pid for pid, parent in parents.items() if parent in layer]
        found += layer
    return found


def matching(root: int, text: str) -> list[int]:
    return [pid for pid in below(root) if text in command_of(pid)]


def kill(pid: int) -> None:
    """SIGKILL; somebody who has just gone is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def started(folder: Path, env: Mapping[str, str], *module: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m` this module, its lines in `log` in the folder; killed afterwards with all that it has started."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *module], cwd=ROOT, env=dict(env), stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        for pid in [*below(process.pid), process.pid]:
            kill(pid)
        process.wait(10)
