"""The restore drill, with real processes: a backup is taken in the middle of a run with newcomers and wakes up on
another host, with the same environment and keys but not the identity. The original lives on, or has stopped for good.

Nobody is doubled, nobody is lost beyond the backup, and an original that lives keeps its consent. On PostgreSQL both
databases stand on one server, as in a careless rehearsal: only the identity tells the two installations apart.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from app.practice import launch
from app.practice.house.connecting import check_broker, connect, flask
from app.practice.house.demo import Api
from app.practice.house.environment import environment
from app.practice.house.processes import Processes
from app.practice.staff.practice_company import build_company, japan_today
from tests.e2e.processes import below, kill
from tests.e2e.test_killed import await_items, follow
from tests.ports import free_port
from tests.storage.servers import create_database, drop_database, run_tool

pytestmark = [
    pytest.mark.processes,
    pytest.mark.reach("all"),
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("proc"),
]

PEOPLE, EQUAL = 100, 0.5
HERE, THERE = "here", "there"
REST_SECONDS = 20
"""Longer than a lease, a round of every periodic job that matters and a heartbeat."""


@dataclass
class Host:
    """One host on which Awase is installed: its processes, its data folder, its environment."""

    folder: Path
    env: dict[str, str]
    processes: Processes

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.env['PORT']}"

    def start(self) -> None:
        socket = check_broker(self.env)
        if socket is not None and socket.parent != self.folder:
            self.processes.emptied.append(socket.parent)
        self.processes.start()
        self.processes.await_url(f"{self.url}/health/ready")


@dataclass
class Drill:
    """The vendors, the original in the middle of a run, and the backup taken there."""

    ports: launch.Ports
    original: Host
    copy: Host
    key: str
    connection: str
    run: str
    mails: Path

    def api(self, host: Host) -> Api:
        return Api(host.url, self.key)

    def numbers(self) -> Counter[str]:
        """従業員番号 → how many people of freee's have it."""
        state = requests.get(f"http://127.0.0.1:{self.ports.freee}/_practice/state", timeout=30).json()
        return Counter(str(employee["num"]) for employee in state["employees"])

    def expire_tokens(self) -> None:
        """Whoever needs a token has to refresh now."""
        url = f"http://127.0.0.1:{self.ports.freee}/_practice/tokens"
        requests.post(url, json={"action": "expire"}, timeout=30).raise_for_status()

    def wanted(self, *, dry_run: bool = False) -> dict[str, object]:
        return {
            "connection": self.connection,
            "direction": "smarthr_to_freee",
            "as_of_date": japan_today().isoformat(),
            "employees": "all",
            "dry_run": dry_run,
            "acknowledge_mass_change": True,
        }


def company() -> Any:
    return build_company(japan_today(), extra=PEOPLE, equal_share=EQUAL)


def host_of(folder: Path, env: dict[str, str], stack: ExitStack) -> Host:
    folder.mkdir(mode=0o700)
    env = {**env, "DATA_DIR": str(folder)}
    made = Host(folder, env, Processes(folder, {"broker": "python -m workers.broker"}, launch.service(), env))
    stack.callback(made.processes.stop)
    return made


@dataclass(frozen=True)
class Databases:
    """Where the two installations keep what they have; `cluster`: of PostgreSQL, None for SQLite."""

    cluster: Path | None

    def variables(self, name: str) -> dict[str, str]:
        """Of an installation with an empty database of its own."""
        return {} if self.cluster is None else {"DATABASE_URL": create_database(self.cluster, name)}

    def restore(self, backup: Path, host: Host, name: str) -> None:
        """As the runbook does it."""
        if self.cluster is None:
            shutil.copy(backup, host.folder / "awase.db")
        else:
            run_tool("pg_restore", "--no-owner", f"--dbname=host={self.cluster} user=awase dbname={name}", str(backup))


@pytest.fixture
def databases(request: pytest.FixtureRequest, database_kind: str) -> Iterator[Databases]:
    cluster = request.getfixturevalue("cluster") if database_kind == "postgresql" else None
    yield Databases(cluster)
    for name in (HERE, THERE) if cluster else ():
        drop_database(cluster, name)


