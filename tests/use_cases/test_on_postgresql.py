"""Whole runs on PostgreSQL, where transactions really meet: the core of test_sync, and both directions at once."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.run_state import ItemState, RunState
from app.domain.words import Direction
from app.practice.staff import PracticeCompany
from app.use_cases import control, reconcile, relay
from tests.house import House
from tests.storage.servers import create_database
from tests.use_cases.test_interleaving import TO_FREEE, TO_SMARTHR
from tests.use_cases.test_sync import ENDS, numbers, only

pytestmark = pytest.mark.postgresql
_numbers = itertools.count(1)
Open = Callable[[PracticeCompany], House]


@pytest.fixture
def open_on_postgresql(open_practice: Callable[..., House], cluster: Path) -> Open:
    def open_one(people: PracticeCompany) -> House:
        return open_practice(people, DATABASE_URL=create_database(cluster, f"house{next(_numbers)}"))

    return open_one


@pytest.mark.parametrize("direction", list(Direction))
def test_everybody_ends_as_the_story_says_and_the_next_run_writes_nothing(
    open_on_postgresql: Open, company: PracticeCompany, direction: Direction
) -> None:
    house = open_on_postgresql(company)
    run = house.run(direction)
    assert house.states(run) == {
        person: ENDS[outcome.partition(":")[0]]
        for person, outcome in company.expected[direction.value].items()
        if outcome not in ("", "not_offered")
    }
    assert run.state is RunState.PARTLY_FAILED
    writes = house.writes()
    house.run(direction)
    assert house.writes() == writes
    assert len(house.postbox.mails) == 2


def test_a_preview_is_approved_and_a_run_is_cancelled(open_on_postgresql: Open, company: PracticeCompany) -> None:
    house = open_on_postgresql(only(company, "create", "update", "equal", most=2))
    preview = house.run(TO_FREEE, dry_run=True)
    assert (preview.state, house.writes()) == (RunState.PREVIEWED, 0)
    control.approve(house.ctx, preview.id, by="test")
    house.work()
    assert house.seen(preview).state is RunState.SUCCEEDED
    run = house.start(TO_SMARTHR)
    control.cancel(house.ctx, run.id, by="test")
    house.work()
    assert house.seen(run).state is RunState.CANCELLED


def test_both_directions_at_once_with_many_workers_end_equal(
    open_on_postgresql: Open, company: PracticeCompany
) -> None:
    house = open_on_postgresql(only(company, "create", "update", "equal"))
    runs = [house.start(direction) for direction in (TO_FREEE, TO_SMARTHR, TO_FREEE, TO_SMARTHR)]
    crashed: list[str] = []

    def work() -> None:
        while True:
            try:
                job = house.queue.jobs.pop(0)
            except IndexError:
                return
            try:
                house.do(job)
            except Exception as error:  # noqa: BLE001 - whatever it is, a worker would have crashed of it
                crashed.append(repr(error)[:300])

    for _ in range(60):
        relay.relay_once(house.ctx)
        workers = [threading.Thread(target=work) for _ in range(8)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        house.clock.turn(seconds=6)
        reconcile.reconcile_once(house.ctx)
        if all(house.seen(run).state.is_final for run in runs):
            break
    assert crashed == []
    for run in runs:
        assert set(house.states(run).values()) <= {ItemState.SUCCEEDED, ItemState.UNCHANGED}, Counter(
            item.error_code for item in house.items(run)
        )
    house.work()
    assert len(house.postbox.mails) == len(runs)
    check = house.run(TO_FREEE, dry_run=True)
    assert set(house.states(check).values()) == {ItemState.UNCHANGED}
    assert max(count for side in numbers(house) for count in side.values()) == 1
