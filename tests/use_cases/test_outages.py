"""The database goes away under a job: the work is handed back at once, and the outage is told once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from sqlalchemy import event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState, RunState
from app.logs import Outage
from app.storage.enums import MailState
from app.storage.unit_of_work import Database
from app.use_cases.employee import job
from app.use_cases.shared import outages
from app.use_cases.upkeep import relay
from tests.house import House
from tests.storage.databases import database, running_run
from tests.use_cases.engine_room import Room, open_room

__all__ = ["database"]


@contextmanager
def away(database: Database, when: Callable[[str], bool], *, times: int = 1) -> Iterator[list[str]]:
    """So often the database cuts the connection instead of carrying out a statement of this kind. Yields the statements
    that met it."""
    met: list[str] = []

    def cut(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if len(met) < times and when(statement):
            met.append(statement)
            raise OperationalError(statement, None, ConnectionError("server closed the connection"))

    event.listen(database.engine, "before_cursor_execute", cut)
    try:
        yield met
    finally:
        event.remove(database.engine, "before_cursor_execute", cut)


@pytest.fixture
def room(database: Database) -> Room:
    return open_room(database)


def somebody(house: House) -> str:
    """The number of somebody whose record in freee has to be changed."""
    return next(each.number for each in house.company.scenarios if each.to_freee == "update")


def claims(statement: str) -> bool:
    return statement.startswith("UPDATE items") and "starts" in statement


def ends_an_item(statement: str) -> bool:
    return statement.startswith("UPDATE items") and "finished_at" in statement


def test_an_item_whose_end_the_database_did_not_take_is_handed_back_and_done_once(house: House) -> None:
    started = house.start(Direction.SMARTHR_TO_FREEE, employees=[somebody(house)])
    with away(house.database, ends_an_item) as met, structlog.testing.capture_logs() as lines:
        house.work(reconciling=False, rounds=5)
        (item,) = house.items(started)
        assert item.state is ItemState.WAITING, "it waits for its lease to end"
        assert (item.error_code, item.attempts_failed, item.lease_by) == ("database_unavailable", 0, None)
    assert len(met) == 1
    assert not [line for line in lines if line["event"] == "job_crashed"]
    writes = house.writes()
    house.clock.turn(seconds=2)
    house.work()
    (item,) = house.items(started)
    assert item.state in (ItemState.SUCCEEDED, ItemState.UNCHANGED)
    assert house.writes() == writes, "what was written before the outage is not written again"
    assert len(house.postbox.mails) == 1


def test_an_item_that_could_not_be_claimed_is_queued_again(room: Room) -> None:
    _, (item_id,) = running_run(room.database, room.connection)
    relay.relay_once(room.ctx)
    with away(room.database, claims) as met:
        job.sync_item(room.ctx, item_id, 0)
    assert met
    with room.ctx.unit_of_work() as uow:
        item = uow.items.get(item_id)
        waiting, _ = uow.outbox.waiting(room.clock.now())
    assert item is not None
    assert (item.state, item.attempt) == (ItemState.WAITING, 0)
    assert waiting == 1


def test_nobody_hands_back_what_another_worker_has(room: Room) -> None:
    _, (item_id,) = running_run(room.database, room.connection)
    now = room.clock.now()
    with room.ctx.unit_of_work() as uow:
        assert uow.items.claim(item_id, 0, now=now, lease_until=now, worker="another")
        assert not uow.items.hand_back(item_id, 0, worker="me", next_at=now, error_code=outages.CODE, now=now)
        item = uow.items.get(item_id)
    assert item is not None
    assert (item.state, item.lease_by) == (ItemState.RUNNING, "another")


def test_a_survey_goes_on_at_once(house: House) -> None:
    started = house.start(Direction.SMARTHR_TO_FREEE)
    with away(house.database, lambda statement: statement.startswith("INSERT INTO survey_pages")) as met:
        house.work(reconciling=False, rounds=3)
    assert len(met) == 1
    assert house.seen(started).state is RunState.WAITING
    house.clock.turn(seconds=2)
    house.work()
    assert house.seen(started).state in (RunState.SUCCEEDED, RunState.PARTLY_FAILED)


def test_a_survey_that_could_not_be_claimed_is_queued_again(house: House) -> None:
    started = house.start(Direction.SMARTHR_TO_FREEE)
    with away(house.database, lambda statement: "survey_starts" in statement and statement.startswith("UPDATE")) as met:
        house.work(reconciling=False, rounds=10)
    assert len(met) == 1
    assert house.seen(started).state is not RunState.WAITING


def test_a_mail_that_left_is_recorded_when_the_database_is_back_and_leaves_once(house: House) -> None:
    house.start(Direction.SMARTHR_TO_FREEE, employees=[somebody(house)])
    with away(house.database, lambda statement: statement.startswith("UPDATE mails") and "sent_at" in statement) as met:
        house.work()
    assert len(met) == 1
    house.clock.turn(minutes=10)
    house.work()
    assert len(house.postbox.mails) == 1
    with house.ctx.unit_of_work() as uow:
        assert uow.mails.waiting_count() == 0


def test_a_mail_that_could_not_be_claimed_is_queued_again(house: House) -> None:
    house.start(Direction.SMARTHR_TO_FREEE, employees=[somebody(house)])
    with away(
        house.database, lambda statement: statement.startswith("UPDATE mails") and "attempts" in statement
    ) as met:
        house.work(reconciling=False)
    assert len(met) == 1
    assert len(house.postbox.mails) == 1
    with house.ctx.unit_of_work() as uow:
        (mail,) = [uow.mails.get(1)]
    assert mail is not None
    assert mail.state is MailState.SENT


def test_a_database_that_stays_away_leaves_the_work_to_the_reconciler(room: Room) -> None:
    begun = time.monotonic()
    with away(room.database, lambda _statement: True, times=1_000):
        assert not outages.when_it_answers(room.ctx, lambda uow: uow.outbox.waiting(room.clock.now()), seconds=1)
    assert time.monotonic() - begun < 5


def test_a_bug_is_still_a_bug(room: Room) -> None:
    _, (item_id,) = running_run(room.database, room.connection)

    def broken(_statement: str) -> bool:
        raise ZeroDivisionError

    with away(room.database, broken), pytest.raises(ZeroDivisionError):
        job.sync_item(room.ctx, item_id, 0)


# ── what is told ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "error",
    [OperationalError("", None, ConnectionError()), InterfaceError("", None, ConnectionError()), PoolTimeout()],
)
def test_what_counts_as_an_outage(error: Exception) -> None:
    assert isinstance(error, outages.OUTAGES)


def test_many_threads_that_meet_one_outage_tell_it_once() -> None:
    outage = Outage("away", "back")
    with structlog.testing.capture_logs() as lines:
        threads = [threading.Thread(target=outage.met, args=("OperationalError",)) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        outage.works()
    assert [line["event"] for line in lines] == ["away"], "an outage in its last moments is not over yet"


def test_the_end_of_an_outage_is_told_once() -> None:
    seconds = [1000.0]
    outage = Outage("away", "back", now=lambda: seconds[0])
    with structlog.testing.capture_logs() as lines:
        outage.works()
        outage.met("OperationalError")
        seconds[0] += 7
        outage.met("OperationalError")
        seconds[0] += 6
        outage.works()
        outage.works()
        outage.met("InterfaceError")
    assert [line["event"] for line in lines] == ["away", "back", "away"]
    assert lines[1]["seconds"] == 7.0
    assert lines[1]["met"] == 2
