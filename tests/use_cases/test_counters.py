"""Counters of runs and items: each counted once, whatever happens between two passes."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.domain.enums import System, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.storage.metrics.counters import Labels, labels
from app.storage.tables.models import RunTable
from app.storage.unit_of_work import Database
from app.use_cases.monitoring import counters
from app.use_cases.monitoring.counters import BUCKETS, ENDLESS, SETTLED, count_once
from tests.storage.databases import add_run, running_run, start_item
from tests.use_cases.engine_room import Room

WAY = {"direction": "smarthr_to_freee", "trigger": "manual"}


def counted(room: Room) -> dict[str, dict[Labels, int]]:
    with room.database.unit_of_work().reading() as uow:
        return uow.metrics.counters()


def ends(room: Room) -> Counter[tuple[str, str]]:
    """(state, code) → items counted, over all triggers."""
    found: Counter[tuple[str, str]] = Counter()
    for pairs, number in counted(room).get("items", {}).items():
        found[dict(pairs)["state"], dict(pairs)["code"]] += number
    return found


def end_item(
    room: Room, item_id: int, state: ItemState = ItemState.SUCCEEDED, *, seconds: float = 1.0, code: str | None = None
) -> None:
    """Claimed now and brought to its end after so many seconds."""
    attempt = start_item(room.database, item_id, now=room.clock.now())
    room.clock.turn(seconds=seconds)
    with room.database.unit_of_work() as uow:
        assert uow.items.record_outcome(item_id, attempt, state=state, error_code=code, now=room.clock.now())


def close(room: Room, run_id: int) -> None:
    with room.database.unit_of_work() as uow:
        assert uow.runs.close(run_id, now=room.clock.now()) is not None


def test_items_and_runs_are_counted_once(room: Room) -> None:
    run, items = running_run(room.database, room.connection, items=3)
    end_item(room, items[0])
    end_item(room, items[1], ItemState.FAILED, code="E1")
    assert count_once(room.ctx) == 1
    assert ends(room) == {("succeeded", "none"): 1, ("failed", "E1"): 1}
    assert "runs" not in counted(room)
    end_item(room, items[2], ItemState.FAILED, code="E1")
    close(room, run.id)
    for _ in range(3):
        count_once(room.ctx)
    assert ends(room) == {("succeeded", "none"): 1, ("failed", "E1"): 2}
    assert counted(room)["runs"] == {labels(**WAY, state="partly_failed"): 1}


def test_nothing_is_counted_of_a_survey_that_may_begin_anew(room: Room) -> None:
    run, _ = running_run(room.database, room.connection, items=2, state=RunState.PREVIEWED)
    count_once(room.ctx)
    assert counted(room).get("items", {}) == {}
    with room.database.unit_of_work() as uow:
        assert uow.runs.cancel(run.id, room.clock.now())
    close(room, run.id)
    count_once(room.ctx)
    assert ends(room) == {("cancelled", "none"): 2}


def test_durations_fall_into_their_buckets(room: Room) -> None:
    run, items = running_run(room.database, room.connection, items=4, created_at=room.clock.now())
    for item_id, seconds in zip(items, (0.4, 5.0, 5.25, 7200.0), strict=True):
        end_item(room, item_id, seconds=seconds)
    close(room, run.id)
    count_once(room.ctx)
    found = {dict(pairs)["le"]: number for pairs, number in counted(room)["item_seconds"].items()}
    assert found == {"0.5": 1, "5": 1, "10": 1, ENDLESS: 1}
    assert counted(room)["item_seconds_milliseconds"] == {labels(**WAY): pytest.approx(7_210_650, abs=5)}
    (place,) = counted(room)["run_seconds"]
    assert dict(place)["le"] == "14400"
    assert sorted(BUCKETS["item_seconds"]) == list(BUCKETS["item_seconds"])


def test_what_the_survey_ended_has_no_duration(room: Room) -> None:
    run, _ = running_run(room.database, room.connection, items=2)
    with room.database.unit_of_work() as uow:
        uow.items.end_waiting(run.id, state=ItemState.UNCHANGED, error_code=None, now=room.clock.now())
    count_once(room.ctx)
    assert ends(room) == {("unchanged", "none"): 2}
    assert "item_seconds" not in counted(room)


def test_vendor_calls_that_are_told_after_the_end_are_counted(room: Room) -> None:
    run, items = running_run(room.database, room.connection)
    end_item(room, items[0])
    close(room, run.id)
    count_once(room.ctx)
    with room.database.unit_of_work() as uow:
        uow.runs.add_calls(run.id, {System.FREEE: 7})
    count_once(room.ctx)
    assert counted(room)["vendor_calls"] == {labels(system="freee"): 7}


def test_a_run_that_becomes_visible_after_a_later_one_is_counted(room: Room) -> None:
    """Its number was given out first; only its commit came last (PostgreSQL)."""
    for number in (11, 5):
        run = add_run(room.database, room.connection)
        with room.database.engine.begin() as connection:
            connection.execute(update(RunTable).where(RunTable.id == run.id).values(id=number))
        with room.database.unit_of_work() as uow:
            assert uow.runs.cancel(number, room.clock.now())
        close(room, number)
        count_once(room.ctx)
    assert counted(room)["runs"] == {labels(**WAY, state="cancelled"): 2}


def test_an_item_that_commits_late_is_in_the_next_difference(room: Room) -> None:
    """Its `finished_at` lies before the pass that did not see it."""
    run, items = running_run(room.database, room.connection, items=2)
    end_item(room, items[0])
    attempt = start_item(room.database, items[1], now=room.clock.now())
    taken_at = room.clock.now()
    room.clock.turn(minutes=30)
    count_once(room.ctx)
    with room.database.unit_of_work() as uow:
        assert uow.items.record_outcome(items[1], attempt, state=ItemState.SUCCEEDED, now=taken_at)
    close(room, run.id)
    count_once(room.ctx)
    assert ends(room) == {("succeeded", "none"): 2}


def test_notes_of_past_runs_go_and_what_they_counted_stays(room: Room) -> None:
    for _ in range(3):
        run, items = running_run(room.database, room.connection)
        end_item(room, items[0])
        close(room, run.id)
    still_open, _ = running_run(room.database, room.connection)
    count_once(room.ctx)
    room.clock.turn(seconds=SETTLED.total_seconds() + 60)
    count_once(room.ctx)
    assert notes(room) == {f"meter.{still_open.id}"}
    before = counted(room)["items"]
    assert count_once(room.ctx) == 1
    assert counted(room)["items"] == before and sum(before.values()) == 3


def notes(room: Room) -> set[str]:
    with room.database.unit_of_work().reading() as uow:
        return {name for name in uow.counters.all() if name.startswith("meter.")}


def test_two_who_believe_to_lead_add_once(room: Room) -> None:
    run, items = running_run(room.database, room.connection)
    end_item(room, items[0])
    close(room, run.id)
    now = room.clock.now()
    with room.database.unit_of_work().reading() as uow:
        totals = uow.metrics.run_totals([run.id], past_before=now)
    for _ in range(2):  # the second one read before the first one wrote
        with room.database.unit_of_work() as uow:
            uow.counters.add(uow.metrics.advance(totals))
    assert ends(room) == {("succeeded", "none"): 1}


def test_one_leads_and_the_next_follows_when_the_lease_is_dead(room: Room) -> None:
    _, items = running_run(room.database, room.connection)
    assert count_once(room.ctx, holder="a") == 1
    end_item(room, items[0])
    assert count_once(room.ctx, holder="b") == 0
    assert ends(room) == {}
    room.clock.turn(seconds=61)
    assert count_once(room.ctx, holder="b") == 1
    assert ends(room) == {("succeeded", "none"): 1}


def test_an_old_database_is_taken_in_portions(room: Room, database: Database) -> None:
    for _ in range(counters.RUNS_AT_ONCE + 5):
        run = add_run(database, room.connection, trigger=Trigger.API, created_at=room.clock.now() - timedelta(days=2))
        with database.unit_of_work() as uow:
            assert uow.runs.cancel(run.id, room.clock.now())
            uow.runs.close(run.id, now=room.clock.now() - timedelta(days=1))
    assert count_once(room.ctx) == counters.RUNS_AT_ONCE + 5
    assert sum(counted(room)["runs"].values()) == counters.RUNS_AT_ONCE + 5
    assert notes(room) == set()


def test_when_it_was_is_told(room: Room) -> None:
    count_once(room.ctx)
    assert counted(room)["metered_at"] == {(): int(room.clock.now().timestamp())}
