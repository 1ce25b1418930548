"""What a worker lives through: jobs nobody knows, garbage, bugs, a stop in the middle, its own sudden death."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace

import fakeredis
import pytest
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from app.adapters.job_queue import RqJobQueue
from app.domain.ports import QueuedJob
from app.storage.enums import MailState
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.monitoring.refused_jobs import Reason
from app.use_cases.upkeep.reconcile import reconcile_once
from app.use_cases.upkeep.relay import relay_once
from tests.adapters.test_mailer import Inbox, smtp
from tests.storage.databases import running_run
from tests.workers import jobs_of_tests
from tests.workers.guarded import refused, take_all
from tests.workers.test_worker import Station, alive, children, wait_for

JOBS = "tests.workers.jobs_of_tests"


@pytest.fixture
def broker() -> Iterator[fakeredis.FakeStrictRedis]:
    jobs_of_tests.RAN.clear()
    return fakeredis.FakeStrictRedis()


def push(broker: fakeredis.FakeStrictRedis, job_id: str, function: str, *arguments: int) -> None:
    RqJobQueue(broker).push([QueuedJob(job_id, "interactive", function, arguments)])


def failed(broker: fakeredis.FakeStrictRedis) -> set[str]:
    queue = Queue("interactive", connection=broker, serializer=JSONSerializer)
    return set(FailedJobRegistry(queue=queue).get_job_ids())


def everything_in(broker: fakeredis.FakeStrictRedis) -> str:
    """All keys with what they hold, readable."""
    found = []
    for key in broker.scan_iter():
        read = {
            b"hash": broker.hgetall,
            b"string": broker.get,
            b"set": broker.smembers,
            b"list": lambda k: broker.lrange(k, 0, -1),
            b"zset": lambda k: broker.zrange(k, 0, -1),
            b"stream": broker.xrange,
        }[broker.type(key)]
        found.append(f"{key!r} {read(key)!r}")
    return "\n".join(found)


@pytest.mark.parametrize(
    "function",
    [
        "workers.jobs.finalise_run",  # a name of an older version
        "workers.jobs",
        "nowhere.at_all",
        "no module",
        "",
        f"{JOBS}.RAN",
    ],
)
def test_a_function_nobody_knows_is_dropped_alone(broker: fakeredis.FakeStrictRedis, function: str) -> None:
    push(broker, "unknown", f"{JOBS}.note", 1)
    job = Job.fetch("unknown", connection=broker, serializer=JSONSerializer)
    broker.hset(job.key, "data", zlib.compress(json.dumps([function, None, [1], {}]).encode()))
    push(broker, "good", f"{JOBS}.note", 2)
    take_all(broker)
    assert jobs_of_tests.RAN == [2]
    assert failed(broker) == set()
    assert refused() == {Reason.FUNCTION: 1}


GARBAGE = {
    "no compression": b"not compressed",
    "no JSON": zlib.compress(b"\x80\x04pickled"),
    "another shape": zlib.compress(b'{"a": 1}'),
    "nothing": b"",
    "too many arguments": zlib.compress(json.dumps([f"{JOBS}.note", None, [1, 2, 3], {}]).encode()),
    "an argument by name": zlib.compress(json.dumps([f"{JOBS}.note", None, [], {"x": 1}]).encode()),
}


@pytest.mark.parametrize("kind", list(GARBAGE))
def test_garbage_in_the_queue_does_not_stop_the_worker(broker: fakeredis.FakeStrictRedis, kind: str) -> None:
    push(broker, "garbage", f"{JOBS}.note", 1)
    broker.hset(Job.fetch("garbage", connection=broker, serializer=JSONSerializer).key, "data", GARBAGE[kind])
    push(broker, "good", f"{JOBS}.note", 2)
    take_all(broker)
    assert jobs_of_tests.RAN == [2]


def test_an_id_without_a_job_is_passed_over(broker: fakeredis.FakeStrictRedis) -> None:
    broker.rpush("rq:queue:interactive", "i7-a0")
    push(broker, "good", f"{JOBS}.note", 2)
    take_all(broker)
    assert jobs_of_tests.RAN == [2]


@pytest.mark.parametrize("function", ["fail", "fail_because_of_another"])
def test_the_text_of_a_bug_is_neither_in_redis_nor_in_the_log(
    broker: fakeredis.FakeStrictRedis, function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    push(broker, "bug", f"{JOBS}.{function}", 1)
    push(broker, "good", f"{JOBS}.note", 2)
    take_all(broker)
    assert failed(broker) == {"bug"}
    assert jobs_of_tests.RAN == [2]
    kept, told = everything_in(broker), "".join(capsys.readouterr())
    assert "bug" in kept and "job_crashed" in told and function in told
    for text in ("山田", "7654321", repr("山田".encode())[2:-1], "KeyError"):
        assert text not in kept
    assert "7654321" not in told and "山田" not in told
    result = Job.fetch("bug", connection=broker, serializer=JSONSerializer).latest_result()
    assert result is not None
    assert not result.exc_string


# ── real processes ────────────────────────────────────────────────────────────────────────────────────────────────


def queue_of(station: Station) -> Queue:
    return Queue("interactive", connection=station.connect(), serializer=JSONSerializer)


@pytest.mark.processes
def test_sigterm_lets_the_running_job_end_and_takes_no_other(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both workers are in conversation with a mail server that holds them."""
    inbox, held = Inbox(), threading.Event()
    inbox.answers["DATA"] = lambda _server: asyncio.to_thread(held.wait, 60)
    with station.room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(station.room.connection, mail_to=("jinji@example.com",)))
    monkeypatch.setenv("WORKER_THREADS", "1")
    with smtp(inbox) as port:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
        pool = station.start_pool("interactive")
        runs = [mail_of_an_ended_run(station) for _ in range(2)]
        wait_for(lambda: all(state(station, run) is MailState.SENDING for run in runs), "the jobs' begin")
        left = mail_of_an_ended_run(station)
        pool.send_signal(signal.SIGTERM)
        time.sleep(1)  # the pool hears it and tells its workers
        pool.send_signal(signal.SIGTERM)  # a second one must not break anything off
        time.sleep(1)
        assert pool.poll() is None
        assert {state(station, run) for run in runs} == {MailState.SENDING}
        del inbox.answers["DATA"]
        held.set()
        assert pool.wait(30) == 0
    assert {state(station, run) for run in runs} == {MailState.SENT}
    assert state(station, left) is MailState.PENDING
    assert queue_of(station).count == 1


