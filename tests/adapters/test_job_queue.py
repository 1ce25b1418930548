"""Jobs in a real broker: ids only, JSON only, all or none, and what ops sees of the queues."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import fakeredis
import pytest
import redis
from rq import Queue, SimpleWorker
from rq.job import Job

from app.adapters.job_queue import SERIALIZER, RqJobQueue
from app.domain.errors import TemporaryError
from app.domain.ports import QueuedJob
from app.domain.runs.queues import BULK, FAILURE_SECONDS, INTERACTIVE, QUEUES
from tests.adapters.conftest import BrokerProcess

done: list[tuple[int, ...]] = []


def note(*ids: int) -> None:
    done.append(ids)


def fail(*ids: int) -> None:
    raise ValueError(f"job {ids}")


def job(number: int, *, queue: str = INTERACTIVE, function: str = "note", attempt: int = 1) -> QueuedJob:
    return QueuedJob(f"i{number}-a{attempt}", queue, f"{__name__}.{function}", (number, attempt))


def work(broker: redis.Redis, name: str = INTERACTIVE) -> None:
    queue = Queue(name, connection=broker, serializer=SERIALIZER)
    SimpleWorker([queue], connection=broker, serializer=SERIALIZER).work(burst=True, logging_level="ERROR")


def depth(broker: redis.Redis, name: str = INTERACTIVE):  # type: ignore[no-untyped-def]
    return {each.queue: each for each in RqJobQueue(broker).depths()}[name]


def test_jobs_reach_a_worker_once_and_in_order(broker: redis.Redis) -> None:
    done.clear()
    RqJobQueue(broker).push([job(n) for n in range(5)])
    work(broker)
    assert done == [(n, 1) for n in range(5)]
    assert [key for key in broker.keys("rq:job:*") if b"i" in key] == []  # nothing is kept of what succeeded


def test_what_redis_holds_is_ids_and_json(broker: redis.Redis) -> None:
    RqJobQueue(broker).push([job(7)])
    stored = broker.hgetall("rq:job:i7-a1")
    assert stored[b"description"] == b"note"
    assert b"failure_ttl" in stored
    fetched = Job.fetch("i7-a1", connection=broker, serializer=SERIALIZER)
    assert (fetched.args, fetched.kwargs) == ([7, 1], {})
    assert (fetched.result_ttl, fetched.failure_ttl, fetched.timeout) == (0, FAILURE_SECONDS, 900)
    assert fetched.retries_left is None
    assert json.loads(SERIALIZER.dumps([7, 1])) == [7, 1]
    with pytest.raises(ValueError, match=r"codec|Expecting"):
        SERIALIZER.loads(b"\x80\x04K\x01.")  # a pickle is not run


def test_each_job_goes_to_its_own_queue(broker: redis.Redis) -> None:
    RqJobQueue(broker).push([job(1), job(2, queue=BULK), job(3, queue=BULK)])
    assert (depth(broker).waiting, depth(broker, BULK).waiting) == (1, 2)
    assert [each.queue for each in RqJobQueue(broker).depths()] == list(QUEUES)


def test_an_id_twice_in_one_push_is_one_job_and_a_second_push_does_no_harm(broker: redis.Redis) -> None:
    done.clear()
    RqJobQueue(broker).push([job(1), job(1), job(1, attempt=2)])
    assert depth(broker).waiting == 2
    RqJobQueue(broker).push([job(1)])
    work(broker)
    assert set(done) == {(1, 1), (1, 2)}


def test_pushing_nothing_asks_nobody() -> None:
    server = fakeredis.FakeServer()
    server.connected = False
    RqJobQueue(fakeredis.FakeRedis(server=server)).push([])


@pytest.mark.parametrize(
    "wrong",
    [QueuedJob("a:b", INTERACTIVE, "x.y", ()), QueuedJob("", BULK, "x.y", ()), QueuedJob("a", "other", "x.y", ())],
)
def test_a_job_nobody_would_find_again_is_our_bug(broker: redis.Redis, wrong: QueuedJob) -> None:
    with pytest.raises(ValueError, match="not a job of ours"):
        RqJobQueue(broker).push([job(1), wrong])
    assert depth(broker).waiting == 0


def test_without_redis_the_relay_is_told_to_come_again(broker_process: BrokerProcess) -> None:
    queue = RqJobQueue(broker_process.client())
    broker_process.stop()
    for call in (lambda: queue.push([job(1)]), queue.depths, queue.takes_writes):
        with pytest.raises(TemporaryError) as caught:
            call()
        assert caught.value.code == "queue_unavailable"


def test_a_full_redis_takes_all_or_none(broker: redis.Redis) -> None:
    broker.config_set("maxmemory", "1")
    try:
        with pytest.raises(TemporaryError):
            RqJobQueue(broker).push([job(n) for n in range(50)])
    finally:
        broker.config_set("maxmemory", "0")
    assert depth(broker).waiting == 0


def test_a_redis_that_takes_no_writes_answers_and_says_so(broker: redis.Redis) -> None:
    """Full, or a replica that only reads: what it holds can still be looked at."""
    queue = RqJobQueue(broker)
    assert queue.takes_writes()
    broker.config_set("maxmemory", "1")
    try:
        assert not queue.takes_writes() and queue.depths()
    finally:
        broker.config_set("maxmemory", "0")
    broker.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        assert not queue.takes_writes() and queue.depths()
    finally:
        broker.execute_command("REPLICAOF", "NO", "ONE")
    assert queue.takes_writes()


def test_depths_show_failures_and_age(broker: redis.Redis) -> None:
    empty = depth(broker)
    assert (empty.waiting, empty.running, empty.failed, empty.oldest_age, empty.workers) == (0, 0, 0, None, 0)
    RqJobQueue(broker).push([job(1, function="fail")])
    work(broker)
    RqJobQueue(broker).push([job(2), job(3)])
    long_ago = datetime.now(UTC) - timedelta(seconds=90)
    broker.hset("rq:job:i2-a1", "enqueued_at", long_ago.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    now = depth(broker)
    assert (now.waiting, now.failed) == (2, 1)
    assert now.oldest_age == pytest.approx(90, abs=2)
    assert 0 < broker.ttl("rq:job:i1-a1") <= FAILURE_SECONDS


def test_depths_count_workers_of_each_queue(broker: redis.Redis) -> None:
    queue = Queue(BULK, connection=broker, serializer=SERIALIZER)
    worker = SimpleWorker([queue], connection=broker, serializer=SERIALIZER, name="w1")
    worker.register_birth()
    try:
        assert (depth(broker, BULK).workers, depth(broker).workers) == (1, 0)
    finally:
        worker.register_death()


def test_a_waiting_job_whose_hash_is_gone_has_no_age(broker: redis.Redis) -> None:
    RqJobQueue(broker).push([job(1)])
    broker.delete("rq:job:i1-a1")
    assert depth(broker).oldest_age is None


def test_ten_thousand_are_one_push(broker: redis.Redis) -> None:
    RqJobQueue(broker).push([job(n, queue=BULK) for n in range(10_000)])
    assert depth(broker, BULK).waiting == 10_000
