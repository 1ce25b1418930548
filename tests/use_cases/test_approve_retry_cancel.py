"""Approve, retry, cancel."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.enums import Direction, System, Trigger
from app.domain.errors import Refused
from app.domain.runs.run_state import ItemState, RunState
from app.storage.unit_of_work import Database
from app.use_cases.connections import pause_resume
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.upkeep.relay import relay_once
from tests.storage.databases import add_run, end_item, running_run, start_item
from tests.together import together
from tests.use_cases.engine_room import TODAY, Room, open_room, person

pytestmark = pytest.mark.sql


def states(room: Room, run_id: int) -> dict[ItemState, int]:
    with room.database.unit_of_work() as uow:
        return uow.items.counts(run_id)


# ── approve ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_before_the_approval_nothing_can_be_worked_on_and_after_it_everything(room: Room) -> None:
    run, ids = running_run(room.database, room.connection, items=2, state=RunState.PREVIEWED, dry_run=True)
    assert relay_once(room.ctx) == 0
    room.clock.turn(hours=30)
    approve_retry_cancel.approve(room.ctx, run.public_id, by="key:abc")
    stored = room.run_row(run.public_id)
    assert (stored.state, stored.approved_by, stored.approved_at) == (RunState.RUNNING, "key:abc", room.clock.now())
    assert stored.deadline_at == room.clock.now() + timedelta(hours=24)
    relay_once(room.ctx)
    assert room.broker.ids() == [f"i{i}-a0" for i in ids]


@pytest.mark.parametrize(("chosen", "queue"), [(2, "interactive"), (3, "bulk")])
def test_as_many_as_were_approved_decide_about_the_queue(database: Database, chosen: int, queue: str) -> None:
    """A preview has no queue of its own yet: BULK_FROM counts those who are to be written."""
    room = open_room(database, BULK_FROM="3")
    run, ids = running_run(room.database, room.connection, items=4, state=RunState.PREVIEWED, dry_run=True)
    other = "bulk" if queue == "interactive" else "interactive"
    with room.database.unit_of_work() as uow:
        uow.items.move_to(run.id, other)
    approve_retry_cancel.approve(room.ctx, run.public_id, by="cli", employees=[f"{n + 1:04d}" for n in range(chosen)])
    assert room.run_row(run.public_id).queue == queue
    with room.database.unit_of_work() as uow:
        waiting = [uow.items.get(item_id) for item_id in ids[:chosen]]
    assert {item.queue for item in waiting if item} == {queue}
    relay_once(room.ctx)
    assert [(job.id, job.queue) for job in room.broker.take()] == [(f"i{i}-a0", queue) for i in ids[:chosen]]


def test_only_a_preview_can_be_approved_and_only_once(room: Room) -> None:
    run, _ = running_run(room.database, room.connection, items=3, state=RunState.PREVIEWED)

    def approve(_: int) -> str:
        try:
            approve_retry_cancel.approve(room.ctx, run.public_id, by="cli")
        except Refused as refused:
            return refused.code
        return "approved"

    answers = together(approve, 5)
    assert sorted(set(answers)) == ["approved", "not_previewed"]  # type: ignore[type-var]
    assert answers.count("approved") == 1
    assert relay_once(room.ctx) == 3


def test_a_preview_of_a_held_connection_is_not_approved(room: Room) -> None:
    run, _ = running_run(room.database, room.connection, state=RunState.PREVIEWED)
    pause_resume.pause(room.ctx, "renshu")
    with pytest.raises(Refused) as caught:
        approve_retry_cancel.approve(room.ctx, run.public_id, by="cli")
    assert caught.value.code == "connection_paused"
    assert room.run_row(run.public_id).state is RunState.PREVIEWED


@pytest.mark.parametrize("act", [approve_retry_cancel.approve, approve_retry_cancel.cancel, approve_retry_cancel.retry])
def test_unknown_runs(room: Room, act) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused) as caught:
        act(room.ctx, "no-such-run", by="cli")
    assert (caught.value.code, caught.value.status) == ("run_not_found", 404)


# ── cancel ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cancelling_ends_what_waits_and_lets_what_runs_finish(room: Room) -> None:
    run, (done, running, waiting) = running_run(room.database, room.connection, items=3)
    end_item(room.database, done)
    attempt = start_item(room.database, running)
    approve_retry_cancel.cancel(room.ctx, run.public_id, by="cli")
    assert room.run_row(run.public_id).state is RunState.RUNNING
    with room.database.unit_of_work() as uow:
        assert uow.items.claim(waiting, 0, now=room.clock.now(), lease_until=room.clock.now(), worker="late") is None
        assert uow.items.record_outcome(running, attempt, state=ItemState.SUCCEEDED, now=room.clock.now())
    assert close_run_if_done(room.ctx, run.id)
    assert room.run_row(run.public_id).state is RunState.CANCELLED
    assert states(room, run.id) == {ItemState.SUCCEEDED: 2, ItemState.CANCELLED: 1}


@pytest.mark.parametrize("stage", ["waiting", "surveying", "previewed", "running"])
def test_a_run_cancelled_before_it_wrote_anything_is_cancelled(room: Room, stage: str) -> None:
    if stage in ("waiting", "surveying"):
        run = add_run(room.database, room.connection)
        if stage == "surveying":
            with room.database.unit_of_work() as uow:
                now = room.clock.now()
                assert uow.runs.claim_survey(run.id, now=now, lease_until=now + timedelta(seconds=30))
    else:
        run, (unchanged, _) = running_run(room.database, room.connection, items=2)
        end_item(room.database, unchanged, state=ItemState.UNCHANGED)
        if stage == "previewed":
            run, _ = running_run(room.database, room.connection, items=2, state=RunState.PREVIEWED)
    approve_retry_cancel.cancel(room.ctx, run.public_id, by="cli")
    assert room.run_row(run.public_id).state is RunState.CANCELLED
    if stage == "surveying":
        with room.database.unit_of_work() as uow:
            assert not uow.runs.plan_committed(run.id, state=RunState.RUNNING, total=1, now=room.clock.now())
            assert not uow.runs.renew_survey(run.id, room.clock.now())
    with pytest.raises(Refused) as caught:
        approve_retry_cancel.cancel(room.ctx, run.public_id, by="cli")
    assert (caught.value.code, caught.value.status) == ("run_finished", 409)


# ── retry ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def failed_run(room: Room) -> str:
    """A closed run: 0001 succeeded, 0002 and 0003 failed, 0004 waits for a person."""
    room.listings[System.SMARTHR].people = [person(f"{n:04d}") for n in range(1, 5)]
    run, ids = running_run(room.database, room.connection, items=4)
    results = (ItemState.SUCCEEDED, ItemState.FAILED, ItemState.FAILED, ItemState.NEEDS_REVIEW)
    for item_id, state in zip(ids, results, strict=True):
        end_item(room.database, item_id, state=state)
    assert close_run_if_done(room.ctx, run.id)
    return run.public_id


def test_a_retry_takes_up_those_that_failed(room: Room) -> None:
    first = failed_run(room)
    view = approve_retry_cancel.retry(room.ctx, first, by="key:abc")
    retry, original = room.run_row(view.id), room.run_row(first)
    assert retry.scope == ["0002", "0003"]
    assert (view.trigger, view.retried_run, view.state) == (Trigger.RETRY, first, RunState.WAITING)
    assert (retry.direction, retry.as_of_date) == (original.direction, original.as_of_date)


def test_a_running_run_is_not_retried(room: Room) -> None:
    run, _ = running_run(room.database, room.connection)
    with pytest.raises(Refused) as caught:
        approve_retry_cancel.retry(room.ctx, run.public_id, by="cli")
    assert (caught.value.code, caught.value.status) == ("run_not_finished", 409)


def test_a_run_without_failures_is_not_retried(room: Room) -> None:
    run, (item,) = running_run(room.database, room.connection)
    end_item(room.database, item)
    close_run_if_done(room.ctx, run.id)
    with pytest.raises(Refused) as caught:
        approve_retry_cancel.retry(room.ctx, run.public_id, by="cli")
    assert (caught.value.code, caught.value.status) == ("nothing_to_retry", 409)


@pytest.mark.parametrize("scope", [None, ("0001",)])
def test_a_run_that_failed_in_its_survey_is_repeated_as_it_was(room: Room, scope: tuple[str, ...] | None) -> None:
    room.listings[System.SMARTHR].people = [person("0001")]
    run = add_run(room.database, room.connection, scope=scope, dry_run=True, as_of_date=TODAY - timedelta(days=3))
    with room.database.unit_of_work() as uow:
        uow.runs.fail(run.id, "E18", room.clock.now())
    close_run_if_done(room.ctx, run.id)
    view = approve_retry_cancel.retry(room.ctx, run.public_id, by="cli")
    retry = room.run_row(view.id)
    assert retry.scope == (None if scope is None else list(scope))
    assert (retry.dry_run, retry.as_of_date) == (True, TODAY - timedelta(days=3))
    assert retry.direction is Direction.SMARTHR_TO_FREEE
