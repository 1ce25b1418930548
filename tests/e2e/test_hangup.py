"""SIGHUP to every process of the service in the middle of a run: none ends, and the run goes on."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from app.practice import launch
from app.practice.house.demo import FINAL, Api
from tests.e2e.processes import matching
from tests.e2e.test_killed import await_items, created_twice, follow, house, mails, slow_freee, wanted

__all__ = ["house"]

pytestmark = [
    pytest.mark.processes,
    pytest.mark.reach("all"),
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("proc"),
]

PROGRAMS = ("workers.worker", "workers.relay", "workers.cron", "wsgi:app")


def test_a_hangup_ends_no_process_and_breaks_off_no_job(house: launch.House) -> None:
    api = Api(house.url, house.api_key)
    slow_freee(house)
    run = api.post("/api/v1/runs", wanted(house))
    await_items(api, run["id"], at_least=20)
    before = {program: matching(house.processes.pid, program) for program in PROGRAMS}
    assert all(before.values())
    for pid in [pid for pids in before.values() for pid in pids]:
        os.kill(pid, signal.SIGHUP)
    ended = follow(api, run["id"])
    assert {program: matching(house.processes.pid, program) for program in PROGRAMS} == before
    items = list(api.pages(f"/api/v1/runs/{run['id']}/items"))
    assert ended["state"] in FINAL
    assert set(Counter(item["id"] for item in items).values()) == {1}
    assert created_twice(house) == []
    assert mails(house) == 1
