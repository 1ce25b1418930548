"""Hashes of passwords are computed in a bounded pool: whoever finds it full is told at once, and it frees itself."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from argon2 import PasswordHasher

from app.domain.errors import TemporaryError
from app.places import Places
from app.use_cases.accounts.passwords import MOST_WAITING, TURNS, Hashing, hash_password, is_right
from tests.chaos.parts import wait_for
from tests.hashing import CHEAP

ROOM = TURNS + MOST_WAITING


def test_whoever_finds_the_pool_full_is_told_at_once() -> None:
    pool, over = Hashing(), threading.Event()
    with ThreadPoolExecutor(ROOM) as people:
        computed = [people.submit(pool.compute, lambda: over.wait(20)) for _ in range(ROOM)]
        wait_for(lambda: pool.taken == ROOM, seconds=10, what="a full pool")
        with pytest.raises(TemporaryError) as told:
            pool.compute(lambda: True)
        assert told.value.code == "passwords_busy" and told.value.retry_after
        over.set()
        assert all(each.result(10) for each in computed)
    assert pool.compute(lambda: "again") == "again"
    assert pool.taken == 0


def test_whoever_waits_too_long_leaves_and_is_not_computed() -> None:
    pool, over, computed = Hashing(patience=0.05), threading.Event(), []
    for work in [lambda: over.wait(20)] * TURNS + [lambda: computed.append("for nobody")]:
        with pytest.raises(TemporaryError, match="passwords_busy"):
            pool.compute(work)
    over.set()
    wait_for(lambda: pool.taken == 0, seconds=10, what="an empty pool")
    assert computed == []


def test_who_waits_for_a_hash_keeps_nobody_from_working() -> None:
    pool, places, over = Hashing(), Places(1), threading.Event()

    def signs_in() -> bool:
        with places.taken():
            return pool.compute(lambda: over.wait(20))

    with ThreadPoolExecutor(1) as people:
        signed_in = people.submit(signs_in)
        wait_for(lambda: pool.taken == 1, seconds=10, what="the hash")
        with places.taken():  # else here for ever
            over.set()
        assert signed_in.result(10)


def test_an_error_in_the_pool_is_raised_and_leaves_its_place() -> None:
    pool = Hashing()

    def fails() -> None:
        raise ValueError("as it was")

    for _ in range(ROOM + 1):
        with pytest.raises(ValueError, match="as it was"):
            pool.compute(fails)


def test_where_the_system_forbids_another_priority_hashes_are_computed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden(*_asked: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", forbidden)
    pool = Hashing()
    assert [pool.compute(lambda: "computed") for _ in range(ROOM + 1)] == ["computed"] * (ROOM + 1)


def test_where_the_system_gives_no_thread_the_pool_is_busy_and_no_place_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = Hashing()
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", none_left)
        for _ in range(ROOM + 1):
            with pytest.raises(TemporaryError, match="passwords_busy"):
                pool.compute(lambda: True)
    assert pool.taken == 0
    assert pool.compute(lambda: "again") == "again"


def test_nothing_is_hashed_outside_the_pool() -> None:
    threads: set[str] = set()

    class Noting(PasswordHasher):
        def hash(self, *given: Any, **more: Any) -> str:
            threads.add(threading.current_thread().name.partition("_")[0])
            return CHEAP.hash(*given, **more)

    assert not is_right(Noting(), None, "an-invented-password")
    assert threads == {"password"}


def test_a_password_is_recognised_through_the_pool() -> None:
    stored = hash_password(CHEAP, "an-invented-password")
    assert is_right(CHEAP, stored, "an-invented-password")
    assert not is_right(CHEAP, stored, "another-password") and not is_right(CHEAP, None, "an-invented-password")
    assert not is_right(CHEAP, "no hash at all", "an-invented-password")
