"""One round: a fresh house, the whole engine and the straight script over the same people, one after the other."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from app.practice import launch
from app.practice.house.demo import FINAL, Api
from app.practice.house.processes import ROOT
from app.practice.staff import practice_company
from tests.bench.house import BenchHouse, bench_house
from tests.bench.memory import peaks
from tests.bench.usage import cpu, since
from tests.bench.vendors import Vendors, different

RUN_TIMEOUT_SECONDS = 1800
MAIL_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.5


def one_round(checkout: Path, *, extra: int, equal_share: float, delay: float, engine_first: bool) -> dict[str, Any]:
    """`{"engine": {first, second, peaks}, "script": {first, second, peak_mib}, "different", "different_base"}`

    `checkout`: whose engine. `different`: generated people whom the two left differently; `different_base`: the base
    people.
    """
    with bench_house(checkout, launch.Company(extra, equal_share)) as house:
        return _both(house, delay=delay, engine_first=engine_first)


def _both(house: BenchHouse, *, delay: float, engine_first: bool) -> dict[str, Any]:
    vendors = house.vendors()
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "engine": lambda: _engine(house, vendors),
        "script": lambda: straight_script(vendors),
    }
    measured: dict[str, Any] = {}
    contents = []
    for name in sorted(parts, reverse=not engine_first):
        vendors.start_again(delay)
        measured[name] = parts[name]()
        contents.append(vendors.content())
    everybody = {key.partition(" ")[2] for content in contents for key in content}
    generated = generated_numbers(contents[0])
    return {
        **measured,
        "different": different(contents[0], contents[1], generated),
        "different_base": different(contents[0], contents[1], sorted(everybody.difference(generated))),
    }


def generated_numbers(content: dict[str, list[Any]]) -> list[str]:
    """The generated people; the base people are stories with mistakes in them, which a loop cannot tell from data."""
    base = {scenario.number for scenario in practice_company.build_company(practice_company.japan_today()).scenarios}
    return sorted({key.partition(" ")[2] for key in content} - base - {""})


# ── the engine ────────────────────────────────────────────────────────────────────────────────────────────────────


def _engine(house: BenchHouse, vendors: Vendors) -> dict[str, Any]:
    runs = {name: one_run(house, vendors) for name in ("first", "second")}
    return {**runs, "peaks": peaks(house.processes.pid)}


def one_run(house: BenchHouse, vendors: Vendors) -> dict[str, Any]:
    """From the moment before the POST to the instant the run was closed; CPU until its mail is out as well."""
    vendors.take_calls()
    start, used = time.time(), cpu(house.processes.pid)
    run = ended(house.api, begin(house.api, house.connections[0]))
    _await_mail(house.api)
    seconds = run_seconds(run, start)
    calls = vendors.take_calls()
    return {
        "seconds": seconds,
        "cpu": since(cpu(house.processes.pid), used),
        "people": run["progress"]["total"],
        "written": run["counts"].get("succeeded", 0),
        "unchanged": run["counts"].get("unchanged", 0),
        "calls": calls.all,
        "writes": calls.writes,
        "state": run["state"],
    }


def begin(api: Api, connection: str, *, dry_run: bool = False) -> str:
    """Start a run of everybody towards freee; returns its id."""
    run = api.post(
        "/api/v1/runs",
        {
            "connection": connection,
            "direction": "smarthr_to_freee",
            "as_of_date": practice_company.japan_today().isoformat(),
            "employees": "all",
            "dry_run": dry_run,
            "acknowledge_mass_change": True,
        },
    )
    return str(run["id"])


def run_seconds(run: Mapping[str, Any], began: float) -> float:
    """From a moment (epoch seconds) to the instant the run was closed."""
    return datetime.fromisoformat(run["finished_at"]).timestamp() - began


def _await_mail(api: Api) -> None:
    end = time.monotonic() + MAIL_TIMEOUT_SECONDS
    while api.get("/api/v1/queue")["mails_waiting"] and time.monotonic() < end:
        time.sleep(POLL_SECONDS)


def ended(api: Api, run_id: str) -> dict[str, Any]:
    """The run once it is over."""
    end = time.monotonic() + RUN_TIMEOUT_SECONDS
    while time.monotonic() < end:
        run: dict[str, Any] = api.get(f"/api/v1/runs/{run_id}")
        if run["state"] in FINAL:
            return run
        time.sleep(POLL_SECONDS)
    raise SystemExit(f"run {run_id} did not end")


# ── the script ────────────────────────────────────────────────────────────────────────────────────────────────────


def straight_script(vendors: Vendors) -> dict[str, Any]:
    """In a process of its own, as somebody would start it; interpreter and imports are not on its clock."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.straight", "--smarthr", vendors.smarthr, "--freee", vendors.freee],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the straight script failed:\n{done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told
