"""RQ's own tools on our queues: `rq info` as an operator calls it, on a real server with jobs of ours in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.ports import QueuedJob
from app.domain.runs.queues import QUEUES
from tests.workers.test_worker import Station, wait_for


def rq(station: Station, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("rq")), *arguments, "--url", f"unix://{station.socket}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.processes
@pytest.mark.database("sqlite")
def test_rq_info_sees_both_queues_their_jobs_and_workers(station: Station) -> None:
    jobs = [QueuedJob(f"m{number}-a0", "bulk", "workers.jobs.send_mail", (number,)) for number in range(3)]
    jobs.append(QueuedJob("i1-a0", "interactive", "workers.jobs.sync_item", (1, 0)))
    queue = station.room.ctx.job_queue
    queue.push(jobs)
    lines = [line.split() for line in rq(station, "info", "--raw").splitlines()]
    assert {(parts[1], parts[2].rstrip(",")) for parts in lines if parts[0] == "queue"} == {
        ("bulk", "3"),
        ("interactive", "1"),
    }
    station.start_pool("interactive")
    wait_for(lambda: queue.depths()[0].workers == 2 and not queue.depths()[0].waiting, "the workers and the job")
    shown = rq(station, "info")
    assert "2 queues, 3 jobs total" in shown and "2 workers" in shown
    assert all(name in shown for name in QUEUES)
    workers = [
        line for line in rq(station, "info", "--raw", "--only-workers").splitlines() if line.startswith("worker")
    ]
    assert len(workers) == 2 and all("interactive" in line for line in workers)


@pytest.mark.processes
@pytest.mark.database("sqlite")
def test_rq_suspend_and_resume_reach_our_workers(station: Station) -> None:
    rq(station, "suspend")
    mail_id = station.mail_to_settle()
    station.start_pool("interactive")
    wait_for(lambda: station.room.ctx.job_queue.depths()[0].workers == 2, "the workers")
    assert not station.settled(mail_id)
    rq(station, "resume")
    wait_for(lambda: station.settled(mail_id), "the mail job")
