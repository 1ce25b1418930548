"""Pauses between repetitions: what the setting says, doubled by each further failure, never shorter than asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.config import Settings
from app.use_cases.shared.backoff import LONGEST_SECONDS, next_try

BASE = 4.0
DRAWN = 300
"""So many that the shortest and the longest of them are near the ends, in all but one of 10^12 runs."""


@pytest.fixture
def settings() -> Settings:
    env = {"SECRET_KEY": "k" * 32, "ENCRYPTION_KEYS": "an-invented-encryption-key", "RETRY_BASE_SECONDS": str(BASE)}
    return Settings.from_env(env)


def drawn(settings: Settings, *, failures: int, retry_after: float | None = None) -> list[float]:
    pauses = [next_try(settings, failures=failures, retry_after=retry_after) for _ in range(DRAWN)]
    return sorted(pause / timedelta(seconds=1) for pause in pauses)


@pytest.mark.parametrize(("failures", "longest"), [(0, 4), (1, 4), (2, 8), (3, 16), (6, 128)])
def test_a_pause_lies_between_half_of_the_longest_and_the_longest(
    settings: Settings, failures: int, longest: float
) -> None:
    pauses = drawn(settings, failures=failures)
    assert longest / 2 <= pauses[0] < longest * 0.55
    assert longest * 0.95 < pauses[-1] <= longest


def test_no_pause_is_longer_than_an_hour(settings: Settings) -> None:
    assert LONGEST_SECONDS / 2 <= drawn(settings, failures=40)[-1] <= LONGEST_SECONDS


@pytest.mark.parametrize("wished", [1.0, 7.0, 600.0])
def test_a_wish_of_the_other_side_is_never_undercut_and_hardly_exceeded(settings: Settings, wished: float) -> None:
    pauses = drawn(settings, failures=1, retry_after=wished)
    assert wished <= pauses[0]
    assert pauses[-1] <= wished * 1.1 + 0.1


@pytest.mark.parametrize("past", [0.0, -600.0, float("nan")])
def test_a_wish_for_a_moment_in_the_past_shortens_no_pause(settings: Settings, past: float) -> None:
    assert drawn(settings, failures=3, retry_after=past)[0] >= 8


def test_a_wish_for_more_than_an_hour_is_an_hour(settings: Settings) -> None:
    assert LONGEST_SECONDS <= drawn(settings, failures=1, retry_after=90_000)[-1] <= LONGEST_SECONDS * 1.1 + 0.1
