"""Forged jobs against the processes of service: real pool, real broker, real database, RQ's own tool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.use_cases.monitoring.refused_jobs import COUNTER, Reason
from tests.workers.attacks import CODE, ON_THE_WAY, POISON, Traps, data, genuine, queued
from tests.workers.test_worker import ROOT, Station, children, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.database("sqlite")]

RUNBOOK = (ROOT / "docs" / "ops" / "runbook.md").read_text(encoding="utf-8")


OF_OURS = {
    "a text for a number": queued(data=data("workers.jobs.send_mail", "1")),
    "a job of another queue": queued(data=data("workers.jobs.send_mail", 1), origin="bulk"),
}
"""The functions of the other attacks are none of the service's."""


@pytest.fixture
def traps(tmp_path: Path) -> Traps:
    return Traps(tmp_path, "os", "http://127.0.0.1:9/trap")


def counted(station: Station) -> dict[str, int]:
    """Reason → how many, as /metrics would show it."""
    with station.room.database.unit_of_work().reading() as uow:
        found = uow.metrics.counters().get(COUNTER, {})
    return {dict(labels)["reason"]: number for labels, number in found.items()}


def test_the_same_workers_outlive_every_attack(station: Station, traps: Traps) -> None:
    """All attacks one after another against two workers, commands to each of them, and then a job of ours."""
    pool = station.start_pool("interactive")
    first = station.mail_to_settle()
    wait_for(lambda: station.settled(first), "the first mail")
    wait_for(lambda: len(children(pool.pid)) == 2, "both workers")
    before, broker = set(children(pool.pid)), station.connect()
    for name, plant in (CODE | POISON | OF_OURS).items():
        plant(broker, traps)
        wait_for(lambda: broker.type("rq:queue:interactive") != b"list", "an empty queue")
        if "on the way" not in name and ON_THE_WAY not in name:
            wait_for(lambda: not broker.exists(ON_THE_WAY), "a worker to be done with it")
        others = [key for key in broker.scan_iter() if not key.startswith(b"rq:worker:")]
        broker.delete(*others, "nothing")  # the next attack begins anew; mending is tried elsewhere
    for name in {key.decode().split(":")[2] for key in broker.keys("rq:worker:*")}:
        for command in ("shutdown", "kill-horse", "stop-job", "stop-execution"):
            assert broker.publish(f"rq:pubsub:{name}", json.dumps({"command": command, "job_id": "evil"})) == 0
    last = station.mail_to_settle()
    wait_for(lambda: station.settled(last), "the mail behind the attacks")
    assert set(children(pool.pid)) == before
    assert not traps.file.exists()
    seen = {str(reason) for reason in Reason} - {Reason.REGISTRY, Reason.KIND}  # those are for the upkeep
    wait_for(lambda: seen <= counted(station).keys(), "the counters")
    lines = [json.loads(line) for line in station.log().splitlines() if line.startswith("{")]
    told = [line for line in lines if line["event"] == "job_refused"]
    assert told and all(line["code"] == "job_refused" and line["level"] == "warning" for line in told)
    assert all(word not in station.log() for word in ("touch", "trap", "DROP TABLE", "a method was called"))


def rq_info(station: Station, folder: Path, *, classes: bool) -> subprocess.CompletedProcess[str]:
    """`rq info` as the runbook writes it, or without the two classes. Can import what lies in the folder."""
    (line,) = [line for line in RUNBOOK.splitlines() if line.startswith("| RQ の道具 |")]
    words = line.split("`")[1].replace('"$REDIS_URL"', f"unix://{station.socket}").split()
    assert words[:2] == ["rq", "info"] and len(words) == 8
    command = [str(Path(sys.executable).with_name("rq")), *(words[1:] if classes else words[1:4])]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("classes", [True, False])
def test_rq_info_as_the_runbook_writes_it_runs_nothing(station: Station, tmp_path: Path, classes: bool) -> None:
    """Without the classes, the tool runs the failure callback of a job that somebody has put among the started ones."""
    (tmp_path / "trap_module.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    broker = station.connect()
    broker.sadd("rq:queues", "rq:queue:interactive")
    fields = genuine(status="started", failure_callback_name="trap_module.anything")
    broker.hset("rq:job:evil", mapping=fields)  # type: ignore[arg-type]
    broker.zadd("rq:wip:interactive", {"evil:execution": 1})
    shown = rq_info(station, tmp_path, classes=classes)
    assert (tmp_path / "ran").exists() is not classes
    assert shown.returncode == 0 and "interactive" in shown.stdout
