"""Many jobs at a time in one worker process: real processes, a real broker, and a mail server that holds them all."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fakeredis
import pytest
from rq import Queue
from rq.executions import Execution
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from sqlalchemy import update

from app.adapters.job_queue import RqJobQueue
from app.domain.ports import QueuedJob
from app.domain.runs.queues import ENDED_KEY
from app.domain.runs.run_state import ItemState
from app.storage.enums import MailState
from app.storage.tables.models import ItemTable
from app.use_cases.upkeep.reconcile import GRACE, reconcile_once
from app.use_cases.upkeep.relay import relay_once
from tests.adapters.test_mailer import Inbox, smtp
from tests.storage.databases import running_run
from tests.workers import jobs_of_tests
from tests.workers.guarded import FUNCTIONS, take_all, worker_for
from tests.workers.test_rq_tools import rq
from tests.workers.test_worker import Station, children, wait_for
from tests.workers.test_worker_faults import mail_of_an_ended_run, state

THREADS = 6


class Held:
    """A mail server that keeps every conversation open until it is told."""

    def __init__(self) -> None:
        self.inbox, self._go_on = Inbox(), threading.Event()
        self.inbox.answers["DATA"] = lambda _server: asyncio.to_thread(self._go_on.wait, 60)

    def let_go(self) -> None:
        self.inbox.answers.pop("DATA", None)
        self._go_on.set()


@pytest.fixture
def held(station: Station, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """One worker process with six threads."""
    monkeypatch.setenv("WORKER_THREADS", str(THREADS))
    with station.room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(station.room.connection, mail_to=("jinji@example.com",)))
    found = Held()
    with smtp(found.inbox) as port:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
        yield found
        found.let_go()


def in_conversation(station: Station, runs: list[int]) -> int:
    return sum(state(station, run) is MailState.SENDING for run in runs)


@pytest.mark.processes
def test_one_process_does_many_jobs_at_a_time_and_takes_no_more_than_it_has_threads(
    station: Station, held: Held
) -> None:
    pool = station.start_pool("interactive", workers=1)
    runs = [mail_of_an_ended_run(station) for _ in range(THREADS + 2)]
    wait_for(lambda: in_conversation(station, runs) == THREADS, "a job in every thread")
    time.sleep(1.5)
    (depth, _) = station.room.ctx.job_queue.depths()
    assert (depth.waiting, depth.running, depth.workers) == (2, THREADS, 1)
    (worker,) = [line for line in rq(station, "info", "--raw", "--only-workers").splitlines() if "worker" in line]
    assert "busy" in worker
    assert len(children(pool.pid)) == 1
    held.let_go()
    wait_for(lambda: all(state(station, run) is MailState.SENT for run in runs), "all mails")
    wait_for(lambda: station.connect().exists(ENDED_KEY), "the word to the relay")


def at_work_in_every_thread(station: Station) -> tuple[subprocess.Popen[bytes], list[int]]:
    """A pool of one worker with a job in each of its threads, and the runs whose mails these are."""
    pool = station.start_pool("interactive", workers=1)
    runs = [mail_of_an_ended_run(station) for _ in range(THREADS)]
    wait_for(lambda: in_conversation(station, runs) == THREADS, "a job in every thread")
    return pool, runs


@pytest.mark.processes
def test_all_jobs_of_a_worker_that_stands_still_or_dies_are_taken_up(station: Station, held: Held) -> None:
    """SIGSTOP, then SIGKILL in the middle of six conversations. All are sent again, once each as far as mail allows."""
    pool, runs = at_work_in_every_thread(station)
    (worker,) = children(pool.pid)
    os.kill(worker, signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(worker, signal.SIGCONT)
    time.sleep(0.5)
    assert in_conversation(station, runs) == THREADS
    os.kill(worker, signal.SIGKILL)
    held.let_go()
    station.end_leases_of_mails()
    assert reconcile_once(station.room.ctx) == {"lost_mails": THREADS}
    assert relay_once(station.room.ctx) == THREADS
    wait_for(lambda: all(state(station, run) is MailState.SENT for run in runs), "all mails")
    assert pool.poll() is None


@pytest.mark.processes
def test_running_jobs_outlive_an_outage_of_the_broker_in_their_own_process(station: Station, held: Held) -> None:
    pool, runs = at_work_in_every_thread(station)
    (worker,) = children(pool.pid)
    station.stop_broker()
    time.sleep(2)
    held.let_go()
    wait_for(lambda: all(state(station, run) is MailState.SENT for run in runs), "all mails")
    station.start_broker()
    station.room = replace(station.room, ctx=replace(station.room.ctx, job_queue=RqJobQueue(station.connect())))
    last = mail_of_an_ended_run(station)
    wait_for(lambda: state(station, last) is MailState.SENT, "the mail after the outage")
    assert children(pool.pid) == [worker]
    assert station.room.ctx.job_queue.depths()[0].workers == 1


@pytest.mark.processes
@pytest.mark.database("sqlite")
def test_the_last_start_of_a_job_that_kills_takes_no_worker_along(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job has died with its worker twice. The third time it dies in a process of its own, and is given up."""
    armed = tmp_path / "points" / "armed"
    armed.mkdir(parents=True)
    (tmp_path / "points" / "hit").mkdir()
    monkeypatch.setenv("AWASE_FAILPOINTS", str(tmp_path / "points"))
    pool = station.start_pool("interactive", workers=1)
    first = station.mail_to_settle()
    wait_for(lambda: station.settled(first), "the first mail")
    workers = children(pool.pid)
    _, (item,) = running_run(station.room.database, station.room.connection)
    with station.room.database.engine.begin() as connection:
        connection.execute(update(ItemTable).values(starts=2, queue="interactive"))
    (armed / "before_commit@app.use_cases.employee.job.sync_item").write_text("kill")
    assert relay_once(station.room.ctx) == 1
    queue = Queue("interactive", connection=station.connect(), serializer=JSONSerializer)
    wait_for(lambda: FailedJobRegistry(queue=queue).get_job_ids() == [f"i{item}-a0"], "the end of the job")
    assert list((tmp_path / "points" / "hit").iterdir())
    assert children(pool.pid) == workers
    station.room.clock.turn(seconds=GRACE.total_seconds())
    with station.room.database.unit_of_work().reading() as uow:
        row = uow.items.get(item)
    assert row is not None and row.state is ItemState.WAITING, "it died before its claim was written"


