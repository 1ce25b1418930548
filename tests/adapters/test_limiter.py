"""The limiter on a real server: every window holds, across processes, and a closed vendor is closed for all."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time

import pytest
import redis

from app.adapters.limiter import RedisRateLimiter
from app.config import Window
from tests.adapters.conftest import BrokerProcess

KEY = "smarthr:awase-renshu"
ALL = Window(10_000, 3600.0)
"""So wide that it never holds, and every grant stays in the list to be looked at."""


def limiter(broker: redis.Redis, *windows: Window, patience: float = 100.0) -> RedisRateLimiter:
    return RedisRateLimiter(broker, {"smarthr": windows, "freee": (Window(1, 1.0),)}, patience)


def booked(broker: redis.Redis) -> list[float]:
    """When the permits were granted for, in seconds on the server's clock, first one first."""
    (key,) = broker.keys("*:grants")
    return [int(moment) / 1e6 for moment in reversed(broker.lrange(key, 0, -1))]


def most_in(times: list[float], seconds: float) -> int:
    """The fullest window of that length, its end left out (a microsecond covers the floats)."""
    return max(sum(1 for t in times if start <= t < start + seconds - 1e-6) for start in times)


def take(subject: RedisRateLimiter, count: int) -> list[float]:
    return [subject.reserve(KEY) for _ in range(count)]


def test_first_permit_is_free_and_short_windows_are_spaced(broker: redis.Redis) -> None:
    waits = take(limiter(broker, Window(8, 1.0), ALL), 17)
    assert waits[0] == 0.0
    assert [b - a for a, b in itertools.pairwise(booked(broker))] == pytest.approx([0.125] * 16, abs=1e-3)
    assert 0 < waits[1] <= 0.125
    assert 0 < waits[16] <= 2.0


def test_long_windows_allow_a_burst_and_then_hold(broker: redis.Redis) -> None:
    waits = take(limiter(broker, Window(5, 20.0), ALL), 12)
    assert waits[:5] == [0.0] * 5
    assert waits[5:10] == pytest.approx([20.0] * 5, abs=1.0)
    times = booked(broker)
    assert [times[n + 5] - times[n] for n in range(7)] == pytest.approx([20.0] * 7, abs=1e-3)


def test_all_windows_hold_at_once(broker: redis.Redis) -> None:
    take(limiter(broker, Window(10, 1.0), Window(25, 10.0), Window(40, 30.0), ALL, patience=1000), 120)
    times = booked(broker)
    assert [most_in(times, seconds) for seconds in (1.0, 10.0, 30.0)] == [10, 25, 40]
    assert times == sorted(times)
    assert len(times) == 120


def test_beyond_patience_nothing_is_booked(broker: redis.Redis) -> None:
    subject = limiter(broker, Window(2, 30.0), ALL, patience=5.0)
    assert take(subject, 2) == [0.0, 0.0]
    # Had these been booked, the later ones would have to wait several windows.
    assert all(-30.0 <= wait < -25.0 for wait in take(subject, 50))
    assert len(booked(broker)) == 2


def test_keys_do_not_disturb_each_other(broker: redis.Redis) -> None:
    subject = limiter(broker, Window(1, 50.0), patience=1.0)
    assert subject.reserve("smarthr:a") == 0.0
    assert subject.reserve("smarthr:b") == 0.0
    assert subject.reserve("freee:a") == 0.0
    subject.close("smarthr:a", 500)
    assert subject.reserve("freee:b") == 0.0
    assert subject.reserve("smarthr:c") == 0.0


def test_closed_for_everybody_until_then_and_the_longer_closing_stays(broker: redis.Redis) -> None:
    one, other = limiter(broker, Window(100, 1.0), patience=2.0), limiter(broker, Window(100, 1.0), patience=2.0)
    one.close(KEY, 40)
    one.close(KEY, 3)
    assert -40.0 <= other.reserve(KEY) < -35.0
    assert 35.0 < other.closed_for(KEY) <= 40.0
    assert other.closed_for("smarthr:elsewhere") == 0.0


