"""Gathering: a burst is one run, somebody who waits is joined, and nobody is forgotten between two transactions."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.enums import Direction, System, Trigger
from app.domain.planning.beginning import BeginReason
from app.domain.runs.commands import ReceivedEvent
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.storage.links.rows import DirectoryEntry
from app.storage.runs.rows import ItemRow, RunRow
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.intake.collect_events import LONGEST_WINDOWS, SyncRequest, collect_events, release_gathered
from app.use_cases.intake.webhook_intake import accept, delivery_of
from app.use_cases.shared.beginnings import begun
from app.use_cases.upkeep.reconcile import reconcile_once
from app.use_cases.upkeep.relay import relay_once
from tests.storage.databases import add_run, running_run, start_item
from tests.together import together
from tests.use_cases.engine_room import TODAY, Room

pytestmark = pytest.mark.sql

OUT, BACK = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
QUIET = 10.0


def options(room: Room, **changes: Any) -> None:
    changed = replace(room.connection, automatic=Automatic.BOTH, **changes)
    with room.database.unit_of_work() as uow:
        uow.connections.set_options(changed)
    room.connection = changed


def ask(room: Room, *people: str, direction: Direction = OUT) -> None:
    with room.database.unit_of_work() as uow:
        sync_requests = [SyncRequest(room.connection, direction, person) for person in people]
        collect_events(room.ctx, uow, sync_requests, now=room.clock.now())


def deliver(room: Room, *people: str) -> None:
    """Webhooks of SmartHR, as the intake stores them."""
    told = [
        ReceivedEvent(System.SMARTHR, "crew_updated", True, (person,), delivery_id=f"{room.clock.now()}{person}")
        for person in people
    ]
    accept(room.ctx, [delivery_of(room.ctx, event, room.connection.id, b"{}") for event in told])


def runs(room: Room) -> list[RunRow]:
    """The oldest first."""
    with room.database.unit_of_work() as uow:
        return uow.runs.page(after=None, limit=1000)[::-1]


def items(room: Room, run: RunRow) -> list[ItemRow]:
    with room.database.unit_of_work() as uow:
        return uow.items.page(run.id, after=-1, limit=10_000)


def people(room: Room) -> list[list[str | None]]:
    """Of each run."""
    return [[item.source_id for item in items(room, run)] for run in runs(room)]


# ── the quiet window ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_gathering_run_is(room: Room) -> None:
    with room.database.unit_of_work() as uow:
        known = [DirectoryEntry("0007", "crew-7", schedule=None, content=None)]
        uow.directory.replace(room.connection.id, System.SMARTHR, known, now=room.clock.now())
    ask(room, "crew-7", "crew-8")
    (run,) = runs(room)
    assert (run.state, run.trigger, run.direction, run.queue) == (RunState.WAITING, Trigger.WEBHOOK, OUT, "interactive")
    assert (run.dry_run, run.scope, run.started_by, run.total) == (False, None, "webhook", 2)
    assert run.gather_until == room.clock.now() + timedelta(seconds=QUIET)
    assert [(i.position, i.source_id, i.employee_number, i.state) for i in items(room, run)] == [
        (0, "crew-7", "0007", ItemState.WAITING),
        (1, "crew-8", "", ItemState.WAITING),
    ]
    assert relay_once(room.ctx) == 0


def test_a_burst_is_one_run_and_everybody_once(room: Room) -> None:
    for person in ("a", "b", "a", "c", "b", "a"):
        ask(room, person)
    assert people(room) == [["a", "b", "c"]]
    room.clock.turn(seconds=QUIET)
    assert relay_once(room.ctx) == 3
    (run,) = runs(room)
    assert (run.state, run.total, run.started_at) == (RunState.RUNNING, 3, room.clock.now())


def test_every_event_keeps_the_window_open_also_one_that_joins(room: Room) -> None:
    ask(room, "a")
    for person in ("b", "a"):
        room.clock.turn(seconds=QUIET - 1)
        assert release_gathered(room.ctx) == 0
        ask(room, person)
    room.clock.turn(seconds=QUIET - 1)
    assert release_gathered(room.ctx) == 0
    room.clock.turn(seconds=1)
    assert release_gathered(room.ctx) == 1
    assert people(room) == [["a", "b"]]


def test_a_burst_that_does_not_end_is_cut(room: Room) -> None:
    released_after = []
    begin = room.clock.now()
    for number in range(100):
        ask(room, f"p{number}")
        room.clock.turn(seconds=1)
        if release_gathered(room.ctx):
            released_after.append((room.clock.now() - begin).total_seconds())
    assert released_after == [QUIET * LONGEST_WINDOWS]
    assert [len(each) for each in people(room)] == [60, 40]


def test_a_late_relay_loses_nothing(room: Room) -> None:
    """What comes in after the window, while nobody releases, is part of the run."""
    ask(room, "a")
    room.clock.turn(hours=2)
    ask(room, "b")
    assert release_gathered(room.ctx) == 1
    assert people(room) == [["a", "b"]]


@pytest.mark.parametrize(("seconds", "wait"), [(0.0, 0.0), (2.5, 2.5), (None, QUIET)])
def test_the_window_of_a_connection(room: Room, seconds: float | None, wait: float) -> None:
    options(room, quiet_seconds=seconds)
    ask(room, "a")
    if wait:
        room.clock.turn(seconds=wait - 0.1)
        assert release_gathered(room.ctx) == 0
        room.clock.turn(seconds=0.1)
    assert relay_once(room.ctx) == 1


def test_directions_and_connections_gather_apart(room: Room) -> None:
    ask(room, "a")
    ask(room, "a", direction=BACK)
    assert [run.direction for run in runs(room)] == [OUT, BACK]
    assert people(room) == [["a"], ["a"]]


# ── the release ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_release_sets_day_size_and_queue(room: Room) -> None:
    """Over midnight in Japan: the day of the run is the day on which its webhooks came in. What joined is not counted
    twice."""
    room.clock.instant = room.clock.now().replace(hour=14, minute=59, second=55)
    ask(room, "a", "b")
    ask(room, "a")
    room.clock.turn(seconds=QUIET)
    relay_once(room.ctx)
    (run,) = runs(room)
    assert (run.as_of_date, run.total, run.queue) == (TODAY, 2, "interactive")


def new_year_s_eve(room: Room) -> None:
    room.clock.instant = datetime(2026, 12, 31, 14, 59, 52, tzinfo=UTC)


def test_an_edit_of_the_last_day_of_the_year_keeps_its_day_and_one_after_midnight_has_its_own(room: Room) -> None:
    new_year_s_eve(room)
    ask(room, "a")
    room.clock.turn(seconds=9)
    ask(room, "b", "a")
    assert [(run.as_of_date, run.state) for run in runs(room)] == [
        (date(2026, 12, 31), RunState.RUNNING),
        (date(2027, 1, 1), RunState.WAITING),
    ]
    assert people(room) == [["a"], ["b"]], "who waits in the released run is read after the later edit as well"
    room.clock.turn(seconds=QUIET)
    assert release_gathered(room.ctx) == 1
    assert [run.as_of_date for run in runs(room)] == [date(2026, 12, 31), date(2027, 1, 1)]


def test_a_relay_that_was_away_over_midnight_keeps_the_days_apart(room: Room) -> None:
    new_year_s_eve(room)
    options(room)
    deliver(room, "a", "b")
    room.clock.turn(hours=3)
    deliver(room, "c")
    room.clock.turn(days=2)
    relay_once(room.ctx)
    room.clock.turn(seconds=QUIET)
    relay_once(room.ctx)
    assert [(run.as_of_date, run.state) for run in runs(room)] == [
        (date(2026, 12, 31), RunState.RUNNING),
        (date(2027, 1, 1), RunState.RUNNING),
    ]
    assert people(room) == [["a", "b"], ["c"]]


def test_what_a_beginning_held_back_has_the_day_of_its_approval(room: Room) -> None:
    new_year_s_eve(room)
    with room.database.unit_of_work() as uow:
        uow.beginnings.mark(room.connection.id, OUT, BeginReason.SWITCHED_ON, now=room.clock.now())
    ask(room, "a")
    room.clock.turn(days=3)
    ask(room, "b")
    (gathering,) = runs(room)
    assert (gathering.as_of_date, gathering.state) == (date(2027, 1, 3), RunState.WAITING)
    preview = add_run(
        room.database, room.connection, trigger=Trigger.SCHEDULE, dry_run=True, created_at=room.clock.now()
    )
    room.clock.turn(days=1)
    with room.database.unit_of_work() as uow:
        assert begun(room.ctx, uow, preview, by="test")
    assert release_gathered(room.ctx) == 1
    assert runs(room)[0].as_of_date == date(2027, 1, 4)


@pytest.mark.parametrize(("size", "queue"), [(199, "interactive"), (200, "bulk")])
def test_many_people_go_where_nobody_waits_behind_them(room: Room, size: int, queue: str) -> None:
    ask(room, *(f"p{n}" for n in range(size)))
    room.clock.turn(seconds=QUIET)
    assert relay_once(room.ctx) == room.ctx.settings.connection_jobs
    (run,) = runs(room)
    assert (run.queue, {item.queue for item in items(room, run)}) == (queue, {queue})
    assert {job.queue for job in room.broker.take()} == {queue}


def test_two_relays_release_once(room: Room) -> None:
    ask(room, "a")
    room.clock.turn(seconds=QUIET)
    together(lambda _: release_gathered(room.ctx), 4)
    assert relay_once(room.ctx) == 1
    assert len(runs(room)) == 1


# ── who waits already ─────────────────────────────────────────────────────────────────────────────────────────────


def test_an_item_that_waits_in_a_running_run_is_joined_and_no_run_begun(room: Room) -> None:
    running_run(room.database, room.connection, items=2)
    ask(room, "crew-0")
    assert people(room) == [["crew-0", "crew-1"]]
    ask(room, "crew-1", "crew-9")
    assert people(room) == [["crew-0", "crew-1"], ["crew-9"]]


def test_a_released_item_is_joined_until_somebody_claims_it(room: Room) -> None:
    ask(room, "a")
    room.clock.turn(seconds=QUIET)
    relay_once(room.ctx)
    ask(room, "a")
    assert people(room) == [["a"]]
    start_item(room.database, items(room, runs(room)[0])[0].id, now=room.clock.now())
    ask(room, "a")
    ask(room, "a")
    assert people(room) == [["a"], ["a"]]


def test_somebody_being_processed_gets_one_more_pass_afterwards(room: Room) -> None:
    _, (first,) = running_run(room.database, room.connection)
    attempt = start_item(room.database, first, seconds=600)
    for _ in range(3):
        ask(room, "crew-0")
    assert people(room) == [["crew-0"], ["crew-0"]]
    room.clock.turn(seconds=QUIET)
    relay_once(room.ctx)
    second = items(room, runs(room)[1])[0]
    assert claim(room, second) is None  # it waits for the slot
    with room.database.unit_of_work() as uow:
        assert uow.items.record_outcome(first, attempt, state=ItemState.SUCCEEDED, now=room.clock.now())
    room.clock.turn(minutes=5)
    claimed = claim(room, second)
    assert claimed is not None


def claim(room: Room, item: ItemRow) -> object:
    now = room.clock.now()
    with room.database.unit_of_work() as uow:
        return uow.items.claim(item.id, item.attempt, now=now, lease_until=now + timedelta(seconds=30), worker="w")


@pytest.mark.parametrize("approved", [False, True])
def test_an_item_of_a_preview_is_not_joined(room: Room, approved: bool) -> None:
    """It writes what was approved, not what is there now."""
    run, _ = running_run(room.database, room.connection, state=RunState.PREVIEWED)
    with room.database.engine.begin() as connection:
        connection.execute(text("UPDATE items SET approved_digest = 'of the plan'"))
    if approved:
        approve_retry_cancel.approve(room.ctx, run.public_id, by="cli")
    ask(room, "crew-0")
    ask(room, "crew-0")
    assert people(room) == [["crew-0"], ["crew-0"]]


def test_nobody_joins_what_has_ended_or_is_ending(room: Room) -> None:
    ended, _ = running_run(room.database, room.connection)
    approve_retry_cancel.cancel(room.ctx, ended.public_id, by="cli")
    ask(room, "crew-0")
    assert people(room) == [["crew-0"], ["crew-0"]]


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "not closed yet"])
def test_a_cancelled_run_does_not_block_the_next(room: Room, closed: bool) -> None:
    ask(room, "a", "b")
    if closed:
        approve_retry_cancel.cancel(room.ctx, runs(room)[0].public_id, by="cli")
    else:
        with room.database.unit_of_work() as uow:
            assert uow.runs.cancel(runs(room)[0].id, room.clock.now())
    ask(room, "a")
    assert [run.ends_as for run in runs(room)] == [RunState.CANCELLED, None]
    assert people(room) == [["a", "b"], ["a"]]
    assert {item.state for item in items(room, runs(room)[0])} == {ItemState.CANCELLED}
    room.clock.turn(seconds=QUIET)
    assert relay_once(room.ctx) >= 1
    close_run_if_done(room.ctx, runs(room)[0].id)
    assert [run.state for run in runs(room)] == [RunState.CANCELLED, RunState.RUNNING]


def test_a_paused_connection_gathers_and_works_later(room: Room) -> None:
    with room.database.unit_of_work() as uow:
        uow.connections.set_paused(room.connection.id, True)
    ask(room, "a")
    room.clock.turn(seconds=QUIET)
    relay_once(room.ctx)
    item = items(room, runs(room)[0])[0]
    assert claim(room, item) is None
    ask(room, "a")
    assert people(room) == [["a"]]
    with room.database.unit_of_work() as uow:
        uow.connections.set_paused(room.connection.id, False)
    room.broker.take()
    room.clock.turn(minutes=5)
    reconcile_once(room.ctx)
    relay_once(room.ctx)
    assert [job.args[0] for job in room.broker.take() if job.function.endswith("sync_item")] == [item.id]
    assert claim(room, items(room, runs(room)[0])[0]) is not None


# ── at the same moment ────────────────────────────────────────────────────────────────────────────────────────────


def test_transactions_at_once_make_one_run_and_one_item_per_person(room: Room) -> None:
    everybody = [f"p{n}" for n in range(20)]
    together(lambda number: ask(room, *everybody[number % 4 :]), 8)
    (found,) = people(room)
    assert sorted(map(str, found)) == sorted(everybody)
    places = [item.position for item in items(room, runs(room)[0])]
    assert len(set(places)) == len(places)


def test_asking_while_runs_are_released_forgets_nobody(room: Room) -> None:
    """Each person asked for is in a run, however release and request meet; a run without anybody is never begun."""
    options(room, quiet_seconds=0.0)
    stop = threading.Event()

    def release() -> None:
        while not stop.is_set():
            release_gathered(room.ctx)

    releasing = threading.Thread(target=release)
    releasing.start()

    def ask_often(number: int) -> None:
        for n in range(10):
            ask(room, f"p{number}-{n}", "everybody")

    try:
        together(ask_often, 4)
    finally:
        stop.set()
        releasing.join(timeout=30)
    release_gathered(room.ctx)
    found = people(room)
    asked = {f"p{number}-{n}" for number in range(4) for n in range(10)} | {"everybody"}
    named = [str(person) for each in found for person in each]
    assert set(named) == asked
    assert all(found)
    assert sorted(p for p in named if p != "everybody") == sorted(asked - {"everybody"})
    assert {run.state for run in runs(room)} == {RunState.RUNNING}
    assert [run.total for run in runs(room)] == [len(each) for each in found]
