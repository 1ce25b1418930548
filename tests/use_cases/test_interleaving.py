"""Whoever comes in between: a crash, a second run or a frozen survey at any transaction, and the end is the same."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState, RunState
from app.practice.staff.practice_company import PracticeCompany
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.employee import job as sync
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.shared.views import RunView
from app.use_cases.survey import survey
from app.use_cases.upkeep import reconcile, relay
from tests.house import House
from tests.properties import every
from tests.reach import thinned
from tests.use_cases.test_job import NOVEMBER, contents, numbers, only

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
STRIDE = every(25)
"""How far the disturbed transactions lie apart."""


class Killed(BaseException):
    """The process ends here: nothing of ours may catch it."""


class Interrupted:
    """Opens transactions; just before the nth one something else happens, once."""

    def __init__(self, house: House, nth: int, happens: Callable[[], None]) -> None:
        self._open: Callable[[], UnitOfWork] = house.ctx.unit_of_work
        self._nth, self._happens = nth, happens
        self.count = 0
        house.ctx = replace(house.ctx, unit_of_work=self)

    def stop(self) -> bool:
        """From now on nothing happens any more. Says whether it has."""
        happened = self.count >= self._nth
        self._happens = _nothing
        return happened

    def __call__(self) -> UnitOfWork:
        self.count += 1
        if self.count == self._nth:
            self._happens()
        return self._open()


def _nothing() -> None:
    return


def die() -> None:
    raise Killed


def a_few(company: PracticeCompany, direction: Direction) -> PracticeCompany:
    """Somebody equal, somebody to update, and somebody to create in that direction."""
    few = only(company, "equal", "update", "create", most=1)
    if direction is TO_FREEE:
        return few
    created = next(scenario for scenario in company.scenarios if scenario.to_smarthr == "create")
    return replace(
        few,
        scenarios=[scenario for scenario in few.scenarios if scenario.to_freee != "create"] + [created],
        crews=[c for c in few.crews if c["id"] not in {s.crew_id for s in few.scenarios if s.to_freee == "create"}],
        employees=few.employees + [e for e in company.employees if e["id"] == created.employee_id],
    )


def work_through_deaths(house: House) -> None:
    """Work to the end; a job that dies leaves what it had committed, and its lease runs out."""
    for _ in range(20):
        try:
            house.work()
        except Killed:
            house.clock.turn(seconds=house.ctx.settings.lease_seconds * 2)
        else:
            break
    for _ in range(2):
        with suppress(Killed):
            house.clock.turn(minutes=10)  # a mail whose sender died waits for its own lease
            reconcile.reconcile_once(house.ctx)
            house.work()


def outcome(house: House, run: RunView) -> tuple[Any, ...]:
    return Counter(house.states(run).values()), house.seen(run).state, numbers(house), contents(house)


@pytest.mark.parametrize("direction", thinned(2, Direction))
def test_a_worker_that_dies_before_any_transaction_changes_nothing_about_the_end(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction
) -> None:
    people = a_few(company, direction)
    undisturbed = open_practice(people)
    expected = outcome(undisturbed, undisturbed.run(direction))
    assert expected[0][ItemState.SUCCEEDED] == 2
    for nth in range(1, 200, STRIDE):
        house = open_practice(people)
        run = house.start(direction)
        dying = Interrupted(house, nth, die)
        work_through_deaths(house)
        happened = dying.stop()
        assert outcome(house, run) == expected, nth
        # Between the mail server's answer and our commit a death sends it again, under the same id.
        assert len({mail.message_id for mail in house.postbox.mails}) == 1, nth
        house.close()
        if not happened:
            break
    assert nth > 15


@pytest.mark.parametrize("direction", thinned(2, Direction))
def test_a_run_the_other_way_in_between_ends_equal_and_doubles_nobody(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction
) -> None:
    people = a_few(company, direction)
    for nth in range(2, 200, STRIDE):
        house = open_practice(people)
        run = house.start(direction)
        plain = house.ctx
        others: list[RunView] = []

        def whole_other_run(house: House = house, ctx: Any = plain, others: list[RunView] = others) -> None:
            disturbed, jobs = house.ctx, house.queue.take()
            house.ctx = ctx
            others.append(house.start(direction.reverse))
            relay.relay_once(ctx)
            for _ in range(6):  # as far as it gets beside the job that stands still
                for job in house.queue.take():
                    house.do(job)
                relay.relay_once(ctx)
            house.ctx = disturbed
            house.queue.push(jobs)

        between = Interrupted(house, nth, whole_other_run)
        house.work()
        happened = between.stop()
        for each in (run, *others):
            left = set(house.states(each).values()) - {ItemState.SUCCEEDED, ItemState.UNCHANGED}
            assert not left, (nth, [(i.source_id, i.state, i.error_code) for i in house.items(each)])
        check = house.run(direction, dry_run=True)
        assert set(house.states(check).values()) == {ItemState.UNCHANGED}, nth
        assert max(count for side in numbers(house) for count in side.values()) == 1, nth
        house.close()
        if not happened:
            break
    assert nth > 15


def test_two_ways_at_once_do_not_swap_the_values(open_practice: Callable[..., House], company: PracticeCompany) -> None:
    """Each job has read both sides before the other writes: then each would bring the other side's old value."""
    house = open_practice(only(company, "update", most=1))
    there, back = house.start(TO_FREEE), house.start(TO_SMARTHR)
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)
    house.freee_injector.fault(method="PUT", path="/employees/", times=1, delay=1.0)
    (item,) = house.items(there)
    (other,) = house.items(back)
    first = threading.Thread(target=sync.sync_item, args=(house.ctx, item.id, 0))
    first.start()
    while not any(r.method == "GET" and "/employees/1" in r.path for r in house.freee_injector.requests):
        pass
    sync.sync_item(house.ctx, other.id, 0)
    first.join()
    house.work()
    check = house.run(TO_FREEE, dry_run=True)
    assert set(house.states(check).values()) == {ItemState.UNCHANGED}
    assert house.seen(there).state is RunState.SUCCEEDED
    assert house.states(back)[other.source_id or ""] is ItemState.UNCHANGED


