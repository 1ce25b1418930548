"""What the house's own processes have used, by what they are, from /proc: CPU so far, and memory now (PSS)."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tests.bench.memory import ROLES, role_of
from tests.e2e.processes import below, command_of

_TICK = os.sysconf("SC_CLK_TCK")


def cpu(supervisor: int) -> Counter[str]:
    """Role → CPU seconds of everything of it below the supervisor, of its ended children as well."""
    used: Counter[str] = Counter()
    for pid, role in _own(supervisor):
        used[role] += _seconds(pid)
    return used


def since(now: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """What was used in between, in the order of the roles."""
    return {role: round(now[role] - before.get(role, 0.0), 2) for role, _ in ROLES if role in now}


def pss(supervisor: int, role: str) -> float:
    """MiB of all processes of one role; shared pages are counted once."""
    return round(sum(_pss(pid) for pid, its in _own(supervisor) if its == role), 1)


def seconds_below(root: int) -> float:
    """CPU seconds of a process and everything below it."""
    return sum(_seconds(pid) for pid in (root, *below(root)))


def memory_below(root: int) -> float:
    """MiB of a process and everything below it."""
    return round(sum(_pss(pid) for pid in (root, *below(root))), 1)


def _own(supervisor: int) -> list[tuple[int, str]]:
    found = [(pid, role_of(command_of(pid))) for pid in below(supervisor)]
    return [(pid, role) for pid, role in found if role is not None]


def _seconds(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(ticks) for ticks in stat.rpartition(")")[2].split()[11:15]) / _TICK


def _pss(pid: int) -> float:
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0.0
    found = re.search(r"^Pss:\s+(\d+) kB", told, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