def test_short_closing_is_waited_for(broker: redis.Redis) -> None:
    subject = limiter(broker, Window(100, 1.0), patience=2.0)
    subject.close(KEY, 0.3)
    assert 0.2 < subject.reserve(KEY) <= 0.3
    time.sleep(0.32)
    assert subject.closed_for(KEY) == 0.0
    assert broker.exists("awase:limit:{smarthr:awase-renshu}:closed") == 0


def test_without_limits_only_closing_counts(broker: redis.Redis) -> None:
    subject = limiter(broker, patience=1.0)
    assert [subject.reserve(KEY) for _ in range(100)] == [0.0] * 100
    assert broker.keys() == []
    assert subject.pace(KEY) == float("inf")


def test_keys_end_by_themselves(broker: redis.Redis) -> None:
    limiter(broker, Window(5, 20.0)).reserve(KEY)
    (key,) = broker.keys()
    assert 20_000 < broker.pttl(key) < 25_000


def test_the_list_stays_as_short_as_the_largest_window(broker: redis.Redis) -> None:
    take(limiter(broker, Window(10, 20.0), Window(4, 1.0), patience=1000), 60)
    assert broker.llen(broker.keys()[0]) == 10


def test_pace_is_the_slowest_window(broker: redis.Redis) -> None:
    assert limiter(broker, Window(8, 1.0), Window(4250, 3600.0)).pace(KEY) == pytest.approx(4250 / 3600)


_WORKER = """
import sys, time
import redis
from app.adapters.limiter import RedisRateLimiter
from app.config import Window
windows = (Window(20, 1.0), Window(45, 3.0), Window(10_000, 3600.0))
subject = RedisRateLimiter(redis.Redis(unix_socket_path=sys.argv[1]), {"smarthr": windows}, 1)
used, until = 0, time.monotonic() + 3.5
while time.monotonic() < until:
    wait = subject.reserve("smarthr:x")
    time.sleep(max(wait, 0) or 0.01)
    used += wait >= 0
print(used)
"""


@pytest.mark.processes
def test_no_window_is_exceeded_by_many_processes(broker_process: BrokerProcess) -> None:
    command = [sys.executable, "-c", _WORKER, str(broker_process.socket)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(4)]
    used = [int(child.communicate(timeout=60)[0]) for child in children]
    times = booked(broker_process.client())
    assert sum(used) == len(times) > 45
    assert sum(1 for each in used if each) > 1
    assert most_in(times, 1.0) <= 20
    assert most_in(times, 3.0) == 45


def test_without_redis_a_tenth_per_process(broker_process: BrokerProcess) -> None:
    subject = RedisRateLimiter(broker_process.client(), {"smarthr": (Window(100, 50.0), Window(5, 1.0))}, 1000.0)
    broker_process.stop()
    waits = take(subject, 21)
    # 5/s shared by ten is one in two seconds, 100/50 s is ten in fifty.
    assert waits[:10] == pytest.approx([2.0 * n for n in range(10)], abs=1.0)
    assert waits[10] == pytest.approx(50.0, abs=1.0)
    assert waits[20] == pytest.approx(100.0, abs=1.0)


def test_without_redis_patience_and_closing_hold(broker_process: BrokerProcess) -> None:
    subject = limiter(broker_process.client(), Window(10, 50.0), patience=1.0)
    broker_process.stop()
    assert subject.reserve(KEY) == 0.0
    assert -50.0 <= subject.reserve(KEY) < -49.0
    subject.close(KEY, 90)
    assert -90.0 <= subject.reserve(KEY) < -89.0
    assert 89.0 < subject.closed_for(KEY) <= 90.0


