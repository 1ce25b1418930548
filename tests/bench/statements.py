"""Statements and commits per employee, as `tests.bench.work` counts them in one process, of any checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from app.practice.house.processes import ROOT

PROGRAM = ROOT / "tests" / "bench" / "work.py"
FIRST, AGAIN = "first run", "once more"
_ROW = re.compile(r"^  \S+: (?P<state>\w+) +\d+ +(?P<cpu>[\d.]+) +(?P<statements>[\d.]+) +[\d.]+ +(?P<commits>[\d.]+)$")


def per_employee(checkout: Path) -> dict[str, dict[str, float]] | None:
    """`{"succeeded": {"cpu", "statements", "commits"}, "unchanged": …}`; None where nothing counts them.

    The counting is this checkout's, what is counted that one's.
    """
    if not PROGRAM.exists():
        return None
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run([sys.executable, str(PROGRAM)], cwd=checkout, env=env, capture_output=True, text=True)
    return parsed(done.stdout) if done.returncode == 0 else None


def parsed(told: str) -> dict[str, dict[str, float]]:
    """Those written in the first run, and those of whom nothing was to be written in the second."""
    found = {}
    for section in told.split("\n\n"):
        wanted = "succeeded" if FIRST in section else "unchanged" if AGAIN in section else None
        for row in map(_ROW.match, section.splitlines()):
            if row and row["state"] == wanted:
                found[row["state"]] = {name: float(row[name]) for name in ("cpu", "statements", "commits")}
    return found
