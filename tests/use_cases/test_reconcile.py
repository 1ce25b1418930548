"""What a crash, a lost broker or silence leaves lying is taken up again; what is well is left alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.domain.runs.run_state import ItemState, RunState
from app.domain.snapshot import BLANK
from app.storage.enums import MailState
from app.storage.runs.rows import ItemRow, NewChange
from app.use_cases.connections import pause_resume
from app.use_cases.finish import notify
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake.start_run import start_run
from app.use_cases.monitoring import queue_admin
from app.use_cases.upkeep.reconcile import reconcile_once
from app.use_cases.upkeep.relay import relay_once
from tests.storage.databases import add_run, end_item, new_item, running_run, start_item
from tests.together import together
from tests.use_cases.engine_room import Room

pytestmark = pytest.mark.sql


def item(room: Room, item_id: int) -> ItemRow:
    with room.database.unit_of_work() as uow:
        row = uow.items.get(item_id)
    assert row is not None
    return row


def pushed(room: Room) -> list[str]:
    """Ids of what goes to the broker now."""
    room.broker.take()
    relay_once(room.ctx)
    return room.broker.ids()


def test_in_a_healthy_system_there_is_nothing_to_do(room: Room) -> None:
    start_run(room.ctx, room.command())
    _, ids = running_run(room.database, room.connection, items=3)
    relay_once(room.ctx)
    start_item(room.database, ids[0])
    room.clock.turn(seconds=20)
    assert reconcile_once(room.ctx) == {}


# ── leader ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_leads_and_is_followed_when_it_is_gone(room: Room) -> None:
    _, (item_id,) = running_run(room.database, room.connection)
    start_item(room.database, item_id)
    reconcile_once(room.ctx, holder="first")
    room.clock.turn(seconds=40)  # the item's lease is dead, the leader's is not
    assert reconcile_once(room.ctx, holder="second") == {}
    room.clock.turn(seconds=6)
    assert reconcile_once(room.ctx, holder="second") == {"dead_leases": 1}
    assert reconcile_once(room.ctx, holder="first") == {}


def test_of_many_first_leaders_one_leads(room: Room) -> None:
    _, (item_id,) = running_run(room.database, room.connection)
    start_item(room.database, item_id)
    room.clock.turn(seconds=31)
    found = together(lambda number: reconcile_once(room.ctx, holder=f"host-{number}"), 6)
    assert [each for each in found if each] == [{"dead_leases": 1}]


# ── leases ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_item_of_a_dead_worker_is_worked_on_again(room: Room) -> None:
    _, (item_id,) = running_run(room.database, room.connection)
    relay_once(room.ctx)
    start_item(room.database, item_id)
    room.clock.turn(seconds=29)
    reconcile_once(room.ctx)
    assert item(room, item_id).state is ItemState.RUNNING
    room.clock.turn(seconds=2)
    assert reconcile_once(room.ctx) == {"dead_leases": 1}
    assert pushed(room) == [f"i{item_id}-a1"]
    assert start_item(room.database, item_id, now=room.clock.now()) == 2


def test_an_item_that_kills_its_worker_ends_after_three_starts(room: Room) -> None:
    run, (poison, good) = running_run(room.database, room.connection, items=2)
    end_item(room.database, good)
    for start in (1, 2, 3):
        assert start_item(room.database, poison, now=room.clock.now()) == start
        room.clock.turn(seconds=31)
        reconcile_once(room.ctx)
    ended = item(room, poison)
    assert (ended.state, ended.error_code) == (ItemState.FAILED, "poisoned")
    assert room.run_row(run.public_id).state is RunState.PARTLY_FAILED
    mail = room.mail_of(run.id)
    assert mail is not None
    assert mail.state is MailState.PENDING


def test_orderly_postponements_do_not_poison(room: Room) -> None:
    _, (item_id,) = running_run(room.database, room.connection)
    for _ in range(5):
        attempt = start_item(room.database, item_id, now=room.clock.now())
        with room.database.unit_of_work() as uow:
            now = room.clock.now()
            uow.items.postpone(item_id, attempt, next_at=now, error_code="E21", counts=False, now=now)
    start_item(room.database, item_id, now=room.clock.now())
    room.clock.turn(seconds=31)
    reconcile_once(room.ctx)
    assert item(room, item_id).state is ItemState.WAITING


def test_a_dead_survey_goes_on_and_a_poisonous_one_ends(room: Room) -> None:
    run = add_run(room.database, room.connection)
    for start in (1, 2, 3):
        now = room.clock.now()
        with room.database.unit_of_work() as uow:
            claimed = uow.runs.claim_survey(run.id, now=now, lease_until=now + timedelta(seconds=30))
        assert claimed is not None
        assert claimed.survey_starts == start
        room.clock.turn(seconds=31)
        found = reconcile_once(room.ctx)
        assert found == ({"dead_surveys": 1} if start < 3 else {"poisoned": 1, "closed_runs": 1})
        assert pushed(room)[:1] == ([f"s{run.id}-a{start}"] if start < 3 else [f"m{room.mail_of(run.id).id}-a0"])  # type: ignore[union-attr]
    ended = room.run_row(run.public_id)
    assert (ended.state, ended.error_code) == (RunState.FAILED, "poisoned")


# ── what the broker lost ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_broker_that_lost_everything_gets_everything_again(room: Room) -> None:
    run = start_run(room.ctx, room.command())
    _, ids = running_run(room.database, room.connection, items=3)
    relay_once(room.ctx)
    room.broker.take()  # FLUSHALL
    room.clock.turn(seconds=29)
    assert reconcile_once(room.ctx) == {}
    room.clock.turn(seconds=2)
    assert reconcile_once(room.ctx) == {"lost_jobs": 4}
    assert sorted(pushed(room)) == sorted([*(f"i{i}-a0" for i in ids), f"s{room.run_row(run.id).id}-a0"])
    assert reconcile_once(room.ctx) == {}


def test_a_long_queue_is_waited_for(room: Room) -> None:
    running_run(room.database, room.connection, items=3)
    relay_once(room.ctx)
    room.clock.turn(hours=5)
    assert reconcile_once(room.ctx) == {}
    assert len(room.broker.jobs) == 3


def test_what_is_missing_from_a_moving_queue_is_found(room: Room) -> None:
    _, (lost,) = running_run(room.database, room.connection)
    relay_once(room.ctx)
    room.broker.take()  # popped by a worker that died before its claim
    room.clock.turn(seconds=40)
    running_run(room.database, room.connection, items=2)
    relay_once(room.ctx)
    room.clock.turn(seconds=20)
    assert reconcile_once(room.ctx) == {"lost_jobs": 1}
    relay_once(room.ctx)
    assert room.broker.ids()[-1] == f"i{lost}-a0"


def test_while_the_broker_is_away_nothing_is_taken_for_lost(room: Room) -> None:
    _, (item_id,) = running_run(room.database, room.connection)
    relay_once(room.ctx)
    room.broker.take()
    room.broker.up = False
    room.clock.turn(minutes=10)
    assert reconcile_once(room.ctx) == {}
    room.broker.up = True
    assert reconcile_once(room.ctx) == {"lost_jobs": 1}
    assert pushed(room) == [f"i{item_id}-a0"]


@pytest.mark.parametrize("held", ["paused", "consent"])
def test_work_of_a_held_connection_rests(room: Room, held: str) -> None:
    start_run(room.ctx, room.command())
    running_run(room.database, room.connection, items=2)
    relay_once(room.ctx)
    room.broker.take()
    with room.database.unit_of_work() as uow:
        if held == "paused":
            uow.connections.set_paused(room.connection.id, True)
        else:
            uow.connections.set_needs_consent(room.connection.id, True)
    room.clock.turn(hours=1)
    assert reconcile_once(room.ctx) == {}


def test_a_mail_the_broker_lost_and_a_mail_whose_sender_died(room: Room) -> None:
    lost_run, _ = running_run(room.database, room.connection, items=0)
    dead_run, _ = running_run(room.database, room.connection, items=0)
    for run in (lost_run, dead_run):
        close_run_if_done(room.ctx, run.id)
    relay_once(room.ctx)
    room.broker.take()
    lost, dead = room.mail_of(lost_run.id), room.mail_of(dead_run.id)
    assert lost is not None
    assert dead is not None
    with room.database.unit_of_work() as uow:
        uow.mails.claim(dead.id, now=room.clock.now(), lease_until=room.clock.now() + notify.LEASE)
    room.clock.turn(minutes=4)
    assert reconcile_once(room.ctx) == {"lost_mails": 2}
    assert pushed(room) == [f"m{lost.id}-a0", f"m{dead.id}-a1"]
    for mail in (lost, dead):
        notify.send_mail(room.ctx, mail.id)
    assert len(room.postbox.mails) == 2
    room.clock.turn(hours=1)
    assert reconcile_once(room.ctx) == {}


# ── ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_nobody_closed_is_closed(room: Room) -> None:
    run, (item_id,) = running_run(room.database, room.connection)
    end_item(room.database, item_id)  # and the worker died before it asked for the end
    assert reconcile_once(room.ctx) == {"closed_runs": 1}
    assert room.run_row(run.public_id).state is RunState.SUCCEEDED
    assert room.mail_of(run.id) is not None


def test_a_run_past_its_deadline_ends_and_tells(room: Room) -> None:
    run, (done, running, waiting) = running_run(room.database, room.connection, items=3)
    unstarted = start_run(room.ctx, room.command())
    end_item(room.database, done)
    room.clock.turn(hours=24, seconds=1)
    late = start_item(room.database, running, now=room.clock.now())
    reconcile_once(room.ctx)
    assert [item(room, i).error_code for i in (done, running, waiting)] == [None, "deadline", "deadline"]
    assert room.run_row(run.public_id).state is RunState.PARTLY_FAILED
    assert room.run_row(unstarted.id).state is RunState.FAILED
    assert room.run_row(unstarted.id).error_code == "deadline"
    assert room.mail_of(run.id) is not None
    with room.database.unit_of_work() as uow:
        assert not uow.items.record_outcome(running, late, state=ItemState.SUCCEEDED, now=room.clock.now())


def test_a_preview_has_no_deadline(room: Room) -> None:
    run, _ = running_run(room.database, room.connection, state=RunState.PREVIEWED)
    room.clock.turn(days=30)
    reconcile_once(room.ctx)
    assert room.run_row(run.public_id).state is RunState.PREVIEWED


def test_what_a_survey_added_to_a_run_that_had_ended_does_not_stay_open(room: Room) -> None:
    run = add_run(room.database, room.connection)
    now = room.clock.now()
    with room.database.unit_of_work() as uow:
        uow.runs.claim_survey(run.id, now=now, lease_until=now + timedelta(seconds=30))
        uow.runs.cancel(run.id, now)
    close_run_if_done(room.ctx, run.id)
    with room.database.unit_of_work() as uow:
        (item_id,) = uow.items.add_many([new_item(run)])
    reconcile_once(room.ctx)
    assert item(room, item_id).state is ItemState.CANCELLED
    _, (next_item,) = running_run(room.database, room.connection)
    assert item(room, next_item).holds_slot


# ── retention ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_personal_values_are_erased_after_the_retention_time(room: Room) -> None:
    old, (item_id,) = running_run(room.database, room.connection)
    with room.database.unit_of_work() as uow:
        uow.changes.replace(item_id, [NewChange("phone", BLANK, "03-0000-0000")])
    end_item(room.database, item_id, state=ItemState.FAILED, error_code="E17", detail="架空の電話番号が不正です")
    close_run_if_done(room.ctx, old.id)
    old_mail = room.mail_of(old.id)
    assert old_mail is not None
    notify.send_mail(room.ctx, old_mail.id)
    room.clock.turn(days=400)
    reconcile_once(room.ctx)
    assert item(room, item_id).detail is not None
    room.clock.turn(days=1, seconds=1)
    assert reconcile_once(room.ctx) == {"erased_runs": 1}
    with room.database.unit_of_work() as uow:
        (change,) = uow.changes.of_items([item_id])[item_id]
        mail = uow.mails.get(old_mail.id)
    erased = item(room, item_id)
    assert (change.key, change.before, change.after) == ("phone", None, None)
    assert (erased.detail, erased.error_code, erased.employee_number) == (None, "E17", "0001")
    assert mail is not None
    assert (mail.to, mail.subject, mail.body, mail.state) == ((), None, None, MailState.SENT)
    assert reconcile_once(room.ctx) == {}


def test_cleaning_is_done_once_a_day(room: Room) -> None:
    def erased() -> int:
        run, (item_id,) = running_run(room.database, room.connection)
        end_item(room.database, item_id)
        close_run_if_done(room.ctx, run.id)
        with room.database.engine.begin() as connection:
            connection.execute(text("UPDATE runs SET finished_at = '2020-01-01 00:00:00'"))
        return reconcile_once(room.ctx).get("erased_runs", 0)

    assert erased() == 1
    room.clock.turn(hours=23)
    assert erased() == 0
    room.clock.turn(hours=26)
    assert erased() == 2


# ── by hand ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_requeue_pushes_what_is_due_without_waiting(room: Room) -> None:
    _, ids = running_run(room.database, room.connection, items=2)
    run = start_run(room.ctx, room.command())
    relay_once(room.ctx)
    room.clock.turn(seconds=1)
    queue_admin.requeue(room.ctx)
    assert sorted(pushed(room)) == sorted([*(f"i{i}-a0" for i in ids), f"s{room.run_row(run.id).id}-a0"])


def test_pause_holds_and_resume_hands_out(room: Room) -> None:
    _, (item_id,) = running_run(room.database, room.connection)
    relay_once(room.ctx)
    room.broker.take()
    pause_resume.pause(room.ctx, "renshu")
    with room.database.unit_of_work() as uow:
        now = room.clock.now()
        assert uow.items.claim(item_id, 0, now=now, lease_until=now, worker="test") is None
    room.clock.turn(seconds=1)
    pause_resume.resume(room.ctx, "renshu")
    assert pushed(room) == [f"i{item_id}-a0"]
    assert start_item(room.database, item_id, now=room.clock.now()) == 1
