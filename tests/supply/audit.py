"""`make audit`: asks the advisory database of OSV about every pin. Runs in the tools' own environment.

Ends with 0 when every pin was looked up and none is affected, 1 when one is, 2 when not all of them could be looked up:
silence of a database that was never reached is no answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection
from typing import Any

from packaging.utils import canonicalize_name

from tests.supply.pins import FILES, ROOT, pinned

WELL, AFFECTED, UNKNOWN = 0, 1, 2
UNREACHED = "NOT CHECKED: the advisory database could not be reached, so nothing is known about"


def verdict(answer: str, wanted: Collection[str]) -> tuple[int, list[str]]:
    """The exit code and what to say. `answer`: pip-audit's JSON, "" or anything else when it got none."""
    looked_up = {canonicalize_name(each["name"]): each for each in _dependencies(answer) if not each.get("skip_reason")}
    unknown = sorted(set(wanted) - set(looked_up))
    lines = [
        f"{name} {each['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'no version'}"
        for name, each in sorted(looked_up.items())
        for found in each["vulns"]
    ]
    if lines:
        return AFFECTED, lines
    if unknown:
        return UNKNOWN, [f"{UNREACHED} {len(unknown)} of {len(wanted)} pins"]
    return WELL, [f"{len(looked_up)} pins, no known vulnerability"]


def _dependencies(answer: str) -> list[dict[str, Any]]:
    try:
        told = json.loads(answer)
    except ValueError:
        return []
    return list(told.get("dependencies", ())) if isinstance(told, dict) else []


def main() -> None:
    worst = WELL
    for file in FILES:
        command = [sys.executable, "-m", "pip_audit", "--requirement", file, "--require-hashes", "--disable-pip"]
        command += [
            "--vulnerability-service",
            "osv",
            "--format",
            "json",
            "--progress-spinner",
            "off",
            "--timeout",
            "15",
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        code, lines = verdict(done.stdout, {pin.name for pin in pinned(file) if pin.applies})
        print(*(f"{file}: {line}" for line in lines), sep="\n")
        if code == UNKNOWN and done.stderr.strip():
            print(f"  {done.stderr.strip().splitlines()[-1][:200]}", file=sys.stderr)
        worst = max(worst, code)
    sys.exit(worst)


if __name__ == "__main__":
    main()
