"""A host with a wrong clock: its processes work by the database's time, take no lead, and say so."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from app.adapters.clock import FollowingClock
from app.storage.unit_of_work import Database
from app.use_cases.context import Context
from app.use_cases.monitoring.clocks import clocks, skew_by_host
from app.use_cases.monitoring.counters import count_once
from app.use_cases.monitoring.engine_view import engine_view
from app.use_cases.monitoring.queue_admin import queue_status
from app.use_cases.monitoring.snapshot import metrics_snapshot
from app.use_cases.shared.leading import SKEW_SECONDS
from app.use_cases.survey.sweep import LEADER as SWEEPER
from app.use_cases.survey.sweep import sweep_due
from app.use_cases.upkeep.bounds import LEADER as BOUNDS
from app.use_cases.upkeep.bounds import keep_bounds
from app.use_cases.upkeep.heartbeat import Heartbeat, beat
from app.use_cases.upkeep.reconcile import LEADER, reconcile_once
from app.use_cases.upkeep.timekeeping import Timekeeping
from app.use_cases.upkeep.webhook_watch import LEADER as WATCH
from app.use_cases.upkeep.webhook_watch import check_webhooks
from tests.storage.databases import database
from tests.use_cases.engine_room import Room, open_room

__all__ = ["database"]

LEADERSHIPS = (LEADER, SWEEPER, BOUNDS, WATCH, "metering", "daily")


@dataclass
class Steered:
    """A clock as the adapter's, whose skew the test sets."""

    skew: float | None
    followed: int = 0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def follow(self) -> None:
        self.followed += 1


@pytest.fixture
def room(database: Database) -> Room:
    return open_room(database)


def on_host(room: Room, skew: float | None) -> Context:
    return replace(room.ctx, steered_clock=Steered(skew))


def free(ctx: Context, name: str) -> bool:
    with ctx.unit_of_work() as uow:
        return uow.leader.is_free(name, now=ctx.clock.now())


def go_round(ctx: Context) -> None:
    """Every periodic job that one process does for all."""
    reconcile_once(ctx)
    sweep_due(ctx)
    keep_bounds(ctx)
    check_webhooks(ctx)
    count_once(ctx)


@pytest.mark.parametrize("skew", [-300.0, -SKEW_SECONDS - 0.1, SKEW_SECONDS + 0.1, 300.0, None])
def test_a_process_with_a_wrong_clock_takes_no_lead(room: Room, skew: float | None) -> None:
    ctx = on_host(room, skew)
    go_round(ctx)
    assert all(free(ctx, name) for name in LEADERSHIPS)


@pytest.mark.parametrize("skew", [-2.9, 0.0, 2.9])
def test_a_process_with_a_clock_that_is_right_enough_leads(room: Room, skew: float) -> None:
    ctx = on_host(room, skew)
    go_round(ctx)
    assert not any(free(ctx, name) for name in LEADERSHIPS)


def test_a_leader_whose_clock_goes_wrong_leads_no_longer_than_its_lease(room: Room) -> None:
    reconcile_once(on_host(room, 0.0), holder="a")
    reconcile_once(on_host(room, 300.0), holder="a")
    room.clock.turn(seconds=room.ctx.settings.reconcile_seconds * 3 + 16)
    reconcile_once(on_host(room, 300.0), holder="a")
    assert free(room.ctx, LEADER)
    reconcile_once(on_host(room, 0.0), holder="b")
    assert not free(room.ctx, LEADER)


def test_the_log_tells_a_wrong_clock_once_and_when_it_is_right_again(room: Room) -> None:
    clock = Steered(0.4)
    keeping = Timekeeping(replace(room.ctx, steered_clock=clock))
    with structlog.testing.capture_logs() as lines:
        for skew in (0.4, 300.0, 300.0, None, 300.0, 0.0, 0.0):
            clock.skew = skew
            keeping.keep()
    assert [(line["event"], line.get("skew_seconds")) for line in lines] == [
        ("clock_skewed", 300.0),
        ("clock_right_again", 0.0),
    ]
    assert clock.followed == 7


def test_the_skew_of_each_host_is_stored_and_shown(room: Room) -> None:
    now = room.clock.now()
    beat(room.ctx, "cron@right:1", since=now, clock_skew=0.01)
    beat(room.ctx, "relay@wrong:1", since=now, clock_skew=-299.98)
    beat(room.ctx, "cron@wrong:2", since=now, clock_skew=-300.02)
    beat(room.ctx, "web@older-version:1", since=now)
    with room.ctx.unit_of_work().reading() as uow:
        seen = clocks(room.ctx, uow)
    assert skew_by_host(seen) == {"right": 0.01, "wrong": -300.02}
    told = {each.process: each.skewed for each in queue_status(room.ctx).clocks}
    assert told == {"cron@right:1": False, "cron@wrong:2": True, "relay@wrong:1": True}
    assert [each.process for each in engine_view(room.ctx).skewed] == ["cron@wrong:2", "relay@wrong:1"]
    figures = metrics_snapshot(room.ctx).figures
    assert figures is not None
    assert figures.skew_by_host == {"right": 0.01, "wrong": -300.02}


def test_a_heartbeat_stores_the_skew_it_has_found(room: Room) -> None:
    with Heartbeat(on_host(room, 12.5), "cron"), room.ctx.unit_of_work() as uow:
        (told,) = uow.processes.living(room.clock.now() - timedelta(minutes=1))
    assert told.clock_skew == 12.5


@pytest.mark.sql
def test_a_host_whose_clock_begins_in_1970_can_be_stored(room: Room) -> None:
    beat(room.ctx, "cron@new:1", since=room.clock.now(), clock_skew=-1.8e9)
    with room.ctx.unit_of_work().reading() as uow:
        (seen,) = clocks(room.ctx, uow)
    assert seen.skewed


@pytest.mark.database("postgresql")
def test_postgresql_tells_its_time(database: Database) -> None:
    clock = FollowingClock(database.read_clock, host=lambda: time.time() + 300)
    off = (clock.now() - datetime.now(UTC)).total_seconds()
    assert abs(off) < 0.5, "the server is on this machine"
    assert clock.skew == pytest.approx(300.0, abs=0.5)
    assert database.has_own_clock


@pytest.mark.database("sqlite")
def test_sqlite_is_on_this_host(database: Database) -> None:
    assert not database.has_own_clock
