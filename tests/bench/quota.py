"""What becomes of the vendors' quotas: 20 connections at once under the limits as they stand, and one long run.

The long run has more permits than the real ones in the same windows (`speed`), for nobody waits an hour for a figure.
What the engine adds to the quota weighs so many times more then: the ratio told is the highest it can be.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.config import Settings, Window
from app.practice import launch
from app.practice.staff import practice_company
from tests.bench.house import BenchHouse, bench_house
from tests.bench.measure import begin, ended, run_seconds
from tests.bench.usage import cpu, since

LIMITS = {"SMARTHR_LIMITS": "8/s,4250/h", "FREEE_LIMITS": "20/10s,8500/h"}
"""As they stand; a test compares them with the settings."""
CONNECTIONS, WARM_UP_SECONDS, SECONDS = 20, 10.0, 60.0
PATIENCE_SECONDS = 300.0
PEOPLE = 140
"""Of each company, all different: two calls each and more, so that nobody is done before the end."""
CORES = 2
AT_WORK = "running"


def windows(system: str, speed: int = 1) -> tuple[Window, ...]:
    """What a system may be asked, so many times faster than it stands."""
    kept = {"SECRET_KEY": "x" * 32, "ENCRYPTION_KEYS": "y" * 32}
    settings = Settings.from_env({**kept, **LIMITS})
    standing = {"smarthr": settings.smarthr_limits, "freee": settings.freee_limits}[system]
    return tuple(Window(each.permits * speed, each.seconds) for each in standing)


# ── many connections at once ──────────────────────────────────────────────────────────────────────────────────────────


def connections_at_quota(checkout: Path) -> dict[str, Any]:
    """`{"used", "least", "cpu", "by_process", "enough"}`: shares of 1 in a window of SECONDS, all runs at work.

    `used`: of freee's quota, the narrower one, of all connections; `least`: of the one that used it least. `cpu`: ours,
    of CORES. `enough`: no run was at its end within the window.
    """
    company = launch.Company(extra=PEOPLE, equal_share=0.0, tenants=CONNECTIONS)
    with bench_house(checkout, company, env=LIMITS, rates="real") as house:
        runs = [begin(house.api, connection) for connection in house.connections]
        _await_everybody_at_work(house, runs)
        return _window(house, runs)


def _await_everybody_at_work(house: BenchHouse, runs: Sequence[str]) -> None:
    """Until each run has brought somebody to an end, and so long after that the first permits are used up. Raises
    TimeoutError."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not all(house.api.get(f"/api/v1/runs/{each}")["progress"]["done"] for each in runs):
        if time.monotonic() > end:
            raise TimeoutError(f"not all of {len(runs)} runs at work after {PATIENCE_SECONDS:.0f} s")
        time.sleep(1)
    time.sleep(WARM_UP_SECONDS)


def _window(house: BenchHouse, runs: Sequence[str]) -> dict[str, Any]:
    began, used = time.time(), cpu(house.processes.pid)
    time.sleep(SECONDS)
    till, spent = time.time(), since(cpu(house.processes.pid), used)
    states = [house.api.get(f"/api/v1/runs/{each}")["state"] for each in runs]
    pace = min(each.permits / each.seconds for each in windows("freee"))
    shares = []
    for number in range(1, len(runs) + 1):
        calls = sum(began <= at < till for at in house.vendors(number).arrivals("freee"))
        shares.append(calls / (pace * (till - began)))
    return {
        "used": round(sum(shares) / len(shares), 3),
        "least": round(min(shares), 3),
        "cpu": round(sum(spent.values()) / (till - began) / CORES, 3),
        "by_process": spent,
        "enough": set(states) == {AT_WORK},
    }


# ── one long run ──────────────────────────────────────────────────────────────────────────────────────────────────────


def long_run(checkout: Path, *, people: int, speed: int) -> dict[str, Any]:
    """`{"people", "written", "seconds", "quota_seconds", "ratio", "speed"}` of a first run; half of them are equal."""
    limits = {f"{system.upper()}_LIMITS": _written(windows(system, speed)) for system in ("smarthr", "freee")}
    company = launch.Company(extra=people - practice_company.BASE_SIZE, equal_share=0.5)
    with bench_house(checkout, company, env=limits) as house:
        began = time.time()
        run = ended(house.api, begin(house.api, house.connections[0]))
        seconds, vendors = run_seconds(run, began), house.vendors()
        needed = max(shortest(len(vendors.arrivals(system)), windows(system, speed)) for system in ("smarthr", "freee"))
    return {
        "people": run["progress"]["total"],
        "written": run["counts"].get("succeeded", 0),
        "seconds": round(seconds, 1),
        "quota_seconds": round(needed, 1),
        "ratio": round(seconds / needed, 3) if needed else None,  # a few people fit into the first permits
        "speed": speed,
    }


def shortest(calls: int, of: Sequence[Window]) -> float:
    """The fewest seconds in which so many calls fit: a window's permits at once, the rest at its pace."""
    return max((max(calls - each.permits, 0) * each.seconds / each.permits for each in of), default=0.0)


def _written(of: Sequence[Window]) -> str:
    return ",".join(f"{each.permits}/{each.seconds:.0f}s" for each in of)
