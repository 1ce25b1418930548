"""`make bench-large`: large companies. A preview of everybody whose pages are looked at, one run in which 5 % of the
people differ, then one with nothing to do.

Real processes under supervisord, the embedded broker, both practice vendors over HTTP, Awase's limits lifted, for each
database and each size. The second run is a survey and nothing else, so its calls are what a survey costs; what the
first run asks beyond them is divided by the people it has written. Figures belong to their machine, and nothing is
asserted.

The practice vendors hold everybody in memory (about 20 KiB a person); their own time is printed beside Awase's. They
keep no file here, because they would write all of it anew every two seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests

from app.practice import launch
from app.practice.house.connecting import connect, first_administrator, flask
from app.practice.house.demo import FINAL, Api
from app.practice.house.environment import environment
from app.practice.house.processes import ROOT, Processes
from app.practice.staff import practice_company
from tests.bench.measure import begin
from tests.bench.memory import ROLES, peaks, role_of
from tests.e2e.processes import below, command_of
from tests.forms import token_in
from tests.storage.servers import create_database, missing_parts, running_cluster

LIFTED = {"SMARTHR_LIMITS": "1000/s", "FREEE_LIMITS": "1000/s", "LOG_LEVEL": "WARNING"}
VENDORS = {"practice_smarthr": r"server smarthr", "practice_freee": r"server freee"}
PAGES = ("", "/people", "/people?show=all", "/people?q=サトウ", "/confirm", "/confirm/ask", ".csv")
"""What is looked at of the preview, below `/runs/<id>`."""
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    asked = _arguments()
    found: list[dict[str, Any]] = []
    for database in asked.databases:
        if database == "postgresql" and (reason := missing_parts()):
            print(f"{reason}: left out", file=sys.stderr)
            continue
        for size in asked.sizes:
            print(f"{database}, {size} people ...", file=sys.stderr, flush=True)
            found.append(measured(database, size, changed=asked.changed, patience=asked.patience))
            print(told(found[-1]), flush=True)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for line in ratios(found):
        print(line)
    return 0


def measured(database: str, size: int, *, changed: float, patience: float) -> dict[str, Any]:
    with house(database, size, changed=changed) as (processes, api, connection, ports):
        vendors = {name: f"http://127.0.0.1:{port}" for name, port in launch.vendor_ports(ports).items()}
        preview = _previewed(api, connection, processes.env, patience=patience)
        before = cpu_seconds(processes.pid)
        first = _run(api, connection, vendors, patience=patience)
        cpu = _since(before, processes.pid)
        so_far = {role: peak["mib"] for role, peak in peaks(processes.pid).items()}
        print(f"  first run: {first}, CPU {cpu}, MiB {so_far}", file=sys.stderr, flush=True)
        between = cpu_seconds(processes.pid)
        second = _run(api, connection, vendors, patience=patience)
        written = first["written"]
        beyond = {name: (first["calls"][name] - second["calls"][name]) / max(1, written) for name in vendors}
        return {
            "database": database,
            "people": first["people"],
            "written": written,
            "preview_seconds": preview,
            "cpu_of_preview": before,
            "seconds": first["seconds"],
            "survey_seconds": second["seconds"],
            "calls_beyond_survey": beyond,
            "survey_calls": second["calls"],
            "cpu": cpu,
            "cpu_of_second": _since(between, processes.pid),
            "peaks": {role: peak["mib"] for role, peak in peaks(processes.pid).items()},
        }


@contextmanager
def house(database: str, size: int, *, changed: float) -> Iterator[tuple[Processes, Api, str, launch.Ports]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="awase-large-", dir="/var/tmp")))
        ports = launch.Ports.wanted(0)
        env = {**environment(folder, ports, around={**os.environ, **LIFTED})}
        if database == "postgresql":
            env["DATABASE_URL"] = create_database(stack.enter_context(running_cluster()), "large")
        flask(env, "db", "upgrade")
        company = launch.Company(extra=max(0, size - practice_company.BASE_SIZE), equal_share=1 - changed)
        ground = launch.ground(ports, company, broker=True)
        for name in VENDORS:
            ground[name] = ground[name].partition(" --log ")[0]
        processes = Processes(folder, ground, launch.service(), env)
        stack.callback(processes.stop)
        processes.start()
        for port in launch.vendor_ports(ports).values():
            processes.await_url(f"http://127.0.0.1:{port}/_practice/counters")
        url = f"http://127.0.0.1:{ports.web}"
        processes.await_url(f"{url}/health/ready")
        connection, key = connect(folder, env, url)
        yield processes, Api(url, key), connection, ports


def _previewed(api: Api, connection: str, env: Mapping[str, str], *, patience: float) -> dict[str, float]:
    """Seconds of a preview of everybody, and of its pages as an administrator's browser gets them."""
    began = time.monotonic()
    run_id = begin(api, connection, dry_run=True)
    while (state := api.get(f"/api/v1/runs/{run_id}")["state"]) not in {"previewed", *FINAL}:
        if time.monotonic() - began > patience:
            raise SystemExit(f"preview {run_id} did not end within {patience:.0f} s: {state}")
        time.sleep(1)
    seconds = {"preview": round(time.monotonic() - began, 1)}
    who, browser = first_administrator(env), requests.Session()
    form = token_in(browser.get(f"{api.url}/sign-in", timeout=60).text)
    browser.post(
        f"{api.url}/sign-in", data={"login": who.login, "password": who.password, "csrf_token": form}, timeout=60
    )
    for page in PAGES:
        began = time.monotonic()
        answer = browser.get(f"{api.url}/runs/{run_id}{page}", timeout=300, allow_redirects=False)
        answer.raise_for_status()
        seconds[f"{answer.status_code} {page}"] = round(time.monotonic() - began, 3)
    return seconds


