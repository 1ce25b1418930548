"""Everybody as listed within the last minute: many who want the list at once list everybody once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

from app.adapters.people_cache import PeopleCache
from app.domain.employee import EmployeeRecord, Person
from app.domain.enums import System
from tests.adapters.freee_world import TODAY, HandClock

KEY = ("freee", "1", TODAY)
CALLERS = 8


class SeenClock(HandClock):
    """Knows how many threads have looked at it."""

    def __init__(self) -> None:
        super().__init__()
        self._seen_by: set[int] = set()

    @property
    def asked(self) -> int:
        return len(self._seen_by)

    def now(self) -> datetime:
        self._seen_by.add(threading.get_ident())
        return super().now()


class Listing:
    """The vendor's list of everybody, which takes until `let_through`."""

    def __init__(self, clock: HandClock) -> None:
        self.times, self._clock, self._open = 0, clock, threading.Event()

    def let_through(self) -> None:
        self._open.set()

    def __call__(self) -> Sequence[EmployeeRecord]:
        assert self._open.wait(30)
        self.times += 1
        self._clock.turn(seconds=1)
        return [EmployeeRecord(Person(System.FREEE, str(self.times), ""), None)]


def seen(people: Sequence[EmployeeRecord]) -> str:
    return people[0].person.id


def asked_at_once(cache: PeopleCache, clock: SeenClock, listing: Listing, *, fresh: bool) -> list[str]:
    with ThreadPoolExecutor(CALLERS) as threads:
        asked = [threads.submit(cache.get, KEY, listing, fresh=fresh) for _ in range(CALLERS)]
        while clock.asked < CALLERS:  # each looks at the clock before it waits
            threading.Event().wait(0.01)
        listing.let_through()
        return [seen(each.result(30)) for each in asked]


def test_who_asks_while_everybody_is_being_listed_gets_that_list() -> None:
    clock = SeenClock()
    listing = Listing(clock)
    assert set(asked_at_once(PeopleCache(clock), clock, listing, fresh=False)) == {"1"}
    assert listing.times == 1


def test_who_wants_a_fresh_list_gets_one_that_began_after_the_question() -> None:
    clock = SeenClock()
    listing = Listing(clock)
    found = asked_at_once(PeopleCache(clock), clock, listing, fresh=True)
    assert min(found) == "1"
    assert found.count("1") == 1
    assert listing.times == 2


def test_a_kept_list_serves_a_minute_and_nobody_who_asks_for_a_later_one() -> None:
    clock = HandClock()
    listing = Listing(clock)
    listing.let_through()
    cache = PeopleCache(clock)
    assert seen(cache.get(KEY, listing)) == seen(cache.get(KEY, listing)) == "1"
    assert seen(cache.get(KEY, listing, since=clock.now() - timedelta(seconds=30))) == "1"
    assert seen(cache.get(KEY, listing, since=clock.now())) == "2"
    assert seen(cache.get(("freee", "1", date.min), listing)) == "3"
    clock.turn(seconds=61)
    assert seen(cache.get(KEY, listing)) == "4"
