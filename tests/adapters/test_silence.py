"""A vendor that never answers is left alone for a while, by all processes, and then asked by one of them first."""

from __future__ import annotations

import threading
import time

import redis

from app.adapters import silence
from app.adapters.limiter import RedisRateLimiter
from app.config import Window
from tests.adapters.conftest import BrokerProcess

KEY, OTHER = "freee:1", "freee:2"


def limiter(broker: redis.Redis, **more: float) -> RedisRateLimiter:
    return RedisRateLimiter(broker, {"freee": (Window(1000, 1.0),)}, 2.0, **more)


def time_out(subject: RedisRateLimiter, key: str = KEY) -> None:
    subject.ended(key, subject.sent(key), answered=False)


def answer(subject: RedisRateLimiter, key: str = KEY) -> None:
    subject.ended(key, subject.sent(key), answered=True)


def reopen(broker: redis.Redis) -> None:
    """Let the time of the closing be over."""
    broker.hset(silence.state_key(KEY), mapping={"till": 1, "probe": 0})
    broker.zadd(silence.SILENT_KEY, {KEY: time.time() * 1e6 - 1})


def test_time_outs_in_a_row_close_the_key_for_every_process(broker: redis.Redis) -> None:
    one, two = limiter(broker), limiter(broker)
    time_out(one)
    time_out(two)
    assert one.reserve(KEY) >= 0 and one.silent_for(KEY) == 0
    time_out(one)
    for process in (one, two):
        assert -silence.FIRST_SECONDS * 1.2 <= process.reserve(KEY) < -1
        assert process.silent_for(KEY) > 1
        assert process.reserve(OTHER) >= 0
    (listed,) = two.silences()
    assert listed.key == KEY and 1 < listed.seconds <= silence.FIRST_SECONDS * 1.2


def test_an_answer_between_two_time_outs_begins_the_count_anew(broker: redis.Redis) -> None:
    one, two = limiter(broker), limiter(broker)
    time_out(one)
    time_out(one)
    assert two.reserve(KEY) >= 0
    answer(two)
    time_out(one)
    time_out(one)
    assert one.reserve(KEY) >= 0


def test_late_time_outs_of_requests_under_way_close_nothing_longer(broker: redis.Redis) -> None:
    subject = limiter(broker)
    for _ in range(12):
        time_out(subject)
    assert subject.silent_for(KEY) <= silence.FIRST_SECONDS * 1.2


def test_one_probe_goes_and_its_answer_opens(broker: redis.Redis) -> None:
    one, two = limiter(broker), limiter(broker)
    for _ in range(3):
        time_out(one)
    reopen(broker)
    assert [each.seconds for each in one.silences()] == [0.0]
    assert two.reserve(KEY) >= 0
    assert one.reserve(KEY) < 0, "the others wait for the answer to the probe"
    answer(two)
    assert one.reserve(KEY) >= 0 and two.reserve(KEY) >= 0
    assert one.silences() == []


def test_a_probe_without_an_answer_closes_for_longer_each_time(broker: redis.Redis) -> None:
    subject, spans = limiter(broker), []
    for _ in range(3):
        time_out(subject)
    for _ in range(7):
        reopen(broker)
        assert subject.reserve(KEY) >= 0
        time_out(subject)
        spans.append(subject.silent_for(KEY))
    assert spans[0] > silence.FIRST_SECONDS and spans[1] > spans[0]
    assert max(spans) <= silence.LONGEST_SECONDS * 1.2


def test_a_probe_that_is_never_heard_of_again_is_followed_by_another(broker: redis.Redis) -> None:
    subject = limiter(broker)
    for _ in range(3):
        time_out(subject)
    reopen(broker)
    assert subject.reserve(KEY) >= 0
    broker.hset(silence.state_key(KEY), "probe", 1)  # its time is over
    assert subject.reserve(KEY) >= 0


def test_a_fault_that_is_no_silence_closes_nothing(broker: redis.Redis) -> None:
    subject = limiter(broker)
    for _ in range(9):
        subject.ended(KEY, subject.sent(KEY), answered=None)
    assert subject.reserve(KEY) >= 0


def test_silence_is_seen_before_the_first_request_times_out(broker: redis.Redis) -> None:
    subject = limiter(broker, early_seconds=0.3)
    requests = [subject.sent(KEY) for _ in range(3)]
    end = time.monotonic() + 5
    while not subject.silent_for(KEY):
        assert time.monotonic() < end
        time.sleep(0.05)
    for request in requests:
        subject.ended(KEY, request, answered=True)
    assert subject.reserve(KEY) >= 0, "it was only slow"


def test_a_slow_vendor_that_answers_somebody_is_not_silent(broker: redis.Redis) -> None:
    subject = limiter(broker, early_seconds=0.3)
    requests = [subject.sent(KEY) for _ in range(4)]
    for _ in range(8):
        time.sleep(0.1)
        answer(subject)
    assert subject.reserve(KEY) >= 0 and not subject.silent_for(KEY)
    assert len(requests) == 4


def test_without_redis_a_process_knows_what_it_has_seen(broker_process: BrokerProcess) -> None:
    subject = limiter(broker_process.client(), rest_seconds=30)
    broker_process.stop()
    for _ in range(3):
        time_out(subject)
    assert subject.reserve(KEY) < -1 and subject.silent_for(KEY) > 1
    assert subject.silences() == []
    answer(subject)
    assert subject.reserve(KEY) >= 0


def test_many_time_outs_at_one_moment_close_once(broker: redis.Redis) -> None:
    subject = limiter(broker)
    threads = [threading.Thread(target=time_out, args=[subject]) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert int(broker.hget(silence.state_key(KEY), "times") or 0) == 1
