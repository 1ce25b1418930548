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
NAMES = ("cpu", "statements", "commits")
_ROW = re.compile(
    r"^  \S+: (?P<state>\w+) +(?P<jobs>\d+) +(?P<cpu>[\d.]+) +(?P<statements>[\d.]+) +[\d.]+ +(?P<commits>[\d.]+)$"
)

_SURVEY = re.compile(r"survey: (?P<cpu>[\d.]+) ms per person, (?P<statements>\d+) statements")
_COUNT = re.compile(r"': (\d+)")


def per_employee(checkout: Path) -> dict[str, dict[str, float]] | None:
    """`{"succeeded": {"cpu", "statements", "commits"}, "unchanged": {"cpu", "statements"}}`; None where nothing counts
    them.

    The counting is this checkout's, what is counted that one's.
    """
    if not PROGRAM.exists():
        return None
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run([sys.executable, str(PROGRAM)], cwd=checkout, env=env, capture_output=True, text=True)
    return parsed(done.stdout) if done.returncode == 0 else None


def parsed(told: str) -> dict[str, dict[str, float]]:
    """Those written in the first run, updated and created ones together, and those of whom nothing was to be written in
    the second; these have no job of their own, so theirs is a share of the survey."""
    found = {}
    for section in told.split("\n\n"):
        if FIRST in section and (jobs := _jobs(section)):
            found["succeeded"] = jobs
        if AGAIN in section and (survey := _SURVEY.search(section)):
            statements = int(survey["statements"]) / sum(map(int, _COUNT.findall(section.partition("}")[0])))
            found["unchanged"] = {"cpu": float(survey["cpu"]), "statements": round(statements, 2)}
    return found


def _jobs(section: str) -> dict[str, float]:
    """The mean of all jobs that have written."""
    rows = [row for row in map(_ROW.match, section.splitlines()) if row and row["state"] == "succeeded"]
    jobs = sum(int(row["jobs"]) for row in rows)
    sums = {name: sum(int(row["jobs"]) * float(row[name]) for row in rows) for name in NAMES}
    return {name: round(total / jobs, 2) for name, total in sums.items()} if jobs else {}
