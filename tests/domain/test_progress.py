"""Rate and time to go."""

from __future__ import annotations

import pytest

from app.domain.runs.progress import measure


@pytest.mark.parametrize(
    ("done", "total", "recent", "expected"),
    [
        (60, 300, (60, 60.0), (1.0, 240.0)),  # measured
        (10, 11, (10, 5.0), (2.0, 0.5)),
        (1, 9, (1, 0.5), (2.0, 4.0)),  # measured for less than a second
        (0, 300, (0, 0.0), (None, 900.0)),  # nothing measured: three seconds each
        (100, 300, (0, 60.0), (0.0, 600.0)),  # standing still: the limits again, not infinity
        (300, 300, (30, 60.0), (0.5, 0.0)),
        (301, 300, (0, 60.0), (0.0, 0.0)),  # an item may be counted twice while a page is built
        (0, 0, (0, 0.0), (None, 0.0)),
        (5, None, (5, 10.0), (0.5, None)),  # the survey does not know the total yet
        (0, None, (0, 0.0), (None, None)),
    ],
)
def test_rate_and_seconds_to_go(
    done: int, total: int | None, recent: tuple[int, float], expected: tuple[float | None, float | None]
) -> None:
    recent_done, recent_seconds = recent
    found = measure(done, total, recent_done=recent_done, recent_seconds=recent_seconds, item_seconds=3.0)
    assert found == expected


@pytest.mark.parametrize(
    ("done", "recent", "eta"),
    [
        (60, (60, 60.0), 45.0 + 240.0),  # measured, and then somebody closed the door
        (0, (0, 0.0), 45.0 + 900.0),
        (300, (30, 60.0), 0.0),  # nothing is left that would have to wait
    ],
)
def test_a_closed_vendor_is_waited_for_first(done: int, recent: tuple[int, float], eta: float) -> None:
    recent_done, recent_seconds = recent
    found = measure(
        done, 300, recent_done=recent_done, recent_seconds=recent_seconds, item_seconds=3.0, closed_seconds=45.0
    )
    assert found[1] == eta


def test_a_generous_limit_is_a_limit() -> None:
    assert measure(0, 10, recent_done=0, recent_seconds=0.0, item_seconds=0.5) == (None, 5.0)


def test_nothing_is_said_without_any_measure() -> None:
    assert measure(0, 10, recent_done=0, recent_seconds=0.0, item_seconds=0.0) == (None, None)
    assert measure(0, 10, recent_done=0, recent_seconds=0.0, item_seconds=0.0, closed_seconds=9.0) == (None, None)