def test_a_redis_that_failed_is_left_alone_for_a_while(broker_process: BrokerProcess) -> None:
    subject = limiter(broker_process.client(), Window(20, 50.0), patience=1.0)
    broker_process.stop()
    subject.reserve(KEY)
    broker_process.start()
    assert subject.reserve(KEY) == 0.0
    # Still the local tenth: a hanging Redis costs its timeout once in a while, not at every call.
    assert subject.reserve(KEY) < -49.0
    assert broker_process.client().keys() == []


def test_redis_is_used_again_after_its_return(broker_process: BrokerProcess) -> None:
    subject = RedisRateLimiter(broker_process.client(), {"smarthr": (Window(20, 50.0),)}, 1.0, rest_seconds=0.05)
    broker_process.stop()
    assert subject.reserve(KEY) == 0.0
    broker_process.start()
    time.sleep(0.06)
    assert [subject.reserve(KEY) for _ in range(20)] == [0.0] * 20
    assert subject.reserve(KEY) < -49.0


# ── what ops sees ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("taken", [0, 1, 7, 12, 13])
def test_remaining_is_what_the_longest_window_still_gives(broker: redis.Redis, taken: int) -> None:
    subject = limiter(broker, Window(1000, 1.0), Window(13, 3600.0), patience=10.0)
    take(subject, taken)
    assert subject.remaining(KEY) == 13 - taken
    subject.reserve(KEY)
    assert subject.remaining(KEY) == max(12 - taken, 0)
    assert subject.remaining("smarthr:another") == 13


def test_remaining_forgets_what_has_left_the_window(broker: redis.Redis) -> None:
    subject = limiter(broker, Window(3, 0.3))
    take(subject, 3)
    assert subject.remaining(KEY) == 0
    time.sleep(0.6)
    assert subject.remaining(KEY) == 3


def test_remaining_without_redis_is_of_this_process_share() -> None:
    nowhere = redis.Redis(unix_socket_path="/nowhere/at/all.sock")
    subject = limiter(nowhere, Window(40, 3600.0))
    assert subject.remaining(KEY) == 4
    subject.reserve(KEY)
    assert subject.remaining(KEY) == 3


# ── what can be had soon ──────────────────────────────────────────────────────────────────────────────────────────


def outlook(subject: RedisRateLimiter, *, most: int = 100) -> tuple[int, int]:
    return subject.outlook([KEY], most=most)[KEY]


def test_the_outlook_counts_what_each_window_gives_within_the_patience(broker: redis.Redis) -> None:
    subject = limiter(broker, Window(5, 20.0), ALL, patience=2.0)
    assert outlook(subject) == (5, 5)
    assert outlook(subject, most=3) == (3, 3)
    take(subject, 4)
    assert outlook(subject) == (1, 5)
    take(subject, 1)
    assert outlook(subject) == (0, 5)
    assert outlook(limiter(broker, Window(5, 20.0), ALL, patience=30.0)) == (5, 5), "they come back within 30 s"


def test_the_outlook_counts_spaced_permits_one_by_one(broker: redis.Redis) -> None:
    subject = limiter(broker, Window(8, 1.0), ALL, patience=2.0)
    assert outlook(subject) == (17, 17), "one now, and one each eighth of a second"
    take(subject, 12)
    assert 5 <= outlook(subject)[0] <= 12, "those booked ahead are gone; some of the time may have passed"


def test_the_outlook_of_a_closed_key_is_nothing(broker: redis.Redis) -> None:
    subject = limiter(broker, Window(5, 20.0), patience=2.0)
    subject.close(KEY, 60.0)
    assert outlook(subject) == (0, 5)
    other = "smarthr:another"
    assert subject.outlook([KEY, other], most=9) == {KEY: (0, 5), other: (5, 5)}


def test_there_is_no_outlook_without_limits_or_without_redis(
    broker: redis.Redis, broker_process: BrokerProcess
) -> None:
    assert limiter(broker).outlook([KEY], most=9) == {}
    broker_process.stop()
    try:
        assert limiter(broker, Window(5, 20.0)).outlook([KEY], most=9) == {}
    finally:
        broker_process.start()
