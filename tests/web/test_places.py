"""Places for threads that work: how many there are, who comes next, and that none is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from app.places import Places, place_given_up
from tests.chaos.parts import wait_for


class Room:
    """One place, and the order in which its guests had it."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.places = Places(1)
        self.order: list[str] = []
        self._threads = threads
        self._asked = 0

    def enter(self, name: str, work: Callable[[], object] = lambda: None) -> Future[None]:
        """A guest asks for the place; the next one asks later than this one."""
        asking = threading.Event()

        def guest() -> None:
            asking.set()
            with self.places.taken():
                self.order.append(name)
                work()

        future = self._threads.submit(guest)
        asking.wait(10)
        return future

    def has_waiting(self, guests: int) -> bool:
        return len(self.places._newcomers) + len(self.places._returning) == guests


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_who_asks_first_has_the_place_first(threads: ThreadPoolExecutor) -> None:
    room, leaves = Room(threads), threading.Event()
    guests = [room.enter("inside", lambda: leaves.wait(10))]
    for number in range(5):
        guests.append(room.enter(f"guest {number}"))
        wait_for(partial(room.has_waiting, number + 1), seconds=10, what="the guest")
    leaves.set()
    for guest in guests:
        guest.result(10)
    assert room.order == ["inside", *(f"guest {number}" for number in range(5))]


def test_who_has_waited_for_something_else_comes_before_newcomers(threads: ThreadPoolExecutor) -> None:
    """Else a request that is nearly done waits behind everybody of a flood."""
    room, answered, leaves = Room(threads), threading.Event(), threading.Event()

    def asks_a_vendor() -> None:
        with place_given_up():
            answered.wait(10)
        room.order.append("answered")

    guests = [room.enter("asks", asks_a_vendor)]
    wait_for(lambda: room.order == ["asks"] and room.places._free == 1, seconds=10, what="the question")
    guests.append(room.enter("inside", lambda: leaves.wait(10)))
    wait_for(lambda: room.order[-1] == "inside", seconds=10, what="the one inside")
    guests.append(room.enter("newcomer"))
    wait_for(partial(room.has_waiting, 1), seconds=10, what="the newcomer")
    answered.set()
    wait_for(partial(room.has_waiting, 2), seconds=10, what="the one with an answer")
    leaves.set()
    for guest in guests:
        guest.result(10)
    assert room.order == ["asks", "inside", "answered", "newcomer"]


def test_an_error_inside_loses_no_place(threads: ThreadPoolExecutor) -> None:
    places = Places(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), places.taken(), place_given_up():
            raise ZeroDivisionError
    with places.taken():
        assert places._free == 0
    assert places._free == 1


def test_never_more_work_than_there_are_places(threads: ThreadPoolExecutor) -> None:
    places, lock, at_work, most = Places(2), threading.Lock(), 0, 0

    def works() -> None:
        nonlocal at_work, most
        for _ in range(200):
            with places.taken():
                with lock:
                    at_work += 1
                    most = max(most, at_work)
                with lock:
                    at_work -= 1
                with place_given_up():
                    pass

    for each in [threads.submit(works) for _ in range(8)]:
        each.result(60)
    assert most <= 2
    assert places._free == 2
