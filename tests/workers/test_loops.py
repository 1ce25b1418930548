"""The loops of relay and cron: they go on through a database that is away, and stop when told."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace

import fakeredis
import pytest
from sqlalchemy.exc import OperationalError

from app.adapters.job_queue import RqJobQueue
from app.config import Settings
from app.domain.runs.queues import ENDED_KEY
from app.storage.unit_of_work import Database
from tests.storage.databases import end_item, running_run
from tests.use_cases.engine_room import Room, open_room
from tests.workers.test_worker import wait_for
from workers.cron import Periodic, Timetable, table
from workers.loop import Stop, run_loop
from workers.relay import serve


@pytest.fixture
def room(database: Database) -> Room:
    return open_room(database)


def test_a_database_that_is_away_does_not_end_the_loop() -> None:
    stop, calls = Stop(), []

    def work() -> None:
        calls.append(1)
        if len(calls) < 4:
            raise OperationalError("SELECT 1", None, Exception("database is locked"))
        stop.ask()

    run_loop(work, pause=0.001, stop=stop)
    assert len(calls) == 4


def test_a_bug_ends_the_loop_and_is_seen() -> None:
    with pytest.raises(ZeroDivisionError):
        run_loop(lambda: 1 / 0, pause=0.001, stop=Stop())


def test_sigterm_ends_the_loop_after_the_round() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    done: list[str] = []

    def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("the round was finished")

    try:
        run_loop(work, pause=60.0, stop=Stop().on_signals())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert done == ["the round was finished"]


def test_a_stop_wakes_the_pause() -> None:
    stop, rounds = Stop(), []
    threading.Timer(0.05, stop.ask).start()
    run_loop(lambda: rounds.append(1), pause=60.0, stop=stop)
    assert rounds == [1]


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_row_of_the_timetable_has_its_own_pace(room: Room) -> None:
    seconds, ran = Seconds(), []
    rows = [
        Periodic("quick", 10.0, lambda _ctx: ran.append("quick")),
        Periodic("slow", 25.0, lambda _ctx: ran.append("slow")),
    ]
    timetable = Timetable(rows, seconds)
    for moment in range(0, 61, 5):
        seconds.now = float(moment)
        timetable.run_due(room.ctx)
    assert ran.count("quick") == 7
    assert ran.count("slow") == 3


def test_a_row_that_failed_waits_for_its_next_turn(room: Room) -> None:
    seconds, tries = Seconds(), []

    def fail(_ctx: object) -> None:
        tries.append(1)
        raise OperationalError("SELECT 1", None, Exception("away"))

    timetable = Timetable([Periodic("failing", 10.0, fail)], seconds)
    with pytest.raises(OperationalError):
        timetable.run_due(room.ctx)
    assert timetable.run_due(room.ctx) == []
    seconds.now = 10.0
    with pytest.raises(OperationalError):
        timetable.run_due(room.ctx)
    assert len(tries) == 2


def test_every_row_of_the_table_runs(room: Room) -> None:
    settings: Settings = room.ctx.settings
    rows = table(settings)
    paces = {row.name: row.seconds for row in rows}
    assert len(paces) == len(rows) >= 10
    assert paces.pop("reconcile") == settings.reconcile_seconds
    assert all(10 <= seconds <= 900 for seconds in paces.values()), "a job that looks all the time, or hardly ever"
    assert Timetable(rows).run_due(room.ctx) == [row.name for row in rows]


def test_the_relay_hands_on_as_soon_as_a_job_has_ended(database: Database) -> None:
    """Its next look at everything is a minute away; a worker ends a job and tells so."""
    broker = fakeredis.FakeStrictRedis()
    room = open_room(database, RELAY_SECONDS="60", CONNECTION_JOBS="2")
    ctx = replace(room.ctx, job_queue=RqJobQueue(broker))
    _, items = running_run(database, room.connection, items=3)
    stop = Stop()
    relay = threading.Thread(target=serve, args=(ctx, stop))
    relay.start()
    wait_for(lambda: broker.llen("rq:queue:bulk") + broker.llen("rq:queue:interactive") == 2, "the first two", 10)
    end_item(database, items[0])
    broker.lpush(ENDED_KEY, 1)
    wait_for(lambda: broker.llen("rq:queue:bulk") + broker.llen("rq:queue:interactive") == 3, "the third", 10)
    stop.ask()
    broker.lpush(ENDED_KEY, 1)  # wakes it
    relay.join(10)
    assert not relay.is_alive()


def test_without_a_broker_the_relay_waits_for_its_next_look(database: Database) -> None:
    server = fakeredis.FakeServer()
    server.connected = False
    room = open_room(database, RELAY_SECONDS="0.2")
    began = time.monotonic()
    serve(replace(room.ctx, job_queue=RqJobQueue(fakeredis.FakeStrictRedis(server=server))), Stop())
    assert 0.15 < time.monotonic() - began < 10