def test_many_threads_share_a_queue_and_each_job_is_done_once() -> None:
    broker = fakeredis.FakeStrictRedis()
    jobs_of_tests.RAN.clear()
    names = [QueuedJob(f"n{n}", "interactive", "tests.workers.jobs_of_tests.note", (n,)) for n in range(200)]
    RqJobQueue(broker).push(names)
    worker = worker_for(broker, FUNCTIONS, threads=16)
    worker.work(burst=True, logging_level="CRITICAL")
    assert sorted(jobs_of_tests.RAN) == list(range(200))
    assert (worker.successful_job_count, worker.failed_job_count, worker.broken_rounds) == (200, 0, 0)
    kept = {key for key in broker.scan_iter() if not key.startswith((b"rq:worker", b"rq:queues"))}
    assert kept == {ENDED_KEY.encode()}


def test_a_running_job_costs_few_commands_and_rq_sees_it() -> None:
    broker, seen = fakeredis.FakeStrictRedis(), []

    def look(_number: int) -> None:
        (entry,) = broker.zrange("rq:wip:interactive", 0, -1)
        job_id, _, execution = entry.decode().partition(":")
        seen.append((job_id, Execution.fetch(execution, job_id, broker).worker_name, broker.hget("rq:job:x", "status")))

    RqJobQueue(broker).push([QueuedJob("x", "interactive", "look", (1,))])
    worker = take_all(broker, {"look": look})
    assert seen == [("x", worker.name, b"started")]
    assert broker.zcard("rq:wip:interactive") == 0
