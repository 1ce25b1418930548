"""kill -9 of any worker, the relay, the web process or the broker in the middle of a run: it ends by itself."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.practice import launch
from app.practice.house.demo import FINAL, Api
from tests.e2e.processes import kill, matching

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("proc"),
]

PEOPLE = 300
LIMIT_SECONDS = 180
VICTIMS = {
    "a-worker": "workers.worker",
    "the-relay": "workers.relay",
    "the-web-process": "wsgi:app",
    "the-broker": "broker.sock",
}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[launch.House]:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("BULK_FROM", "50")
    opened = launch.open_house(tmp_path, launch.Ports.wanted(0), extra=PEOPLE, equal_share=0.4)
    yield opened
    opened.processes.stop()


@pytest.mark.reach("all")  # before every change, `test_chaos` kills a worker
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_run_ends_by_itself_whoever_is_killed(house: launch.House, victim: str) -> None:
    api = Api(house.url, house.api_key)
    slow_freee(house)
    run = api.post("/api/v1/runs", wanted(house))
    await_items(api, run["id"], at_least=20)
    supervisor = house.processes.pid
    pids = matching(supervisor, VICTIMS[victim])
    assert pids, f"{victim} is not there to be killed"
    for pid in pids if victim == "the-web-process" else pids[:1]:
        kill(pid)
    killed_at = time.monotonic()
    ended = follow(api, run["id"])
    took = time.monotonic() - killed_at
    items = list(api.pages(f"/api/v1/runs/{run['id']}/items"))
    numbers = Counter(item["id"] for item in items)
    states = Counter(item["state"] for item in items)
    assert ended["state"] in FINAL
    assert took < LIMIT_SECONDS
    assert set(numbers.values()) == {1}
    assert len(items) == ended["progress"]["total"] >= PEOPLE
    assert not {"waiting", "running"} & set(states)
    assert states["succeeded"] > 100
    assert created_twice(house) == []
    assert mails(house) == 1
    print(f"{victim}: {took:.0f} s, {dict(states)}", file=sys.stderr)


def slow_freee(house: launch.House) -> None:
    """So slow that a run can be met in its middle."""
    requests.post(
        f"http://127.0.0.1:{house.ports.freee}/_practice/faults",
        json={"method": "GET", "path": "/employees/", "times": 1_000_000, "delay": 0.03},
        timeout=10,
    ).raise_for_status()


def wanted(house: launch.House) -> dict[str, object]:
    return {
        "connection": house.connection,
        "direction": "smarthr_to_freee",
        "as_of_date": launch.practice_company.japan_today().isoformat(),
        "employees": "all",
        "dry_run": False,
        "acknowledge_mass_change": True,
    }


def await_items(api: Api, run_id: str, *, at_least: int) -> None:
    """Wait until that many people have been written."""
    for _ in range(1200):
        run = api.get(f"/api/v1/runs/{run_id}")
        if run["counts"].get("succeeded", 0) >= at_least:
            assert run["state"] == "running", "the run was over before anybody could be killed"
            return
        time.sleep(0.05)
    raise AssertionError("the run does not get on")


def follow(api: Api, run_id: str) -> dict[str, object]:
    end = time.monotonic() + LIMIT_SECONDS + 30
    while time.monotonic() < end:
        try:
            run: dict[str, object] = api.get(f"/api/v1/runs/{run_id}")
        except requests.RequestException:
            time.sleep(0.5)  # the web process is being started again
            continue
        if run["state"] in FINAL:
            return run
        time.sleep(0.3)
    raise AssertionError("the run did not end")


def created_twice(house: launch.House) -> list[str]:
    """従業員番号 that more people have than at the start of the practice company."""
    state = requests.get(f"http://127.0.0.1:{house.ports.freee}/_practice/state", timeout=30).json()
    now = Counter(employee["num"] for employee in state["employees"])
    company = launch.practice_company.build_company(
        launch.practice_company.japan_today(), extra=PEOPLE, equal_share=0.4
    )
    start = Counter(employee["num"] for employee in company.employees)
    return [number for number, count in now.items() if count > max(1, start[number])]


def mails(house: launch.House) -> int:
    """How many arrived, with time for a second one."""
    for _ in range(600):
        if list((house.folder / "mail").glob("*.eml")):
            break
        time.sleep(0.1)
    time.sleep(3)
    return len(list((house.folder / "mail").glob("*.eml")))
