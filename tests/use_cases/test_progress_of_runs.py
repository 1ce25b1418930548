"""done, total, rate and ETA of a run: only what workers did counts, and a closed door is waited for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState, RunState
from app.storage.runs.rows import RunRow
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake.approve_retry_cancel import approve, cancel
from app.use_cases.intake.start_run import start_run
from app.use_cases.queries import history
from app.use_cases.shared.views import ProgressView
from tests.storage.databases import add_run, new_item, start_item
from tests.use_cases.engine_room import Room

pytestmark = pytest.mark.sql

LIMITED = 6 / 2.0
"""Seconds an employee takes at freee's limit in this room: six calls at two a second."""


def surveyed(
    room: Room, *, unchanged: int, waiting: int, state: RunState = RunState.RUNNING, **more: object
) -> tuple[RunRow, list[int]]:
    """A run whose survey ended now: so many were equal already, the others wait. Returns the ids of those."""
    now = room.clock.now()
    run = add_run(room.database, room.connection, created_at=now, deadline_at=now + timedelta(hours=24), **more)
    ends = [ItemState.UNCHANGED] * unchanged + [ItemState.WAITING] * waiting
    with room.database.unit_of_work() as uow:
        claimed = uow.runs.claim_survey(run.id, now=now, lease_until=now + timedelta(seconds=30))
        assert claimed is not None
        items = [new_item(run, n, state=end, created_at=now, chosen=True) for n, end in enumerate(ends)]
        ids = uow.items.add_many(items)
        assert uow.runs.plan_committed(run.id, state=state, total=len(ends), now=now)
    return run, ids[unchanged:]


def work(room: Room, ids: Sequence[int], *, seconds: float, state: ItemState = ItemState.SUCCEEDED) -> None:
    """A worker that takes `seconds` for each of these."""
    for item_id in ids:
        attempt = start_item(room.database, item_id, now=room.clock.now())
        room.clock.turn(seconds=seconds)
        with room.database.unit_of_work() as uow:
            assert uow.items.record_outcome(item_id, attempt, state=state, now=room.clock.now())


def progress(room: Room, run: RunRow) -> ProgressView:
    return history.get_run(room.ctx, run.public_id).progress


def test_before_the_survey_nothing_is_known(room: Room) -> None:
    assert start_run(room.ctx, room.command()).progress == ProgressView(0, None, None, None)


def test_during_the_survey_the_total_is_not_known(room: Room) -> None:
    now = room.clock.now()
    run = add_run(room.database, room.connection)
    with room.database.unit_of_work() as uow:
        uow.runs.claim_survey(run.id, now=now, lease_until=now + timedelta(seconds=30))
        uow.items.add_many([new_item(run, n, state=ItemState.UNCHANGED, created_at=now) for n in range(3)])
    room.clock.turn(seconds=5)
    assert progress(room, run) == ProgressView(3, None, None, None)


def test_while_nothing_was_measured_the_limit_tells(room: Room) -> None:
    run, _ = surveyed(room, unchanged=90, waiting=10)
    assert progress(room, run) == ProgressView(90, 100, None, 10 * LIMITED)
    room.clock.turn(minutes=5)
    assert progress(room, run) == ProgressView(90, 100, None, 10 * LIMITED)


def test_what_the_survey_ended_does_not_count_as_speed(room: Room) -> None:
    """Else 950 people without a difference would promise that the last 50 are done in three seconds."""
    run, ids = surveyed(room, unchanged=50, waiting=20)
    work(room, ids[:4], seconds=2.5)
    seen = progress(room, run)
    assert (seen.done, seen.total, seen.rate, seen.eta_seconds) == (54, 70, pytest.approx(0.4), pytest.approx(40))


def test_the_time_of_the_survey_does_not_slow_the_rate(room: Room) -> None:
    run = add_run(room.database, room.connection)
    began = room.clock.now()
    with room.database.unit_of_work() as uow:
        uow.runs.claim_survey(run.id, now=began, lease_until=began + timedelta(seconds=30))
    room.clock.turn(seconds=50)
    now = room.clock.now()
    with room.database.unit_of_work() as uow:
        ids = uow.items.add_many([new_item(run, n, created_at=now) for n in range(10)])
        assert uow.runs.plan_committed(run.id, state=RunState.RUNNING, total=10, now=now)
    work(room, ids[:5], seconds=1)
    assert progress(room, run).rate == pytest.approx(1.0)


def test_the_rate_is_that_of_the_last_minute(room: Room) -> None:
    run, ids = surveyed(room, unchanged=0, waiting=60)
    work(room, ids[:30], seconds=1)
    assert progress(room, run).rate == pytest.approx(1.0)
    work(room, ids[30:36], seconds=10)
    seen = progress(room, run)
    assert (seen.done, seen.rate) == (36, pytest.approx(7 / 60))  # six, and the one that ended at the minute's edge
    assert seen.eta_seconds == pytest.approx(24 / (7 / 60))


