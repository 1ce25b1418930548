"""Both directions at once with many workers, where transactions really meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from app.domain.runs.run_state import ItemState, RunState
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.shared.views import RunView
from app.use_cases.upkeep import reconcile, relay
from tests.house import House
from tests.together import together
from tests.use_cases.test_interleaving import TO_FREEE, TO_SMARTHR
from tests.use_cases.test_job import numbers, only

pytestmark = [pytest.mark.sql, pytest.mark.reach("test")]


def test_both_directions_at_once_with_many_workers_end_equal(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "create", "update", "equal"))
    runs = [house.start(direction) for direction in (TO_FREEE, TO_SMARTHR, TO_FREEE, TO_SMARTHR)]
    work_with_many(house, runs, workers=8)
    for run in runs:
        assert set(house.states(run).values()) <= {ItemState.SUCCEEDED, ItemState.UNCHANGED}, Counter(
            item.error_code for item in house.items(run)
        )
    house.work()
    assert len(house.postbox.mails) == len(runs)
    check = house.run(TO_FREEE, dry_run=True)
    assert set(house.states(check).values()) == {ItemState.UNCHANGED}
    assert max(count for side in numbers(house) for count in side.values()) == 1


def work_with_many(house: House, runs: list[RunView], workers: int = 6) -> None:
    crashed: list[str] = []

    def work(_: int) -> None:
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
        together(work, workers)
        house.clock.turn(seconds=6)
        reconcile.reconcile_once(house.ctx)
        if all(house.seen(run).state.is_final for run in runs):
            break
    assert crashed == []
    assert all(house.seen(run).state is not RunState.FAILED for run in runs)
