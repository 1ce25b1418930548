"""Jobs of ours that a stranger repeats or makes up: the use case looks in the database whether the work is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import fakeredis
import pytest
from sqlalchemy import Connection, inspect, text, update

from app.adapters.job_queue import RqJobQueue
from app.domain.ports import QueuedJob
from app.domain.runs.run_state import ItemState, RunState
from app.storage.enums import MailState
from app.storage.tables.models import ItemTable, RunTable
from app.storage.tables.outgoing_models import MailTable
from app.storage.unit_of_work import Database
from app.use_cases.employee import job
from app.use_cases.finish import notify
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.survey import survey
from app.use_cases.upkeep.reconcile import reconcile_once
from app.use_cases.upkeep.relay import relay_once
from tests.storage.databases import running_run
from tests.use_cases.engine_room import Room, open_room
from tests.workers.guarded import refused, take_all
from workers.guard import Functions


def functions_in(room: Room) -> Functions:
    """The table of the workers, in this room."""

    def survey_run(run_id: int) -> None:
        survey.survey_run(room.ctx, run_id)

    def sync_item(item_id: int, attempt: int) -> None:
        job.sync_item(room.ctx, item_id, attempt)

    def send_mail(mail_id: int) -> None:
        notify.send_mail(room.ctx, mail_id)

    return {f"workers.jobs.{each.__name__}": each for each in (survey_run, sync_item, send_mail)}


@pytest.fixture
def broker() -> fakeredis.FakeStrictRedis:
    return fakeredis.FakeStrictRedis()


@pytest.fixture
def room(database: Database, broker: fakeredis.FakeStrictRedis) -> Room:
    opened = open_room(database)
    with database.unit_of_work() as uow:
        uow.connections.set_options(replace(opened.connection, mail_to=()))
    return replace(opened, ctx=replace(opened.ctx, job_queue=RqJobQueue(broker)))


def everything(database: Database) -> dict[str, list[object]]:
    def rows(connection: Connection) -> dict[str, list[object]]:
        tables = inspect(connection).get_table_names()
        return {name: sorted(map(repr, connection.execute(text(f'SELECT * FROM "{name}"')))) for name in tables}

    with database.engine.connect() as connection:
        return rows(connection)


NUMBERS = (0, 1, 3)
"""Numbers of no row, of the first and of the last one."""


def forge_all(broker: fakeredis.FakeStrictRedis) -> None:
    """Every function with these numbers, at several attempts."""
    forged = [QueuedJob(f"s{n}", "interactive", "workers.jobs.survey_run", (n,)) for n in NUMBERS]
    forged += [QueuedJob(f"m{n}", "interactive", "workers.jobs.send_mail", (n,)) for n in NUMBERS]
    forged += [
        QueuedJob(f"i{n}-{a}", "interactive", "workers.jobs.sync_item", (n, a)) for n in NUMBERS for a in (0, 1, 2)
    ]
    forged.append(QueuedJob("far", "interactive", "workers.jobs.sync_item", (2**63 - 1, 2**63 - 1)))
    RqJobQueue(broker).push(forged)


NOT_OPEN = [state for state in ItemState if state is not ItemState.WAITING]


@pytest.mark.parametrize("state", NOT_OPEN)
def test_a_job_for_an_item_that_is_not_open_does_nothing(
    room: Room, broker: fakeredis.FakeStrictRedis, state: ItemState
) -> None:
    running_run(room.database, room.connection, items=3)
    with room.database.engine.begin() as connection:
        connection.execute(update(ItemTable).values(state=state, lease_until=room.clock.now() + timedelta(minutes=5)))
    before = everything(room.database)
    forge_all(broker)
    worker = take_all(broker, functions_in(room))
    assert everything(room.database) == before
    assert (worker.failed_job_count, worker.broken_rounds, refused()) == (0, 0, {})


@pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.RUNNING])
def test_a_job_for_a_run_that_does_not_run_does_nothing(
    room: Room, broker: fakeredis.FakeStrictRedis, state: RunState
) -> None:
    """Its items are waiting, and its survey is not due."""
    running_run(room.database, room.connection, items=3)
    later = room.clock.now() + timedelta(minutes=5)
    with room.database.engine.begin() as connection:
        connection.execute(update(RunTable).values(state=state, survey_next_at=later, survey_lease_until=later))
    before = everything(room.database)
    forge_all(broker)
    worker = take_all(broker, functions_in(room))
    assert everything(room.database) == before
    assert worker.failed_job_count == 0


@pytest.mark.parametrize("state", [state for state in MailState if state is not MailState.PENDING])
def test_a_job_for_a_mail_that_does_not_wait_does_nothing(
    room: Room, broker: fakeredis.FakeStrictRedis, state: MailState
) -> None:
    run, _ = running_run(room.database, room.connection, items=0)
    assert close_run_if_done(room.ctx, run.id)
    with room.database.engine.begin() as connection:
        connection.execute(update(MailTable).values(state=state, lease_until=room.clock.now() + timedelta(minutes=5)))
    before = everything(room.database)
    forge_all(broker)
    assert take_all(broker, functions_in(room)).failed_job_count == 0
    assert everything(room.database) == before


def test_an_item_that_is_not_due_or_has_another_attempt_waits_on(room: Room, broker: fakeredis.FakeStrictRedis) -> None:
    running_run(room.database, room.connection, items=3)
    with room.database.engine.begin() as connection:
        connection.execute(update(ItemTable).values(next_at=room.clock.now() + timedelta(minutes=5), attempt=2))
        connection.execute(update(ItemTable).where(ItemTable.id == 1).values(attempt=77))
    before = everything(room.database)
    forge_all(broker)
    assert take_all(broker, functions_in(room)).failed_job_count == 0
    assert everything(room.database) == before


DAMAGES = {
    "a number": ("result_ttl", "many"),
    "a callback": ("success_callback_name", "os.system"),
    "the call": ("data", b"x"),
    "the status": ("status", b"\xff"),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_a_genuine_job_that_was_damaged_is_dropped_and_comes_back(
    room: Room, broker: fakeredis.FakeStrictRedis, damage: str
) -> None:
    """Nothing is lost: the reconciler sees that the mail has left the queue and was not sent, and queues it again."""
    run, _ = running_run(room.database, room.connection, items=0)
    assert close_run_if_done(room.ctx, run.id)
    assert relay_once(room.ctx) == 1
    (key,) = broker.scan_iter("rq:job:*")
    broker.hset(key, *DAMAGES[damage])
    take_all(broker, functions_in(room))
    assert sum(refused().values()) == 1
    assert mail_state(room, run.id) is MailState.PENDING
    room.clock.instant += timedelta(minutes=10)  # type: ignore[attr-defined]
    assert reconcile_once(room.ctx) == {"lost_mails": 1}
    assert relay_once(room.ctx) == 1
    take_all(broker, functions_in(room))
    assert mail_state(room, run.id) is MailState.SKIPPED  # nobody is to get it, which the job finds out


def mail_state(room: Room, run_id: int) -> MailState:
    mail = room.mail_of(run_id)
    assert mail is not None
    return mail.state