def test_a_run_that_stands_still_is_told_by_the_limit_again(room: Room) -> None:
    run, ids = surveyed(room, unchanged=0, waiting=4)
    work(room, ids[:2], seconds=1)
    room.clock.turn(seconds=61)
    assert progress(room, run) == ProgressView(2, 4, 0.0, 2 * LIMITED)


@pytest.mark.parametrize("key", ["freee:1234567", "smarthr:awase-renshu"])
@pytest.mark.parametrize("measured", [False, True])
def test_a_vendor_that_has_closed_is_waited_for(room: Room, key: str, measured: bool) -> None:
    run, ids = surveyed(room, unchanged=0, waiting=20)
    if measured:
        work(room, ids[:10], seconds=1)
    before = progress(room, run)
    room.limiter.close(key, 45.0)
    after = progress(room, run)
    assert before.eta_seconds is not None
    assert before.eta_seconds == (10.0 if measured else 20 * LIMITED)
    assert after == ProgressView(before.done, before.total, before.rate, before.eta_seconds + 45.0)


def test_another_company_that_is_closed_is_not_waited_for(room: Room) -> None:
    run, _ = surveyed(room, unchanged=0, waiting=2)
    room.limiter.close("freee:7654321", 45.0)
    assert progress(room, run).eta_seconds == 2 * LIMITED


def test_towards_smarthr_the_slower_side_counts(room: Room) -> None:
    """Two calls at SmartHR and one reading at freee: whichever limit is reached first."""
    run, _ = surveyed(room, unchanged=0, waiting=3, direction=Direction.FREEE_TO_SMARTHR)
    assert progress(room, run).eta_seconds == 3 * 2 / 2.0


def test_a_slow_source_is_the_limit_as_well(room: Room) -> None:
    paces = {"smarthr": 0.1, "freee": 2.0}
    room.limiter.pace = lambda key: paces[key.partition(":")[0]]  # type: ignore[method-assign]
    run, _ = surveyed(room, unchanged=0, waiting=3)
    assert progress(room, run).eta_seconds == pytest.approx(3 / 0.1)


def test_without_any_limit_nothing_is_promised(room: Room) -> None:
    room.limiter.pace = lambda _key: float("inf")  # type: ignore[method-assign]
    run, _ = surveyed(room, unchanged=0, waiting=3)
    assert progress(room, run).eta_seconds is None


@pytest.mark.parametrize("held", ["paused", "consent"])
def test_a_held_connection_has_no_end_in_sight(room: Room, held: str) -> None:
    run, ids = surveyed(room, unchanged=0, waiting=20)
    work(room, ids[:10], seconds=1)
    with room.database.unit_of_work() as uow:
        if held == "paused":
            uow.connections.set_paused(room.connection.id, True)
        else:
            uow.connections.set_needs_consent(room.connection.id, True)
    assert progress(room, run) == ProgressView(10, 20, 1.0, None)


def test_a_preview_waits_for_a_person(room: Room) -> None:
    run, _ = surveyed(room, unchanged=2, waiting=3, state=RunState.PREVIEWED, dry_run=True)
    room.clock.turn(hours=3)
    assert progress(room, run) == ProgressView(2, 5, None, None)
    approve(room.ctx, run.public_id, by="cli")
    assert progress(room, run) == ProgressView(0, 3, None, 3 * LIMITED)


def test_an_approved_preview_is_measured_from_its_first_employee(room: Room) -> None:
    run, ids = surveyed(room, unchanged=2, waiting=4, state=RunState.PREVIEWED, dry_run=True)
    room.clock.turn(hours=3)
    approve(room.ctx, run.public_id, by="cli")
    room.clock.turn(seconds=20)
    work(room, ids[:2], seconds=5)
    assert progress(room, run) == ProgressView(2, 4, 0.2, 10.0)


def test_at_the_end_nothing_is_left(room: Room) -> None:
    run, ids = surveyed(room, unchanged=1, waiting=2)
    work(room, ids, seconds=1)
    room.limiter.close("freee:1234567", 45.0)
    last = progress(room, run)
    assert (last.done, last.total, last.eta_seconds) == (3, 3, 0.0)
    assert close_run_if_done(room.ctx, run.id)
    assert progress(room, run) == ProgressView(3, 3, None, 0.0)


def test_a_cancelled_run_is_at_its_end(room: Room) -> None:
    run, _ = surveyed(room, unchanged=1, waiting=2)
    cancel(room.ctx, run.public_id, by="cli")
    assert progress(room, run) == ProgressView(3, 3, None, 0.0)


def test_every_run_of_a_list_has_its_own_progress(room: Room) -> None:
    runs = [surveyed(room, unchanged=n, waiting=2, direction=d)[0] for n, d in zip((1, 5), Direction, strict=True)]
    seen = {view.id: view.progress.done for view in history.list_runs(room.ctx).items}
    assert seen == {runs[0].public_id: 1, runs[1].public_id: 5}
