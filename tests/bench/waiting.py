"""How much memory the workers of one queue need while 32 of their jobs wait for a vendor at once.

Several companies, because no connection may hold all workers. Single people are answered late, lists at once: so the
surveys end, and then everybody who can work waits.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from app.practice import launch
from tests.bench.house import BenchHouse, bench_house
from tests.bench.measure import begin
from tests.bench.usage import pss

JOBS = 32
COMPANIES = 4
PEOPLE = 40
SINGLE = r"/employees/\d+|/crews/[0-9a-f-]{36}"
SECONDS = 15.0
"""Below the time after which a call is given up."""
PATIENCE_SECONDS = 180.0
ROLE = "worker_interactive"
ALL_INTERACTIVE = {"BULK_FROM": "100000", "WORKERS_BULK": "1"}
A_PROCESS_EACH = {"WORKERS_INTERACTIVE": str(JOBS)}


def jobs_waiting(checkout: Path) -> dict[str, Any]:
    """`{"jobs", "processes", "mib"}` at the moment when the most jobs waited; JOBS are enough."""
    env = {**ALL_INTERACTIVE, **({} if has_threads(checkout) else A_PROCESS_EACH)}
    company = launch.Company(extra=PEOPLE, equal_share=0.0, tenants=COMPANIES)
    with bench_house(checkout, company, env=env) as house:
        house.vendors(1).of_all().fault({"path": SINGLE, "delay": SECONDS})
        for connection in house.connections:
            begin(house.api, connection)
        return _watched(house)


def has_threads(checkout: Path) -> bool:
    """Whether one worker process of this checkout does several jobs at once."""
    return "WORKER_THREADS" in (checkout / "app" / "config.py").read_text(encoding="utf-8")


def _watched(house: BenchHouse) -> dict[str, Any]:
    end, most = time.monotonic() + PATIENCE_SECONDS, {"jobs": 0, "mib": 0.0}
    companies = [house.vendors(number) for number in range(1, COMPANIES + 1)]
    while most["jobs"] < JOBS and time.monotonic() < end:
        jobs = sum(each.in_flight() for each in companies)
        if jobs > most["jobs"]:
            most = {"jobs": jobs, "mib": pss(house.processes.pid, ROLE)}
        time.sleep(0.2)
    return most
