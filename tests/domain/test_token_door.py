"""The door to freee's token endpoint: how long it is closed, what pace is kept, when a pair is renewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.vendors.token_door import (
    FIRST_SECONDS,
    LONGEST_SECONDS,
    MOST_ANSWERS,
    SHORTEST_SECONDS,
    Door,
    Pace,
    after_answer,
    after_refusal,
    renewal_due_at,
    reserve_of,
)

NOW = datetime(2026, 12, 15, 3, 0, tzinfo=UTC)
SIX_HOURS = timedelta(hours=6)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def refused(door: Door, now: datetime = NOW, *, asked: float | None = None, chance: float = 1.0) -> Door:
    return after_refusal(door, now, retry_after=asked, limited=True, chance=chance)


# ── closed ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_door_is_open() -> None:
    assert Door().opens_in(NOW) == 0.0


def test_the_time_that_was_asked_for_is_kept_to_the_second() -> None:
    door = refused(Door(), asked=47)
    assert (door.opens_in(NOW), door.opens_in(later(46)), door.opens_in(later(47))) == (47, 1, 0)


def test_without_a_wish_the_back_off_doubles_up_to_a_quarter_of_an_hour() -> None:
    door, waits = Door(), []
    for _ in range(8):
        door = refused(door)
        waits.append(door.opens_in(NOW))
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


@given(refusals=st.integers(0, 10_000), chance=st.floats(0, 1))
def test_the_jitter_is_full_and_the_back_off_has_both_bounds(refusals: int, chance: float) -> None:
    wait = refused(Door(refusals=refusals), chance=chance).opens_in(NOW)
    longest = min(FIRST_SECONDS * 2 ** min(refusals, 30), LONGEST_SECONDS)
    assert wait == pytest.approx(max(chance * longest, SHORTEST_SECONDS), abs=1e-5)


def test_an_answer_opens_the_door_and_the_back_off_begins_anew() -> None:
    door = after_answer(refused(refused(Door())), later(90))
    assert door.opens_in(later(90)) == 0.0
    assert refused(door, later(7200)).opens_in(later(7200)) == FIRST_SECONDS


# ── the pace ──────────────────────────────────────────────────────────────────────────────────────────────────────


def heard(*seconds: float) -> Door:
    door = Door()
    for each in seconds:
        door = after_answer(door, later(each))
    return door


def test_a_refusal_without_a_wish_teaches_how_many_a_minute_the_limit_lets_through() -> None:
    door = refused(heard(0, 1, 2, 3, 4), later(5), chance=0.0)
    assert door.opens_in(later(6)) == 54, "the first of the five is a minute old then"
    door = after_answer(door, later(60))
    assert door.opens_in(later(60)) == 1, "the second of the five"


def test_a_probe_that_comes_too_early_doubles_the_window() -> None:
    door = refused(refused(heard(0, 1), later(5), chance=0.0), later(60), chance=0.0)
    assert door.opens_in(later(60)) == 60


def test_a_limit_that_shrinks_is_followed() -> None:
    door = refused(heard(0, 1, 2), later(3), chance=0.0)
    for each in (60, 61, 62):
        door = after_answer(door, later(each))
    door = refused(door, later(120), chance=0.0)
    assert door.pace is not None
    assert (door.pace.permits, door.pace.seconds) == (2, 60)


def test_an_endpoint_that_names_its_wait_or_is_away_teaches_no_pace() -> None:
    assert refused(heard(0, 1), later(2), asked=30).pace is None
    assert after_refusal(heard(0, 1), later(2), retry_after=None, limited=False, chance=0.5).pace is None
    assert refused(Door()).pace is None, "nothing was heard, so nothing can be told"


def test_a_pace_is_forgotten_after_an_hour_without_refusals() -> None:
    door = refused(heard(0, 1), later(2), chance=0.0)
    door = after_answer(after_answer(door, later(3601)), later(3601.5))
    assert door.opens_in(later(3601.6)) > 50
    assert after_answer(door, later(3603)).opens_in(later(3603)) == 0.0


def test_what_is_remembered_has_a_bound() -> None:
    door = heard(*(each / 10 for each in range(MOST_ANSWERS * 2)))
    assert len(door.heard) == MOST_ANSWERS
    assert len(after_answer(door, later(9000)).heard) == 1


def test_at_its_end_a_pace_is_forgotten_and_not_learned_from() -> None:
    ended = Door(heard=(later(-70), later(-60), later(-1)), pace=Pace(2, 120, NOW))
    assert ended.opens_in(NOW) == 0.0
    assert after_answer(ended, NOW).pace is None
    assert refused(ended).pace == Pace(1, 60, later(3600)), "what was heard within the minute counts, not the pace"


def test_what_was_heard_an_hour_ago_is_forgotten() -> None:
    assert after_answer(heard(0, 1), later(3600)).heard == (later(1), later(3600))


@pytest.mark.parametrize(("permits", "after"), [(3, 2), (2, 1), (1, 1)])
def test_a_limit_that_shrinks_leaves_one_request_and_lasts_an_hour(permits: int, after: int) -> None:
    assert refused(Door(pace=Pace(permits, 60, later(5)))).pace == Pace(after, 60, later(3600))


def test_a_door_that_could_have_opened_before_is_open() -> None:
    assert Door(1, later(-5), (later(-120),), Pace(1, 60, later(9))).opens_in(NOW) == 0.0


# ── when a pair is renewed ────────────────────────────────────────────────────────────────────────────────────────


@given(connection=st.integers(1, 2**31), life=st.floats(60, 86_400))
def test_every_pair_is_due_in_the_last_third_and_before_the_reserve(connection: int, life: float) -> None:
    ends = NOW + timedelta(seconds=life)
    due = renewal_due_at(connection, issued_at=NOW, expires_at=ends)
    assert ends - timedelta(seconds=life / 3 + 1) <= due
    assert due <= ends - reserve_of(issued_at=NOW, expires_at=ends) + timedelta(seconds=1)


def test_an_unknown_issue_is_taken_for_six_hours_ago_at_the_end() -> None:
    assert reserve_of(issued_at=None, expires_at=NOW) == timedelta(minutes=30)


@pytest.mark.parametrize("connections", [2, 5, 50, 500])
def test_pairs_that_were_issued_together_do_not_fall_due_together(connections: int) -> None:
    ends = NOW + SIX_HOURS
    due = sorted(renewal_due_at(each, issued_at=NOW, expires_at=ends) for each in range(1, connections + 1))
    gaps = [(after - before).total_seconds() for before, after in pairwise(due)]
    assert min(gaps) > 5400 / connections / 3, "spread evenly over an hour and a half"
    assert due[0] < ends - SIX_HOURS / 3 + timedelta(seconds=5400 / connections * 2)
    assert due[-1] > ends - SIX_HOURS / 12 - timedelta(seconds=5400 / connections * 2)
