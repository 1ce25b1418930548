"""The clock of a process follows the database's, and never tells an earlier time than before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.clock import ASK_AGAIN_SECONDS, FollowingClock
from app.domain.ports import ClockReading

START = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


class World:
    """The database's clock and the host's, which `off` sets wrong; both go on when time passes."""

    def __init__(self, *, off: float = 0.0, round_trip: float = 0.0) -> None:
        self.passed, self.off, self.round_trip = 1000.0, off, round_trip
        self.answers, self.asked = True, 0
        self.database_off = 0.0

    def host(self) -> float:
        return self.database().timestamp() - self.database_off + self.off

    def monotonic(self) -> float:
        return self.passed

    def database(self) -> datetime:
        return START + timedelta(seconds=self.passed + self.database_off)

    def read(self) -> ClockReading | None:
        self.asked += 1
        if not self.answers:
            self.passed += self.round_trip
            return None
        asked = self.passed
        self.passed += self.round_trip / 2
        theirs = self.database()
        self.passed += self.round_trip / 2
        return ClockReading(theirs, asked, self.passed)

    def clock(self) -> FollowingClock:
        return FollowingClock(self.read, host=self.host, monotonic=self.monotonic)


def seconds(span: timedelta) -> float:
    return span.total_seconds()


@pytest.mark.parametrize("off", [-300.0, 0.0, 300.0])
def test_a_host_with_a_wrong_clock_tells_the_database_s_time(off: float) -> None:
    world = World(off=off, round_trip=0.02)
    clock = world.clock()
    assert abs(seconds(clock.now() - world.database())) < 0.001
    world.passed += 3600
    assert abs(seconds(clock.now() - world.database())) < 0.001
    assert clock.skew == pytest.approx(off, abs=0.001)


def test_the_database_is_asked_once_and_then_at_each_follow() -> None:
    world = World(off=300.0)
    clock = world.clock()
    for _ in range(100):
        clock.now()
    assert world.asked == 1
    clock.follow()
    assert world.asked == 2


def test_while_the_database_does_not_answer_nothing_is_known_and_it_is_asked_again() -> None:
    world = World(off=300.0)
    world.answers = False
    clock = world.clock()
    assert seconds(clock.now() - world.database()) == pytest.approx(300.0)
    assert clock.skew is None
    clock.now()
    assert world.asked == 1, "each use would wait for a database that is away"
    world.answers = True
    world.passed += ASK_AGAIN_SECONDS
    clock.now()
    assert clock.skew == pytest.approx(300.0)


def test_whoever_has_followed_goes_on_through_an_outage() -> None:
    world = World(off=300.0)
    clock = world.clock()
    clock.now()
    world.answers = False
    world.passed += 600
    clock.follow()
    assert abs(seconds(clock.now() - world.database())) < 0.001


def test_a_host_s_clock_that_is_set_meanwhile_changes_only_the_skew() -> None:
    world = World()
    clock = world.clock()
    clock.now()
    world.off = -300.0
    assert abs(seconds(clock.now() - world.database())) < 0.001
    assert clock.skew == pytest.approx(-300.0)


def test_a_reference_that_jumps_ahead_is_followed_at_once() -> None:
    world = World()
    clock = world.clock()
    clock.now()
    world.database_off += 40.0
    clock.follow()
    assert abs(seconds(clock.now() - world.database())) < 0.001


def test_a_reference_that_jumps_back_is_waited_for_at_half_the_pace() -> None:
    world = World()
    clock = world.clock()
    before = clock.now()
    world.database_off -= 40.0
    clock.follow()
    assert seconds(clock.now() - before) == pytest.approx(0.0, abs=0.001)
    world.passed += 30.0
    assert seconds(clock.now() - before) == pytest.approx(15.0, abs=0.001)
    world.passed += 60.0
    assert seconds(clock.now() - world.database()) == pytest.approx(0.0, abs=0.001)


def test_an_answer_that_was_long_on_its_way_corrects_no_known_clock() -> None:
    world = World(round_trip=0.01)
    clock = world.clock()
    clock.now()
    world.round_trip, world.database_off = 10.0, 3.0
    clock.follow()
    assert seconds(world.database() - clock.now()) == pytest.approx(3.0, abs=0.01)
    world.round_trip = 0.01
    clock.follow()
    assert abs(seconds(clock.now() - world.database())) < 0.01


def test_without_a_database_of_its_own_the_host_s_clock_is_the_time_and_does_not_jump_back() -> None:
    world = World()
    clock = FollowingClock(host=world.host, monotonic=world.monotonic)
    before = clock.now()
    assert seconds(before - world.database()) == pytest.approx(0.0, abs=0.001)
    assert clock.skew == 0.0
    world.off = 3600.0
    ahead = clock.now()
    assert seconds(ahead - before) == pytest.approx(3600.0, abs=0.001)
    world.off = 0.0
    assert clock.now() >= ahead - timedelta(microseconds=2)
    world.passed += 7200.0
    assert seconds(clock.now() - world.database()) == pytest.approx(0.0, abs=0.001)


@given(
    events=st.lists(
        st.tuples(st.sampled_from(["pass", "host", "database", "follow"]), st.floats(-400, 400)), max_size=40
    ),
    own=st.booleans(),
)
def test_no_process_tells_an_earlier_time_than_before(events: list[tuple[str, float]], own: bool) -> None:
    world = World(round_trip=0.05)
    clock = world.clock() if own else FollowingClock(host=world.host, monotonic=world.monotonic)
    last = clock.now()
    for kind, value in events:
        if kind == "pass":
            world.passed += abs(value)
        elif kind == "host":
            world.off = value
        elif kind == "database":
            world.database_off = value
        else:
            clock.follow()
        now = clock.now()
        assert now >= last - timedelta(microseconds=5)  # what a float of seconds since 1970 leaves open
        last = now