@pytest.fixture
def drill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, databases: Databases) -> Iterator[Drill]:
    monkeypatch.delenv("REDIS_URL", raising=False)
    with ExitStack() as stack:
        ports = launch.Ports.wanted(0)
        outside = tmp_path / "outside"
        outside.mkdir(mode=0o700)
        env = environment(outside, ports, around={"PATH": "/usr/bin:/bin", "RECONCILE_SECONDS": "2"})
        env["RECONCILE_SECONDS"] = "2"
        vendors = launch.ground(ports, launch.Company(PEOPLE, EQUAL, {}, 1), broker=False)
        mailbox = {"practice_mailbox": vendors.pop("practice_mailbox")}
        world = Processes(outside, mailbox, vendors, env)
        stack.callback(world.stop)
        world.start()
        for port in launch.vendor_ports(ports).values():
            world.await_url(f"http://127.0.0.1:{port}/_practice/kept")
        original = host_of(tmp_path / HERE, {**env, **databases.variables(HERE)}, stack)
        flask(original.env, "db", "upgrade")
        original.start()
        connection, key = connect(original.folder, original.env, original.url)
        elsewhere = {**original.env, "PORT": str(free_port()), **databases.variables(THERE)}
        copy = host_of(tmp_path / THERE, elsewhere, stack)
        made = Drill(ports, original, copy, key, connection, "", outside / "mail")
        slow_freee(ports)
        made.run = made.api(original).post("/api/v1/runs", made.wanted())["id"]
        await_items(made.api(original), made.run, at_least=6)
        flask(original.env, "backup", "create", str(tmp_path / "backup"))
        assert made.api(original).get(f"/api/v1/runs/{made.run}")["state"] == "running", "too late for the drill"
        databases.restore(tmp_path / "backup", copy, THERE)
        yield made


def slow_freee(ports: launch.Ports) -> None:
    """So slow that the run can be met in its middle."""
    for method in ("GET", "POST", "PUT"):
        fault = {"method": method, "path": "/employees", "times": 1_000_000, "delay": 1.0}
        requests.post(f"http://127.0.0.1:{ports.freee}/_practice/faults", json=fault, timeout=10).raise_for_status()


def doubled(drill: Drill) -> list[str]:
    start = Counter(employee["num"] for employee in company().employees)
    return [number for number, count in drill.numbers().items() if number and count > max(1, start[number])]


def newcomers() -> set[str]:
    """従業員番号 of those whom the run creates in freee."""
    return {scenario.number for scenario in company().scenarios if scenario.to_freee == "create"}


def arrived(drill: Drill) -> Any:
    """Everybody in freee, as soon as what the original had sent before its end is carried out: nothing moves for two
    seconds. Nobody else writes."""
    seen = None
    while seen != (seen := drill.numbers()):
        time.sleep(2)
    return seen


def refused(drill: Drill) -> Any:
    """What the copy answers to a program that starts a run."""
    headers = {"Authorization": f"Bearer {drill.key}"}
    answer = requests.post(f"{drill.copy.url}/api/v1/runs", json=drill.wanted(), headers=headers, timeout=30)
    return answer.status_code, answer.json()["code"]


def test_beside_the_living_original_the_copy_rests(drill: Drill) -> None:
    drill.copy.start()
    drill.expire_tokens()
    assert refused(drill) == (503, "house_rests")
    ended = follow(drill.api(drill.original), drill.run)
    time.sleep(REST_SECONDS)
    assert len(list(drill.mails.glob("*.eml"))) == 1, "the original's, and none of the copy's"
    drill.expire_tokens()
    again = drill.api(drill.original).post("/api/v1/runs", drill.wanted(dry_run=True))["id"]
    for _ in range(600):
        seen = drill.api(drill.original).get(f"/api/v1/runs/{again}")
        if seen["state"] in ("previewed", "succeeded", "partly_failed", "failed"):
            break
        time.sleep(0.2)
    assert seen["state"] != "failed", seen
    assert ended["finished_at"]
    assert doubled(drill) == []
    assert newcomers() <= set(drill.numbers())
    assert drill.api(drill.copy).get("/health/ready")["checks"]["house"] == "copy"
    (connection,) = drill.api(drill.original).get("/api/v1/connections")["items"]
    assert connection["state"] == "active", "the original has kept its consent"


def test_when_the_original_has_stopped_the_copy_goes_on_after_it_was_adopted(drill: Drill) -> None:
    root = drill.original.processes.pid
    for pid in (root, *below(root)):  # the host is gone from one moment to the next
        kill(pid)
    before = arrived(drill)
    drill.copy.start()
    assert refused(drill) == (503, "house_rests")
    time.sleep(REST_SECONDS)
    assert drill.numbers() == before, "a copy that rests writes nothing"
    told = flask(drill.copy.env, "house", "adopt", "--yes")
    assert "引き継ぎました" in told
    api = drill.api(drill.copy)
    preview = awaited_preview(api)
    assert drill.numbers() == before, "nothing is written before somebody has looked"
    assert refused(drill) == (409, "compare_first")
    api.post(f"/api/v1/runs/{preview}/approve", {"employees": "all", "acknowledge_mass_change": True})
    follow(api, preview)
    assert doubled(drill) == []
    assert newcomers() <= set(drill.numbers()), "nobody is lost"
    assert sum(drill.numbers().values()) > sum(before.values())


def awaited_preview(api: Api) -> str:
    for _ in range(900):
        for run in api.pages("/api/v1/runs"):
            if (run["direction"], run["state"]) == ("smarthr_to_freee", "previewed"):
                return str(run["id"])
        time.sleep(0.2)
    raise AssertionError("the comparison does not come to its end")
