"""Peak memory (VmHWM) of processes by what they are, from /proc; empty where there is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypedDict

from tests.e2e.processes import below, command_of

ROLES = (
    ("web", r"wsgi:app"),
    ("relay", r"workers\.relay"),
    ("worker_interactive", r"workers\.worker interactive"),
    ("worker_bulk", r"workers\.worker bulk"),
    ("cron", r"workers\.cron"),
    ("broker", r"broker\.sock|awase-\w+\.sock"),
)


class Peak(TypedDict):
    processes: int
    mib: float
    """Of the largest of them; forks share pages, so these do not add up."""


def peaks(supervisor: int) -> dict[str, Peak]:
    """Role → how many processes and the highest peak, for everything below the supervisor."""
    if not Path("/proc/self/status").exists():
        return {}
    found: dict[str, Peak] = {}
    for pid in below(supervisor):
        role, mib = role_of(command_of(pid)), peak_of(str(pid))
        if role is not None and mib is not None:
            before = found.get(role, Peak(processes=0, mib=0.0))
            found[role] = Peak(processes=before["processes"] + 1, mib=max(before["mib"], mib))
    return {role: found[role] for role, _ in ROLES if role in found}


def role_of(command: str) -> str | None:
    return next((role for role, pattern in ROLES if re.search(pattern, command)), None)


def own_peak() -> float | None:
    return peak_of("self")


def peak_of(pid: str) -> float | None:
    """MiB, None for a process that is gone or a system without /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return round(int(peak[1]) / 1024, 1) if peak else None