# ── a survey that stood still ─────────────────────────────────────────────────────────────────────────────────────


LAST_READING = {TO_FREEE: ("freee_injector", "/employees"), TO_SMARTHR: ("smarthr_injector", "/job_titles")}


def stand_still(house: House, run: RunView, **fault: Any) -> threading.Thread:
    """A survey that waits for a late answer; its lease runs out meanwhile and another one takes over and finishes."""
    direction = Direction(run.direction)
    with house.ctx.unit_of_work() as uow:
        row = uow.runs.get_by_public_id(run.id)
        assert row is not None
    injector, path = LAST_READING[direction]
    getattr(house, injector).fault(method="GET", path=path, times=1, **{"delay": 2.0, **fault})
    frozen = threading.Thread(target=survey.survey_run, args=(house.ctx, row.id))
    frozen.start()
    while not any(path in r.path for r in getattr(house, injector).requests):
        pass
    house.clock.turn(seconds=house.ctx.settings.lease_seconds * 2)
    survey.survey_run(house.ctx, row.id)
    return frozen


@pytest.mark.parametrize("direction", list(Direction))
def test_a_survey_that_was_replaced_takes_nothing_away(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction
) -> None:
    house = open_practice(a_few(company, direction))
    run = house.start(direction)
    frozen = stand_still(house, run, delay=6.0)  # longer than all below takes on a busy machine
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)
    done = house.items(run)
    assert Counter(item.state for item in done) == {ItemState.SUCCEEDED: 2, ItemState.UNCHANGED: 1}
    assert frozen.is_alive()
    frozen.join()
    assert house.items(run) == done
    house.work()
    assert house.seen(run).state is RunState.SUCCEEDED