def mail_of_an_ended_run(station: Station) -> int:
    """The number of a run whose mail is in the queue."""
    run, _ = running_run(station.room.database, station.room.connection, items=0)
    assert close_run_if_done(station.room.ctx, run.id)
    assert relay_once(station.room.ctx) == 1
    return run.id


@pytest.mark.processes
def test_a_job_whose_worker_was_killed_is_done_by_another(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mail server holds the conversation while the worker dies. Three minutes later (the row is told so) the
    reconciler queues the mail again, and it goes out under the same id."""
    inbox, held = Inbox(), asyncio.Event()
    inbox.answers["DATA"] = lambda _server: held.wait()
    with station.room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(station.room.connection, mail_to=("jinji@example.com",)))
    with smtp(inbox) as port:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
        pool = station.start_pool("interactive")
        run, _ = running_run(station.room.database, station.room.connection, items=0)
        assert close_run_if_done(station.room.ctx, run.id)
        assert relay_once(station.room.ctx) == 1
        wait_for(lambda: state(station, run.id) is MailState.SENDING, "the mail's claim")
        for worker in children(pool.pid):
            os.kill(worker, signal.SIGKILL)
        del inbox.answers["DATA"]
        station.end_leases_of_mails()
        assert reconcile_once(station.room.ctx) == {"lost_mails": 1}
        assert relay_once(station.room.ctx) == 1
        wait_for(lambda: state(station, run.id) is MailState.SENT, "the mail")
        assert pool.poll() is None
        taken = [mail for mail in inbox.mails if mail["Message-ID"] == message_id(station, run.id)]
    assert taken and taken == inbox.mails


def state(station: Station, run_id: int) -> MailState:
    mail = station.room.mail_of(run_id)
    assert mail is not None
    return mail.state


def message_id(station: Station, run_id: int) -> str:
    mail = station.room.mail_of(run_id)
    assert mail is not None
    return mail.message_id


@pytest.mark.processes
def test_a_pool_lives_through_garbage_and_a_broker_that_restarts(station: Station) -> None:
    pool = station.start_pool("interactive")
    station.connect().rpush("rq:queue:interactive", "no-such-job")
    station.room.ctx.job_queue.push([QueuedJob("m1-a0", "interactive", "workers.jobs.finalise_run", (1,))])
    first = station.mail_to_settle()
    wait_for(lambda: station.settled(first), "the mail behind the garbage")
    before = set(children(pool.pid))
    station.stop_broker()
    station.start_broker()
    ctx = replace(station.room.ctx, job_queue=RqJobQueue(station.connect()))
    station.room = replace(station.room, ctx=ctx)
    second = station.mail_to_settle()
    wait_for(lambda: station.settled(second), "the mail after the restart")
    assert pool.poll() is None
    assert len([pid for pid in before | set(children(pool.pid)) if alive(pid)]) >= 1