def _run(api: Api, connection: str, vendors: Mapping[str, str], *, patience: float) -> dict[str, Any]:
    for url in vendors.values():
        requests.delete(f"{url}/_practice/requests", timeout=60).raise_for_status()
    began = time.monotonic()
    run_id = begin(api, connection)
    while (run := api.get(f"/api/v1/runs/{run_id}"))["state"] not in FINAL:
        if time.monotonic() - began > patience:
            raise SystemExit(f"run {run_id} did not end within {patience:.0f} s: {run['progress']}")
        time.sleep(1)
    return {
        "seconds": round(time.monotonic() - began, 1),
        "people": run["progress"]["total"],
        "written": run["counts"].get("succeeded", 0),
        "calls": {name: _calls(url) for name, url in vendors.items()},
    }


def _calls(url: str) -> int:
    counters = requests.get(f"{url}/_practice/counters", timeout=60).json()
    return sum(number for name, number in counters.items() if "/public_api/" not in name)


def cpu_seconds(supervisor: int) -> dict[str, float]:
    """Role → CPU seconds of its living processes so far."""
    found = dict.fromkeys([*(role for role, _ in ROLES), *VENDORS], 0.0)
    for pid in below(supervisor):
        command = command_of(pid)
        role = next((name for name, text in VENDORS.items() if text in command), None) or role_of(command)
        if role is not None:
            found[role] += _cpu_of(pid)
    return {role: round(seconds, 1) for role, seconds in found.items() if seconds}


def _since(before: Mapping[str, float], supervisor: int) -> dict[str, float]:
    return {role: round(total - before.get(role, 0), 1) for role, total in cpu_seconds(supervisor).items()}


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def own_cpu(one: Mapping[str, Any]) -> float:
    return float(sum(seconds for role, seconds in one["cpu"].items() if role not in VENDORS))


def told(one: Mapping[str, Any]) -> str:
    beyond = ", ".join(f"{name} {calls:.2f}" for name, calls in one["calls_beyond_survey"].items())
    vendors = ", ".join(f"{name} {one['cpu'].get(name, 0):.0f}" for name in VENDORS)
    return "\n".join(
        (
            f"{one['database']}, {one['people']} people, {one['written']} written",
            f"  preview and its pages, s: {one['preview_seconds']}",
            f"  run {one['seconds']} s, nothing to do {one['survey_seconds']} s",
            f"  calls per written person beyond the survey: {beyond}",
            f"  own CPU {own_cpu(one):.1f} s ({1000 * own_cpu(one) / one['people']:.1f} ms a person); {vendors}",
            "  peak memory, MiB: " + ", ".join(f"{role} {mib:.0f}" for role, mib in one["peaks"].items()),
        )
    )


def ratios(found: list[dict[str, Any]]) -> Iterator[str]:
    """The largest company beside the smallest one, per database."""
    for database in dict.fromkeys(one["database"] for one in found):
        sizes = sorted((one for one in found if one["database"] == database), key=lambda one: int(one["people"]))
        small, large = sizes[0], sizes[-1]
        if small is large:
            continue
        factors = {
            "people": large["people"] / small["people"],
            "time": large["seconds"] / small["seconds"],
            "own CPU": own_cpu(large) / own_cpu(small),
            "time with nothing to do": large["survey_seconds"] / small["survey_seconds"],
        }
        yield f"{database}, largest / smallest: " + ", ".join(f"{name} {each:.1f}" for name, each in factors.items())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-large ARGS=…", description="Runs of large companies.")
    parser.add_argument("--sizes", type=_numbers, default=_numbers("5000,50000"), help="people, with commas")
    parser.add_argument("--databases", type=_names, default=_names("sqlite,postgresql"))
    parser.add_argument("--changed", type=float, default=0.05, help="share of the people that differ")
    parser.add_argument("--patience", type=float, default=3600, help="seconds for one run")
    parser.add_argument("--json", type=Path, default=ROOT / "var" / "bench-large.json")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _names(text: str) -> list[str]:
    return text.split(",")


if __name__ == "__main__":
    sys.exit(main())