@pytest.mark.parametrize("status", [503, 401])
def test_the_failure_of_a_survey_that_was_replaced_does_not_count(
    open_practice: Callable[..., House], company: PracticeCompany, status: int
) -> None:
    house = open_practice(a_few(company, TO_SMARTHR), MAX_ATTEMPTS="1")
    run = house.start(TO_SMARTHR)
    house.smarthr_injector.fault(method="GET", path="/job_titles", nth=3, times=5, status=status, body="")
    stand_still(house, run, status=status, body="").join()
    house.smarthr_injector.clear_faults()
    assert house.seen(run).state is RunState.RUNNING
    house.work()
    assert house.seen(run).state is RunState.SUCCEEDED


def test_a_run_that_was_cancelled_during_its_survey_keeps_no_open_items(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(a_few(company, TO_FREEE))
    run = house.start(TO_FREEE)
    relay.relay_once(house.ctx)
    (job,) = house.queue.take()
    house.freee_injector.fault(method="GET", path="/employees", times=1, delay=0.5)
    surveying = threading.Thread(target=house.do, args=(job,))
    surveying.start()
    while not any("/employees" in r.path for r in house.freee_injector.requests):
        pass
    approve_retry_cancel.cancel(house.ctx, run.id, by="test")
    surveying.join()
    assert house.seen(run).state is RunState.CANCELLED
    assert not {ItemState.WAITING, ItemState.RUNNING} & set(house.states(run).values())
    house.work()
    assert house.writes() == 0
    assert len(house.postbox.mails) == 1


# ── approval ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("after", thinned(2, [True, False]), ids=["after-it-happened", "before-it-happens"])
def test_an_approved_preview_ends_the_same_whichever_request_fails(
    open_practice: Callable[..., House], company: PracticeCompany, after: bool
) -> None:
    people = only(company, "create", "update", most=1)
    undisturbed = open_practice(people)
    preview = undisturbed.run(TO_FREEE, dry_run=True)
    before = len(undisturbed.freee_injector.requests)
    approve_retry_cancel.approve(undisturbed.ctx, preview.id, by="test")
    undisturbed.work()
    expected = outcome(undisturbed, preview)
    assert expected[0] == {ItemState.SUCCEEDED: 2}
    for nth in range(1 + after, len(undisturbed.freee_injector.requests) - before + 1, 2):
        house = open_practice(people)
        preview = house.run(TO_FREEE, dry_run=True)
        approve_retry_cancel.approve(house.ctx, preview.id, by="test")
        house.freee_injector.fault(path=".*", nth=nth, cut=True, after=after)
        house.work()
        assert outcome(house, preview) == expected, nth
        house.close()


def test_a_repetition_writes_nothing_that_was_not_approved(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    """Somebody edits the person after the first write of an approved plan: that edit was never shown to anybody."""
    house = open_practice(only(company, "create", most=1))
    preview = house.run(TO_FREEE, dry_run=True)
    approve_retry_cancel.approve(house.ctx, preview.id, by="test")
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=1, status=503, body="")
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)
    (item,) = house.items(preview)
    assert (item.state, item.attempt) == (ItemState.WAITING, 1)
    house.smarthr.edit(item.source_id or "", {"tel_number": "080-0000-9999"})
    house.work()
    (item,) = house.items(preview)
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "approved_plan_changed")
    profile = house.freee.employee(int(item.target_id or 0), month=NOVEMBER)["profile_rule"]
    assert [profile[f"phone{i}"] for i in (1, 2, 3)] != ["080", "0000", "9999"]


def test_two_approvals_at_once_start_the_run_once(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "update", most=2))
    preview = house.run(TO_FREEE, dry_run=True)
    refused: list[str] = []

    def approve() -> None:
        try:
            approve_retry_cancel.approve(house.ctx, preview.id, by="test")
        except approve_retry_cancel.Refused as error:
            refused.append(error.code)

    both = [threading.Thread(target=approve) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert refused == ["not_previewed"]
    relay.relay_once(house.ctx)
    assert len(house.queue.jobs) == 2
    house.work()
    assert house.seen(preview).state is RunState.SUCCEEDED
