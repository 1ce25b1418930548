"""Beats: done again and again while work goes on, by one thread for all the work of a process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from app.use_cases.shared.beats import MOST_THREADS, beating

OFTEN = 0.02
SOON = 10.0


def until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + SOON
    while not holds() and time.monotonic() < end:
        time.sleep(OFTEN / 4)
    return holds()


class Counted:
    """Counts its beats; `gate` holds one back while it is closed."""

    def __init__(self, *, most: int | None = None) -> None:
        self.count = 0
        self.most = most
        self.gate = threading.Event()
        self.gate.set()
        self.under_way = threading.Event()

    def __call__(self) -> bool:
        self.count += 1
        self.under_way.set()
        assert self.gate.wait(timeout=SOON)
        self.under_way.clear()
        return self.count != self.most


def test_everybody_who_beats_is_served_by_few_threads() -> None:
    beats = [Counted() for _ in range(30)]
    with ExitStack() as stack:
        for each in beats:
            stack.enter_context(beating(each, seconds=OFTEN))
        assert until(lambda: all(each.count >= 3 for each in beats))
        assert sum(thread.name == "beats" for thread in threading.enumerate()) <= MOST_THREADS


def test_a_beat_that_takes_long_delays_no_other() -> None:
    slow, others = Counted(), [Counted() for _ in range(3)]
    slow.gate.clear()
    with ExitStack() as stack:
        stack.enter_context(beating(slow, seconds=OFTEN))
        assert slow.under_way.wait(timeout=SOON)
        for each in others:
            stack.enter_context(beating(each, seconds=OFTEN))
        assert until(lambda: all(each.count >= 3 for each in others))
        assert slow.count == 1
        slow.gate.set()


def test_no_beat_is_under_way_when_the_work_has_ended() -> None:
    slow, ended = Counted(), threading.Event()
    slow.gate.clear()

    def work() -> None:
        with beating(slow, seconds=OFTEN):
            assert slow.under_way.wait(timeout=SOON)
        ended.set()

    worker = threading.Thread(target=work)
    worker.start()
    assert slow.under_way.wait(timeout=SOON)
    assert not ended.wait(timeout=0.1)
    slow.gate.set()
    worker.join()
    told = slow.count
    time.sleep(OFTEN * 5)
    assert slow.count == told


def test_a_beat_that_says_no_is_the_last() -> None:
    last, other = Counted(most=2), Counted()
    with beating(last, seconds=OFTEN), beating(other, seconds=OFTEN):
        assert until(lambda: other.count >= 6)
        assert last.count == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_beat_that_raises_ends_only_its_own() -> None:
    def broken() -> bool:
        told.append(1)
        raise RuntimeError

    told: list[int] = []
    other = Counted()
    with beating(broken, seconds=OFTEN), beating(other, seconds=OFTEN):
        assert until(lambda: bool(told) and other.count >= 5)
    assert len(told) == 1


def test_a_beat_comes_also_to_who_begins_while_nobody_else_works() -> None:
    for _ in range(3):
        late = Counted()
        with beating(late, seconds=OFTEN):
            assert until(lambda: late.count >= 1)  # noqa: B023
