"""From the outbox to the broker: never lost, at worst twice, and twice does no harm."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.runs.run_state import ItemState
from app.storage.enums import OutboxKind
from app.use_cases.intake.start_run import start_run
from app.use_cases.upkeep.relay import relay_once
from tests.storage.databases import end_item, running_run
from tests.use_cases.engine_room import Room

pytestmark = pytest.mark.sql


class Crash(BaseException):
    """The process dies here."""


def test_ids_and_names_of_all_kinds_of_jobs(room: Room) -> None:
    with room.database.unit_of_work() as uow:
        for kind, ref, attempt in zip(OutboxKind, (1, 2, 3), (0, 5, 1), strict=True):
            uow.outbox.add(kind, ref, attempt=attempt, queue="bulk", due_at=room.clock.now(), now=room.clock.now())
    assert relay_once(room.ctx) == 3
    jobs = room.broker.take()
    assert [(job.id, job.function, job.args) for job in jobs] == [
        ("s1-a0", "workers.jobs.survey_run", (1,)),
        ("m3-a1", "workers.jobs.send_mail", (3,)),
        ("i2-a5", "workers.jobs.sync_item", (2, 5)),
    ]
    assert {job.queue for job in jobs} == {"bulk"}


def test_what_went_out_does_not_go_out_again(room: Room) -> None:
    start_run(room.ctx, room.command())
    assert relay_once(room.ctx) == 1
    assert relay_once(room.ctx) == 0
    assert len(room.broker.jobs) == 1


def test_what_is_not_due_waits(room: Room) -> None:
    now = room.clock.now()
    with room.database.unit_of_work() as uow:
        uow.outbox.add(OutboxKind.ITEM, 1, attempt=1, queue="bulk", due_at=now + timedelta(seconds=10), now=now)
    assert relay_once(room.ctx) == 0
    room.clock.turn(seconds=10)
    assert relay_once(room.ctx) == 1


def test_what_was_due_first_goes_first_whenever_it_was_written_down(room: Room) -> None:
    """A postponed job comes before the crowd that was queued while it waited."""
    now = room.clock.now()
    with room.database.unit_of_work() as uow:
        for ref, seconds in ((1, 30), (2, 10), (3, 20), (4, 10)):
            due_at = now + timedelta(seconds=seconds)
            uow.outbox.add(OutboxKind.ITEM, ref, attempt=0, queue="bulk", due_at=due_at, now=now)
    room.clock.turn(seconds=30)
    assert relay_once(room.ctx) == 4
    assert room.broker.ids() == ["i2-a0", "i4-a0", "i3-a0", "i1-a0"]


def test_many_rows_go_in_batches(room: Room) -> None:
    now = room.clock.now()
    with room.database.unit_of_work() as uow:
        uow.outbox.add_many([(n, 0, "bulk") for n in range(1201)], kind=OutboxKind.ITEM, due_at=now, now=now)
    assert relay_once(room.ctx) == 1201
    assert len(set(room.broker.ids())) == 1201


def test_a_broker_that_is_away_costs_nothing(room: Room) -> None:
    start_run(room.ctx, room.command())
    room.broker.up = False
    assert relay_once(room.ctx) == 0
    room.broker.up = True
    assert relay_once(room.ctx) == 1


def test_a_crash_between_push_and_mark_pushes_twice_and_works_once(room: Room) -> None:
    _, (item,) = running_run(room.database, room.connection)
    room.broker.fails_after_push = Crash()
    with pytest.raises(Crash):
        relay_once(room.ctx)
    relay_once(room.ctx)
    first, second = room.broker.take()
    assert first == second
    end_item(room.database, item)
    with room.database.unit_of_work() as uow:
        again = uow.items.claim(*second.args, now=room.clock.now(), lease_until=room.clock.now(), worker="second")
        stored = uow.items.get(item)
    assert again is None
    assert stored is not None
    assert (stored.state, stored.attempt) == (ItemState.SUCCEEDED, 1)


def test_the_item_knows_when_it_was_pushed(room: Room) -> None:
    _, (item,) = running_run(room.database, room.connection)
    relay_once(room.ctx)
    with room.database.unit_of_work() as uow:
        stored = uow.items.get(item)
    assert stored is not None
    assert stored.pushed_at == room.clock.now()
