"""Connections take turns: nobody's employees stand behind a stranger's thousands, or behind jobs that never end."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import event, update

from app.domain.ports import Outlook, QueuedJob, Silence
from app.domain.settings.connection_settings import Connection
from app.storage.runs.rows import RunRow
from app.storage.tables.models import ItemTable
from app.storage.tables.outgoing_models import OutboxTable
from app.use_cases.monitoring.queue_admin import queue_status
from app.use_cases.upkeep.reconcile import GRACE, reconcile_once
from app.use_cases.upkeep.relay import relay_items, relay_once
from tests.storage.databases import add_connection, end_item, running_run
from tests.use_cases.engine_room import Room

pytestmark = pytest.mark.sql

AT_ONCE = 12


def handed(room: Room) -> list[int]:
    """The items that the broker gets now."""
    relay_items(room.ctx)
    return [items_of(job) for job in room.broker.take()]


def items_of(job: QueuedJob) -> int:
    return job.args[0]


def company(room: Room, number: int) -> Connection:
    return add_connection(room.database, key=f"k{number}", freee_company_id=number + 10)


def queue(room: Room, connection: Connection, items: int) -> tuple[RunRow, list[int]]:
    return running_run(room.database, connection, items=items)


def claim(room: Room, item: int, attempt: int = 0) -> None:
    now = room.clock.now()
    with room.database.unit_of_work() as uow:
        assert uow.items.claim(item, attempt, now=now, lease_until=now + timedelta(seconds=30), worker="w")


def test_a_large_run_has_few_jobs_with_the_broker_and_the_next_follow_as_they_end(room: Room) -> None:
    _, items = queue(room, room.connection, 30)
    assert handed(room) == items[:AT_ONCE]
    assert handed(room) == []
    claim(room, items[0])
    assert handed(room) == [], "whoever is at work counts as well"
    for item in items[1:4]:
        end_item(room.database, item)
    assert handed(room) == items[AT_ONCE : AT_ONCE + 3]


def test_the_first_of_every_connection_comes_before_the_second_of_any(room: Room) -> None:
    _, large = queue(room, room.connection, 20)
    others = [company(room, number) for number in range(3)]
    later = [queue(room, other, 2)[1] for other in others]
    order = handed(room)
    assert order[:4] == [large[0], *(items[0] for items in later)]
    assert order[4:8] == [large[1], *(items[1] for items in later)]
    assert order[8:] == large[2:AT_ONCE]


def test_jobs_that_never_end_keep_only_their_own_connection_waiting(room: Room) -> None:
    deaf, quick = company(room, 1), company(room, 2)
    _, stuck = queue(room, deaf, 40)
    for item in handed(room):
        claim(room, item)
    _, small = queue(room, quick, 30)
    done: list[int] = []
    while got := handed(room):
        assert set(got) <= set(small)
        for item in got:
            end_item(room.database, item)
            done.append(item)
    assert done == small
    assert len(stuck) == 40


def test_each_queue_has_room_of_its_own(room: Room) -> None:
    _, items = queue(room, room.connection, 23)
    bulk, small = items[:20], items[20:]
    with room.database.engine.begin() as connection:
        for table, column in ((ItemTable, ItemTable.id), (OutboxTable, OutboxTable.ref_id)):
            connection.execute(update(table).where(column.in_(bulk)).values(queue="bulk"))
            connection.execute(update(table).where(column.in_(small)).values(queue="interactive"))
    got = handed(room)
    assert set(got) == {*bulk[:AT_ONCE], *small}


def test_who_was_postponed_gives_its_place_to_the_next(room: Room) -> None:
    _, items = queue(room, room.connection, AT_ONCE + 1)
    handed(room)
    claim(room, items[0])
    now = room.clock.now()
    with room.database.unit_of_work() as uow:
        later = now + timedelta(seconds=60)
        assert uow.items.postpone(items[0], 1, next_at=later, error_code="unreachable", counts=True, now=now)
    assert handed(room) == [items[-1]]


def test_a_worker_quicker_than_the_relay_leaves_no_place_taken(room: Room) -> None:
    """The item is claimed and postponed after the push and before the push is noted."""
    _, (item,) = queue(room, room.connection, 1)

    def work_at_once(jobs: list[QueuedJob]) -> None:
        pushed(jobs)
        claim(room, item)
        now = room.clock.now()
        with room.database.unit_of_work() as uow:
            later = now + timedelta(seconds=60)
            assert uow.items.postpone(item, 1, next_at=later, error_code="unreachable", counts=True, now=now)

    pushed, room.broker.push = room.broker.push, work_at_once  # type: ignore[method-assign, assignment]
    relay_items(room.ctx)
    with room.database.unit_of_work().reading() as uow:
        row = uow.items.get(item)
    assert row is not None and row.pushed_at is None


def test_what_the_broker_has_lost_gives_its_places_back(room: Room) -> None:
    _, items = queue(room, room.connection, AT_ONCE + 5)
    handed(room)
    room.clock.turn(seconds=GRACE.total_seconds() + 1)
    reconcile_once(room.ctx)
    assert set(handed(room)) <= set(items)
    assert len(Counter(items)) == AT_ONCE + 5


def test_the_last_start_goes_alone(room: Room) -> None:
    _, items = queue(room, room.connection, 3)
    with room.database.engine.begin() as connection:
        for item, starts in zip(items, (0, 1, 2), strict=True):
            connection.execute(update(ItemTable).where(ItemTable.id == item).values(starts=starts))
    relay_items(room.ctx)
    assert [job.function.rpartition(".")[2] for job in room.broker.take()] == [
        "sync_item",
        "sync_item",
        "sync_item_alone",
    ]


def test_rows_of_an_older_version_go_out_as_they_did(room: Room) -> None:
    _, items = queue(room, room.connection, 20)
    with room.database.engine.begin() as connection:
        connection.execute(update(OutboxTable).values(connection_id=None))
    assert sorted(handed(room)) == items


def test_who_waits_its_turn_is_not_late(room: Room) -> None:
    queue(room, room.connection, 30)
    relay_once(room.ctx)
    room.clock.turn(seconds=1000)
    status = queue_status(room.ctx)
    assert (status.outbox_waiting, status.outbox_oldest_age) == (18, None)


def test_a_round_asks_the_database_the_same_few_questions_however_large_a_run_is(room: Room) -> None:
    queue(room, room.connection, 2000)
    handed(room)
    asked: list[str] = []
    event.listen(room.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    assert handed(room) == []
    assert len([each for each in asked if each.lstrip().upper().startswith(("SELECT", "WITH"))]) <= 5


# ── a silent vendor ───────────────────────────────────────────────────────────────────────────────────────────────


def silent(room: Room, connection: Connection, seconds: float) -> None:
    room.limiter.silent = [Silence(f"freee:{connection.freee_company_id}", seconds)]


def test_nothing_is_handed_over_of_a_connection_whose_vendor_is_silent(room: Room) -> None:
    other = company(room, 1)
    _, items = queue(room, room.connection, 20)
    _, others = queue(room, other, 2)
    silent(room, room.connection, 30.0)
    assert handed(room) == others
    room.clock.turn(seconds=400)
    status = queue_status(room.ctx)
    assert (status.outbox_waiting, status.outbox_oldest_age) == (20, None), "nobody is late with them"
    silent(room, room.connection, 0.0)
    assert handed(room) == items[:1], "one goes first"
    assert handed(room) == []
    room.limiter.silent = []
    assert handed(room) == items[1:AT_ONCE]


# ── permits ───────────────────────────────────────────────────────────────────────────────────────────────────────


def permits(room: Room, system: str, soon: int, *, at_best: int = 36) -> None:
    tenant = room.connection.freee_company_id if system == "freee" else room.connection.smarthr_subdomain
    room.limiter.permits[f"{system}:{tenant}"] = Outlook(soon, at_best)


def test_only_whose_employees_wait_is_asked_for_permits(room: Room) -> None:
    company(room, 1)
    assert handed(room) == []
    assert not room.limiter.looked_ahead
    queue(room, room.connection, 1)
    handed(room)
    tenants = {f"smarthr:{room.connection.smarthr_subdomain}", f"freee:{room.connection.freee_company_id}"}
    assert room.limiter.looked_ahead == [tenants]


def test_as_many_are_handed_over_as_the_permits_will_soon_do_for(room: Room) -> None:
    _, items = queue(room, room.connection, 20)
    permits(room, "smarthr", 36)
    permits(room, "freee", 7)
    assert handed(room) == items[:2], "three calls each"
    permits(room, "freee", 10)
    assert handed(room) == items[2:3], "those in hand count as well"
    room.limiter.permits.clear()
    assert handed(room) == items[3:AT_ONCE]


def test_nobody_is_handed_over_while_the_permits_are_used_up_and_nobody_is_late(room: Room) -> None:
    other = company(room, 1)
    _, items = queue(room, room.connection, 3)
    _, others = queue(room, other, 2)
    permits(room, "freee", 1)
    assert handed(room) == others
    permits(room, "freee", 2)
    room.clock.turn(seconds=400)
    for item in others:
        end_item(room.database, item)
    assert queue_status(room.ctx).outbox_oldest_age is None, "permits were given just now"
    assert handed(room) == items[:1], "a reading and a request"
    assert handed(room) == []


def test_whoever_waits_although_nobody_uses_the_permits_is_late(room: Room) -> None:
    queue(room, room.connection, 3)
    permits(room, "freee", 20, at_best=20)
    room.clock.turn(seconds=400)
    age = queue_status(room.ctx).outbox_oldest_age
    assert age is not None and age >= 400


def test_limits_that_never_do_for_a_whole_employee_starve_nobody(room: Room) -> None:
    _, items = queue(room, room.connection, 3)
    permits(room, "freee", 1, at_best=1)
    assert handed(room) == items[:1]


def test_a_closed_vendor_gets_nobody_even_at_the_narrowest_limits(room: Room) -> None:
    queue(room, room.connection, 3)
    permits(room, "freee", 0, at_best=1)
    assert handed(room) == []
