"""Group commit: together in one transaction, each with its own result, and nobody left without an outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from app.domain.errors import TemporaryError
from app.use_cases.intake.group_commit import MOST, GroupCommit

pytestmark = pytest.mark.sql


class Away(Exception):
    """The database cannot be reached."""


class Store:
    """Doubles numbers. `gate` holds a transaction until it is opened; `refuses` says which values it does not take."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.refuses: Callable[[int], BaseException | None] = lambda _value: None

    def __call__(self, values: Sequence[int]) -> list[int]:
        self.entered.set()
        assert self.gate.wait(timeout=20)
        self.batches.append(list(values))
        for value in values:
            error = self.refuses(value)
            if error is not None:
                raise error
        return [value * 2 for value in values]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def commits(store: Store) -> GroupCommit[int, int]:
    return GroupCommit(store, common=(Away,))


@contextmanager
def held(store: Store, commits: GroupCommit[int, int], pool: ThreadPoolExecutor) -> Iterator[Future[int]]:
    """One transaction is under way and does not end before the block does."""
    store.gate.clear()
    first = pool.submit(commits.submit, 0, patience=20)
    assert store.entered.wait(timeout=20)
    yield first
    store.gate.set()


def waiting(commits: GroupCommit[int, int], number: int) -> None:
    """Until so many stand in the line."""
    end = time.monotonic() + 20
    while commits.waiting < number:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_one_alone_is_stored_at_once(store: Store, commits: GroupCommit[int, int]) -> None:
    assert [commits.submit(value, patience=1) for value in (4, 5)] == [8, 10]
    assert store.batches == [[4], [5]]


def test_who_comes_meanwhile_goes_together_in_the_next(store: Store, commits: GroupCommit[int, int]) -> None:
    with ThreadPoolExecutor(12) as pool:
        with held(store, commits, pool) as first:
            others = [pool.submit(commits.submit, value, patience=20) for value in range(1, 11)]
            waiting(commits, 10)
        assert first.result(20) == 0
        assert [each.result(20) for each in others] == [value * 2 for value in range(1, 11)]
    assert len(store.batches) == 2
    assert sorted(store.batches[1]) == list(range(1, 11))


def test_a_transaction_does_not_grow_without_end(store: Store, commits: GroupCommit[int, int]) -> None:
    size = MOST + 20
    with ThreadPoolExecutor(size + 1) as pool:
        with held(store, commits, pool):
            others = [pool.submit(commits.submit, value, patience=60) for value in range(size)]
            waiting(commits, size)
        assert sorted(each.result(60) for each in others) == [value * 2 for value in range(size)]
    assert [len(batch) for batch in store.batches] == [1, MOST, 20]


def test_the_fault_of_one_is_not_the_fault_of_all(store: Store, commits: GroupCommit[int, int]) -> None:
    store.refuses = lambda value: ValueError("not this one") if value == 3 else None
    with ThreadPoolExecutor(6) as pool:
        with held(store, commits, pool):
            others = {value: pool.submit(commits.submit, value, patience=20) for value in (1, 2, 3, 4)}
            waiting(commits, 4)
        assert [others[value].result(20) for value in (1, 2, 4)] == [2, 4, 8]
        with pytest.raises(ValueError, match="not this one"):
            others[3].result(20)
    assert sorted(map(len, store.batches)) == [1, 1, 1, 1, 1, 4]


def test_a_database_that_is_away_is_away_for_all_and_asked_once(store: Store, commits: GroupCommit[int, int]) -> None:
    store.refuses = lambda value: Away() if value else None
    with ThreadPoolExecutor(6) as pool:
        with held(store, commits, pool):
            others = [pool.submit(commits.submit, value, patience=20) for value in (1, 2, 3)]
            waiting(commits, 3)
        for each in others:
            with pytest.raises(Away):
                each.result(20)
    assert [len(batch) for batch in store.batches] == [1, 3]


def test_who_waits_too_long_gives_up_and_is_not_stored(store: Store, commits: GroupCommit[int, int]) -> None:
    with ThreadPoolExecutor(2) as pool:
        with held(store, commits, pool), pytest.raises(TemporaryError) as caught:
            commits.submit(7, patience=0.05)
        assert caught.value.code == "database_unavailable"
    assert commits.submit(8, patience=1) == 16
    assert store.batches == [[0], [8]]


def test_after_a_failure_the_next_is_served(store: Store, commits: GroupCommit[int, int]) -> None:
    store.refuses = lambda _value: Away()
    with pytest.raises(Away):
        commits.submit(1, patience=1)
    store.refuses = lambda _value: None
    assert commits.submit(2, patience=1) == 4


def test_a_process_that_is_told_to_go_leaves_nobody_waiting(store: Store, commits: GroupCommit[int, int]) -> None:
    store.refuses = lambda value: SystemExit() if value == 1 else None
    with pytest.raises(SystemExit):
        commits.submit(1, patience=1)
    assert commits.submit(2, patience=1) == 4


def test_many_threads_and_many_values(store: Store, commits: GroupCommit[int, int]) -> None:
    with ThreadPoolExecutor(32) as pool:
        results = list(pool.map(lambda value: commits.submit(value, patience=20), range(2000)))
    assert results == [value * 2 for value in range(2000)]
    assert sorted(value for batch in store.batches for value in batch) == list(range(2000))
