"""A crowd of previews keeps nothing else waiting: whose survey the broker gets next, and what stays in the outbox."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.enums import Trigger
from app.domain.ports import QueuedJob
from app.domain.runs.run_state import RunState
from app.storage.enums import OutboxKind
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import Database
from app.use_cases.connections import pause_resume
from app.use_cases.monitoring.queue_admin import queue_status
from app.use_cases.survey.survey import survey_run
from app.use_cases.upkeep.reconcile import GRACE, reconcile_once
from app.use_cases.upkeep.relay import relay_once
from tests.storage.databases import add_connection, add_run, running_run
from tests.use_cases.engine_room import Room, open_room

pytestmark = pytest.mark.sql

CROWD = 150


def ask(room: Room, number: int = 1, *, queue: str = "interactive", **changes: object) -> list[RunRow]:
    """So many runs with their surveys due, as `store_run` leaves them; previews unless told otherwise."""
    now = room.clock.now()
    runs = []
    for _ in range(number):
        run = add_run(
            room.database,
            changes.get("connection", room.connection),
            **{  # type: ignore[arg-type]
                "dry_run": True,
                **{key: each for key, each in changes.items() if key != "connection"},
            },
        )
        with room.database.unit_of_work() as uow:
            uow.outbox.add(OutboxKind.SURVEY, run.id, attempt=0, queue=queue, due_at=now, now=now)
        room.clock.turn(seconds=0.01)
        runs.append(run)
    return runs


def pushed(room: Room) -> list[QueuedJob]:
    relay_once(room.ctx)
    return room.broker.take()


def runs_of(jobs: list[QueuedJob]) -> list[int]:
    return [job.args[0] for job in jobs if job.function.endswith("survey_run")]


def serve(room: Room) -> list[int]:
    """Work until the outbox is empty: every survey that the broker gets, one at a time."""
    served = []
    while jobs := pushed(room):
        (run_id,) = runs_of(jobs) or [0]
        survey_run(room.ctx, run_id)
        served += [run_id] if run_id else []
    return served


def test_a_run_that_writes_passes_a_crowd_of_previews(room: Room) -> None:
    crowd = ask(room, CROWD)
    (small,) = ask(room, dry_run=False)
    _, (item,) = running_run(room.database, room.connection)
    first = pushed(room)
    assert runs_of(first) == [crowd[0].id, small.id], "one preview is in hand, and nothing else waits behind the others"
    assert ("sync_item", item) in [(job.function.rpartition(".")[2], job.args[0]) for job in first]
    (webhook,) = ask(room, dry_run=False)
    assert runs_of(pushed(room)) == [webhook.id], "while the preview is at work"


def test_the_crowd_is_served_one_after_the_other_and_nobody_is_left(room: Room) -> None:
    crowd = ask(room, 5)
    assert serve(room) == [run.id for run in crowd]


@pytest.mark.parametrize(("workers", "threads", "at_once"), [(1, 1, 1), (1, 8, 1), (2, 8, 2), (2, 16, 4)])
def test_most_threads_are_left_for_everything_else(
    database: Database, workers: int, threads: int, at_once: int
) -> None:
    room = open_room(database, WORKERS_INTERACTIVE=str(workers), WORKER_THREADS=str(threads))
    others = [add_connection(database, key=f"k{n}", freee_company_id=n + 10) for n in range(6)]
    for connection in others:
        ask(room, 3, connection=connection)
    assert len(pushed(room)) == at_once
    assert pushed(room) == []


def test_no_connection_has_two_previews_in_hand(database: Database) -> None:
    room = open_room(database, WORKERS_INTERACTIVE="4")
    other = add_connection(database, key="other", freee_company_id=77)
    crowd, (late,) = ask(room, 5), ask(room, connection=other)
    assert runs_of(pushed(room)) == [crowd[0].id, late.id]


def test_comparisons_take_their_turn_like_previews_and_each_queue_has_turns_of_its_own(room: Room) -> None:
    sweep = ask(room, 1, dry_run=False, trigger=Trigger.SCHEDULE)
    ask(room, 2)
    (large,) = ask(room, queue="bulk")
    assert runs_of(pushed(room)) == [sweep[0].id, large.id]


def test_a_turn_that_was_lost_comes_again(room: Room) -> None:
    """The broker forgets everything: the reconciler notices, and until then runs that write go on."""
    first, second = ask(room, 2)
    pushed(room)
    room.clock.turn(seconds=GRACE.total_seconds() + 1)
    reconcile_once(room.ctx)
    assert serve(room) == [second.id, first.id], "whoever was lost is asked for anew, behind those that were due before"


def test_a_worker_that_died_with_a_turn_does_not_keep_it(room: Room) -> None:
    first, second = ask(room, 2)
    pushed(room)
    with room.database.unit_of_work() as uow:
        assert uow.runs.claim_survey(
            first.id, now=room.clock.now(), lease_until=room.clock.now() + timedelta(seconds=30)
        )
    room.clock.turn(seconds=31)
    reconcile_once(room.ctx)
    assert set(runs_of(pushed(room))) <= {first.id, second.id}
    survey_run(room.ctx, first.id)
    assert room.run_row(first.public_id).state is not RunState.SURVEYING


def test_a_pause_keeps_nobody_else_waiting(room: Room) -> None:
    other = add_connection(room.database, key="other", freee_company_id=77)
    (held,) = ask(room)
    jobs = pushed(room)
    pause_resume.pause(room.ctx, "renshu")
    survey_run(room.ctx, *jobs[0].args)
    (next_one,) = ask(room, connection=other)
    assert runs_of(pushed(room)) == [next_one.id]
    assert room.run_row(held.public_id).state is RunState.WAITING


def test_previews_that_wait_their_turn_are_no_backlog_of_the_relay(room: Room) -> None:
    """The age of the oldest row raises an alarm: it tells of a relay that does not work, not of a crowd."""
    ask(room, 3)
    room.clock.turn(seconds=60)
    assert (queue_status(room.ctx).outbox_oldest_age or 0) >= 60
    pushed(room)
    room.clock.turn(seconds=300)
    status = queue_status(room.ctx)
    assert (status.outbox_waiting, status.outbox_oldest_age) == (2, None)
