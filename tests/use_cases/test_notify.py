"""The one mail: claimed before it is sent, the same text and id however often it is tried."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from app.domain.errors import ItemError, TemporaryError
from app.domain.runs.run_state import ItemState
from app.storage.enums import MailState
from app.storage.outgoing.rows import MailRow
from app.use_cases.finish import notify
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.upkeep.relay import relay_once
from tests.storage.databases import end_item, running_run
from tests.together import together
from tests.use_cases.engine_room import Room


def closed_run(room: Room) -> int:
    """A run with one success and one failure; returns its mail's id."""
    run, (good, bad) = running_run(room.database, room.connection, items=2)
    end_item(room.database, good)
    end_item(room.database, bad, state=ItemState.FAILED, error_code="E1")
    assert close_run_if_done(room.ctx, run.id)
    relay_once(room.ctx)
    room.broker.take()
    mail = room.mail_of(run.id)
    assert mail is not None
    return mail.id


def stored(room: Room, mail_id: int) -> MailRow:
    with room.database.unit_of_work() as uow:
        mail = uow.mails.get(mail_id)
    assert mail is not None
    return mail


def test_the_mail_tells_what_happened(room: Room) -> None:
    mail_id = closed_run(room)
    notify.send_mail(room.ctx, mail_id)
    (mail,) = room.postbox.mails
    assert mail.to == ("jinji@example.com",)
    assert mail.subject == "SmartHRからfreee人事労務へ従業員情報を同期しました｜練習株式会社"
    assert "成功: 1件" in mail.body
    assert "失敗: 1件" in mail.body
    assert "従業員番号: 【0002】\n失敗理由: " in mail.body
    assert f"https://awase.example:8443/runs/{mail.message_id[1:].partition('.')[0]}" in mail.body
    row = stored(room, mail_id)
    assert (row.state, row.sent_at, row.to, row.subject) == (
        MailState.SENT,
        room.clock.now(),
        mail.to,
        mail.subject,
    )


def test_many_senders_send_one_mail(room: Room) -> None:
    mail_id = closed_run(room)
    together(lambda _: notify.send_mail(room.ctx, mail_id), 6)
    notify.send_mail(room.ctx, mail_id)
    assert len(room.postbox.mails) == 1


def test_a_mail_server_that_is_away_is_tried_again_later(room: Room) -> None:
    mail_id = closed_run(room)
    room.postbox.answers = [TemporaryError("mail_unavailable"), TemporaryError("mail_unavailable")]
    for attempt in (1, 2):
        notify.send_mail(room.ctx, mail_id)
        row = stored(room, mail_id)
        assert (row.state, row.attempts, row.error_code) == (MailState.PENDING, attempt, "mail_unavailable")
        assert row.next_at > room.clock.now()
        notify.send_mail(room.ctx, mail_id)  # too early
        assert stored(room, mail_id).attempts == attempt
        room.clock.turn(hours=1)
        assert relay_once(room.ctx) == 1
        (job,) = room.broker.take()
        assert job.id == f"m{mail_id}-a{attempt}"
    notify.send_mail(room.ctx, mail_id)
    assert len(room.postbox.mails) == 1
    assert stored(room, mail_id).state is MailState.SENT


def test_the_second_attempt_sends_the_first_text(room: Room) -> None:
    mail_id = closed_run(room)
    room.postbox.answers = [TemporaryError("mail_unavailable")]
    notify.send_mail(room.ctx, mail_id)
    with room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(room.connection, name="改名株式会社", mail_to=("other@example.com",)))
    room.clock.turn(hours=1)
    notify.send_mail(room.ctx, mail_id)
    (mail,) = room.postbox.mails
    assert mail.to == ("jinji@example.com",)
    assert "練習株式会社" in mail.subject
    assert mail.message_id == stored(room, mail_id).message_id


def test_a_refused_mail_is_shown_as_failed(room: Room) -> None:
    mail_id = closed_run(room)
    room.postbox.answers = [ItemError("mail_refused")]
    notify.send_mail(room.ctx, mail_id)
    row = stored(room, mail_id)
    assert (row.state, row.error_code) == (MailState.FAILED, "mail_refused")
    room.clock.turn(days=1)
    notify.send_mail(room.ctx, mail_id)
    assert room.postbox.mails == []


def test_after_three_days_nobody_tries_any_more(room: Room) -> None:
    mail_id = closed_run(room)
    room.postbox.answers = [TemporaryError("mail_unavailable")] * 2
    room.clock.turn(days=3)
    notify.send_mail(room.ctx, mail_id)
    assert stored(room, mail_id).state is MailState.PENDING
    room.clock.turn(hours=2)
    notify.send_mail(room.ctx, mail_id)
    assert stored(room, mail_id).state is MailState.FAILED


def test_without_a_recipient_the_mail_is_skipped_and_says_so(room: Room) -> None:
    with room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(room.connection, mail_to=()))
    mail_id = closed_run(room)
    notify.send_mail(room.ctx, mail_id)
    assert room.postbox.mails == []
    assert (stored(room, mail_id).state, stored(room, mail_id).error_code) == (MailState.SKIPPED, "no_recipient")


def test_a_sender_that_died_is_followed_after_its_lease(room: Room) -> None:
    mail_id = closed_run(room)
    with room.database.unit_of_work() as uow:
        dead = uow.mails.claim(mail_id, now=room.clock.now(), lease_until=room.clock.now() + notify.LEASE)
    assert dead is not None
    notify.send_mail(room.ctx, mail_id)
    assert room.postbox.mails == []
    room.clock.turn(seconds=notify.LEASE.total_seconds() + 1)
    notify.send_mail(room.ctx, mail_id)
    assert len(room.postbox.mails) == 1
    with room.database.unit_of_work() as uow:  # the dead one wakes up: its word no longer counts
        assert not uow.mails.record_result(
            mail_id, attempts=dead.attempts, state=MailState.FAILED, now=room.clock.now()
        )
        assert not uow.mails.postpone(
            mail_id, attempts=dead.attempts, next_at=room.clock.now() + timedelta(hours=1), error_code="x"
        )
    assert stored(room, mail_id).state is MailState.SENT
