"""What ops reads of the queues stays readable, whatever somebody has written into Redis."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import fakeredis
import pytest
import redis

from app.adapters.job_queue import OLDEST_SECONDS, RqJobQueue
from app.domain.errors import TemporaryError
from app.domain.ports import QueueDepth

QUEUE = "rq:queue:interactive"


def forge(entry: bytes, moment: bytes | None = None) -> Callable[[redis.Redis], object]:
    def write(broker: redis.Redis) -> None:
        broker.rpush(QUEUE, entry)
        if moment is not None:
            broker.hset(b"rq:job:" + entry, mapping={"enqueued_at": moment, "result_ttl": "many", "data": b"\x80"})

    return write


HEADS: dict[str, Callable[[redis.Redis], object]] = {
    "no UTF-8": forge(b"\xff\xfe"),
    "no id": forge(b"a:b %s", b"x"),
    "no moment": forge(b"evil", b"yesterday"),
    "a moment that is no UTF-8": forge(b"evil", b"\xff\xfe"),
    "a moment of a megabyte": forge(b"evil", b"9" * 1_000_000),
    "a list as the job": lambda broker: (broker.rpush(QUEUE, "evil"), broker.rpush("rq:job:evil", "x")),
    "a worker that is no UTF-8": lambda broker: (broker.rpush(QUEUE, "evil"), broker.sadd("rq:workers:bulk", b"\xff")),
}


def depth(broker: redis.Redis) -> QueueDepth:
    return RqJobQueue(broker).depths()[0]


@pytest.mark.parametrize("head", list(HEADS))
def test_what_cannot_be_read_has_no_age(head: str) -> None:
    broker = fakeredis.FakeStrictRedis()
    HEADS[head](broker)
    assert (depth(broker).waiting, depth(broker).oldest_age) == (1, None)


@pytest.mark.parametrize("moment", [b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59.999999Z"])
def test_an_age_is_one_that_can_be_counted_with(moment: bytes) -> None:
    """The reconciler takes it off the present moment."""
    broker = fakeredis.FakeStrictRedis()
    forge(b"evil", moment)(broker)
    age = depth(broker).oldest_age
    assert age is not None
    assert 0 <= age <= OLDEST_SECONDS
    assert datetime.now(UTC) - timedelta(seconds=age)


@pytest.mark.parametrize("key", [QUEUE, "rq:wip:interactive", "rq:failed:bulk", "rq:workers:bulk"])
def test_a_list_that_is_none_is_a_broker_out_of_order(key: str) -> None:
    broker = fakeredis.FakeStrictRedis()
    broker.set(key, "x")
    with pytest.raises(TemporaryError, match="queue_unavailable"):
        RqJobQueue(broker).depths()
