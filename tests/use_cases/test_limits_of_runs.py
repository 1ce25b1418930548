"""Where patience ends: deadlines, poison, slots held and handed on, through the reconciler as it runs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.runs.run_state import ItemState, RunState
from app.storage.runs.rows import ItemRow
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake.approve_retry_cancel import cancel
from app.use_cases.upkeep.reconcile import reconcile_once
from tests.storage.databases import end_item, new_item, running_run, start_item
from tests.use_cases.engine_room import Room

pytestmark = pytest.mark.sql


def item(room: Room, item_id: int) -> ItemRow:
    with room.database.unit_of_work() as uow:
        found = uow.items.get(item_id)
    assert found is not None
    return found


def claim(room: Room, item_id: int) -> int | None:
    """The attempt of a claim made now, or None."""
    now = room.clock.now()
    with room.database.unit_of_work() as uow:
        before = uow.items.get(item_id)
        assert before is not None
        lease = now + timedelta(seconds=room.ctx.settings.lease_seconds)
        got = uow.items.claim(item_id, before.attempt, now=now, lease_until=lease, worker="test")
    return got.attempt if got else None


# ── poison ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_item_is_given_up_at_the_start_that_is_one_too_many(room: Room) -> None:
    run, (bad, good) = running_run(room.database, room.connection, items=2)
    most = room.ctx.settings.max_starts
    for start in range(1, most + 1):
        assert claim(room, bad) == start
        room.clock.turn(seconds=room.ctx.settings.lease_seconds + 1)
        found = reconcile_once(room.ctx)
        assert found.get("poisoned", 0) == (1 if start == most else 0)
        assert found.get("dead_leases", 0) == (0 if start == most else 1)
    given_up = item(room, bad)
    assert (given_up.state, given_up.error_code, given_up.lease_until) == (ItemState.FAILED, "poisoned", None)
    assert claim(room, bad) is None
    assert claim(room, good) == 1  # the others go on
    assert room.run_row(run.public_id).state is RunState.RUNNING


def test_an_orderly_attempt_in_between_forgives_the_deaths_before(room: Room) -> None:
    _, (item_id,) = running_run(room.database, room.connection)
    for _ in range(room.ctx.settings.max_starts + 2):
        attempt = claim(room, item_id)
        assert attempt is not None
        room.clock.turn(seconds=room.ctx.settings.lease_seconds + 1)
        assert reconcile_once(room.ctx).get("poisoned") is None
        attempt = claim(room, item_id)
        assert attempt is not None
        now = room.clock.now()
        with room.database.unit_of_work() as uow:
            assert uow.items.postpone(item_id, attempt, next_at=now, error_code="E22", counts=False, now=now)
    assert item(room, item_id).starts == 0


@pytest.mark.parametrize("early", [-1.0, 0.0])
def test_a_lease_that_still_holds_is_left_alone(room: Room, early: float) -> None:
    _, (item_id,) = running_run(room.database, room.connection)
    claim(room, item_id)
    room.clock.turn(seconds=room.ctx.settings.lease_seconds + early)
    assert reconcile_once(room.ctx) == {}
    assert item(room, item_id).state is ItemState.RUNNING


# ── deadlines ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_at_the_very_deadline_a_run_still_works(room: Room) -> None:
    run, (item_id,) = running_run(room.database, room.connection)
    room.clock.turn(hours=24)
    reconcile_once(room.ctx)
    assert room.run_row(run.public_id).state is RunState.RUNNING
    assert claim(room, item_id) == 1


def test_past_the_deadline_only_what_is_open_fails(room: Room) -> None:
    run, ids = running_run(room.database, room.connection, items=4)
    end_item(room.database, ids[0])
    end_item(room.database, ids[1], state=ItemState.UNCHANGED)
    start_item(room.database, ids[2])
    room.clock.turn(hours=24, seconds=1)
    reconcile_once(room.ctx)
    assert [item(room, i).state for i in ids] == [
        ItemState.SUCCEEDED,
        ItemState.UNCHANGED,
        ItemState.FAILED,
        ItemState.FAILED,
    ]
    ended = room.run_row(run.public_id)
    assert (ended.state, ended.error_code, ended.finished_at) == (
        RunState.PARTLY_FAILED,
        "deadline",
        room.clock.now(),
    )


def test_a_deadline_does_not_overwrite_a_cancel(room: Room) -> None:
    run, (item_id,) = running_run(room.database, room.connection)
    start_item(room.database, item_id)
    cancel(room.ctx, run.public_id, by="cli")  # waits for the running item
    room.clock.turn(hours=24, seconds=1)
    reconcile_once(room.ctx)
    ended = room.run_row(run.public_id)
    assert (ended.state, ended.error_code) == (RunState.CANCELLED, None)


# ── slots ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_second_run_waits_for_the_person_and_then_goes_on(room: Room) -> None:
    _, (first,) = running_run(room.database, room.connection)
    _, (second,) = running_run(room.database, room.connection)
    assert (item(room, first).holds_slot, item(room, second).holds_slot) == (True, False)
    assert claim(room, second) is None
    waits = item(room, second)
    assert (waits.state, waits.attempt, waits.starts) == (ItemState.WAITING, 0, 0)  # waiting costs no attempt
    assert room.clock.now() < waits.next_at <= room.clock.now() + timedelta(seconds=room.ctx.settings.lease_seconds)
    end_item(room.database, first)
    room.clock.instant = waits.next_at
    assert claim(room, second) == 1
    assert item(room, second).holds_slot


@pytest.mark.parametrize("how", ["failed", "cancelled", "poisoned", "deadline"])
def test_however_the_first_ends_the_slot_is_free(room: Room, how: str) -> None:
    run, (first,) = running_run(room.database, room.connection)
    if how == "failed":
        end_item(room.database, first, state=ItemState.FAILED, error_code="E1")
    elif how == "cancelled":
        cancel(room.ctx, run.public_id, by="cli")
    elif how == "deadline":
        room.clock.turn(hours=24, seconds=1)
    else:
        for _ in range(room.ctx.settings.max_starts):
            claim(room, first)
            room.clock.turn(seconds=room.ctx.settings.lease_seconds + 1)
            reconcile_once(room.ctx)
    reconcile_once(room.ctx)
    now = room.clock.now()
    _, (second,) = running_run(room.database, room.connection, deadline_at=now + timedelta(hours=24))
    assert item(room, second).holds_slot
    assert claim(room, second) == 1


def test_a_slot_is_held_through_a_postponement_and_a_death(room: Room) -> None:
    _, (first,) = running_run(room.database, room.connection)
    attempt = claim(room, first)
    assert attempt is not None
    now = room.clock.now()
    with room.database.unit_of_work() as uow:
        later = now + timedelta(seconds=5)
        assert uow.items.postpone(first, attempt, next_at=later, error_code="E22", counts=True, now=now)
    _, (second,) = running_run(room.database, room.connection)
    assert claim(room, second) is None
    room.clock.turn(seconds=10)
    claim(room, first)
    room.clock.turn(seconds=room.ctx.settings.lease_seconds + 1)
    reconcile_once(room.ctx)
    assert (item(room, first).state, item(room, first).holds_slot) == (ItemState.WAITING, True)
    assert claim(room, second) is None


def test_two_rows_of_one_person_in_one_run_take_turns(room: Room) -> None:
    """A doubled row must not block its own run for ever."""
    run, (first,) = running_run(room.database, room.connection)
    with room.database.unit_of_work() as uow:
        (second,) = uow.items.add_many([new_item(run, 1, source_id="crew-0")])
    assert claim(room, second) is None
    end_item(room.database, first)
    room.clock.turn(seconds=room.ctx.settings.lease_seconds)
    assert claim(room, second) == 1
    with room.database.unit_of_work() as uow:
        assert uow.items.record_outcome(second, 1, state=ItemState.UNCHANGED, now=room.clock.now())
    assert close_run_if_done(room.ctx, run.id)
