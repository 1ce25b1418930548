"""The summary mail over a real SMTP server that defers, refuses, vanishes, and at last takes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from app.adapters.mailer import SmtpMailer
from app.storage.enums import MailState
from app.use_cases.finish import notify
from app.use_cases.queries.history import get_run
from app.use_cases.upkeep.reconcile import reconcile_once
from app.use_cases.upkeep.relay import relay_once
from tests.adapters.test_mailer import Inbox, smtp
from tests.use_cases.engine_room import Room
from tests.use_cases.test_notify import closed_run, stored


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def office(room: Room, inbox: Inbox) -> Iterator[Room]:
    """The room with a mail server instead of the postbox."""
    with smtp(inbox) as port:
        mailer = SmtpMailer(f"smtp://127.0.0.1:{port}", "awase@example.com", timeout=5.0)
        yield replace(room, ctx=replace(room.ctx, mailer=mailer))


def try_now(room: Room, mail_id: int) -> tuple[MailState, int, str | None]:
    notify.send_mail(room.ctx, mail_id)
    row = stored(room, mail_id)
    return row.state, row.attempts, row.error_code


def test_deferred_twice_and_then_taken(office: Room, inbox: Inbox) -> None:
    mail_id = closed_run(office)
    inbox.answers["RCPT"] = "450 4.2.0 greylisted, jinji@example.com"
    assert try_now(office, mail_id) == (MailState.PENDING, 1, "mail_unavailable")
    office.clock.turn(hours=1)
    inbox.answers = {"DATA": "451 4.3.0 try again"}
    assert try_now(office, mail_id) == (MailState.PENDING, 2, "mail_unavailable")
    office.clock.turn(hours=1)
    inbox.answers = {}
    assert try_now(office, mail_id) == (MailState.SENT, 3, None)
    (mail,) = inbox.mails
    assert mail["Message-ID"] == stored(office, mail_id).message_id
    assert inbox.recipients == [["jinji@example.com"]]


def test_refused_for_good_is_not_tried_again(office: Room, inbox: Inbox) -> None:
    mail_id = closed_run(office)
    inbox.answers["RCPT"] = "550 5.1.1 no such user"
    assert try_now(office, mail_id) == (MailState.FAILED, 1, "mail_refused")
    inbox.answers = {}
    office.clock.turn(days=1)
    reconcile_once(office.ctx)
    relay_once(office.ctx)
    assert try_now(office, mail_id) == (MailState.FAILED, 1, "mail_refused")
    assert inbox.mails == []


def test_deferred_then_refused(office: Room, inbox: Inbox) -> None:
    mail_id = closed_run(office)
    inbox.answers["DATA"] = "452 4.2.2 mailbox full"
    assert try_now(office, mail_id)[0] is MailState.PENDING
    office.clock.turn(hours=1)
    inbox.answers["DATA"] = "554 5.7.1 rejected"
    assert try_now(office, mail_id) == (MailState.FAILED, 2, "mail_refused")
    assert office.broker.take() == []


def test_a_server_that_vanishes_after_the_text_gets_the_same_mail_again(office: Room, inbox: Inbox) -> None:
    """Nobody knows whether it was taken: it is sent again under the same id, and the receiver can drop one."""
    mail_id = closed_run(office)
    inbox.answers["DATA"] = lambda server: server.transport.abort()
    assert try_now(office, mail_id)[:2] == (MailState.PENDING, 1)
    office.clock.turn(hours=1)
    inbox.answers = {}
    assert try_now(office, mail_id)[:2] == (MailState.SENT, 2)
    assert {mail["Message-ID"] for mail in inbox.mails} == {stored(office, mail_id).message_id}


def test_the_next_attempt_waits_in_the_outbox_for_its_time(office: Room, inbox: Inbox) -> None:
    mail_id = closed_run(office)
    inbox.answers["MAIL"] = "421 4.7.0 busy"
    try_now(office, mail_id)
    assert relay_once(office.ctx) == 0
    office.clock.turn(hours=1)
    assert relay_once(office.ctx) == 1
    assert office.broker.ids() == [f"m{mail_id}-a1"]


def test_the_run_shows_how_its_mail_is_doing(office: Room, inbox: Inbox) -> None:
    mail_id = closed_run(office)
    with office.database.unit_of_work() as uow:
        run = uow.runs.get(stored(office, mail_id).run_id)
    assert run is not None
    seen = [get_run(office.ctx, run.public_id).mail_state]
    inbox.answers["DATA"] = "451 later"
    try_now(office, mail_id)
    seen.append(get_run(office.ctx, run.public_id).mail_state)
    office.clock.turn(hours=1)
    inbox.answers = {}
    try_now(office, mail_id)
    seen.append(get_run(office.ctx, run.public_id).mail_state)
    assert seen == ["pending", "pending", "sent"]


@pytest.mark.parametrize("said", ["450 4.2.0 jinji@example.com", "550 5.1.1 jinji@example.com unknown"])
def test_no_address_and_no_text_in_the_logs(office: Room, inbox: Inbox, said: str) -> None:
    mail_id = closed_run(office)
    inbox.answers["RCPT"] = said
    with capture_logs() as logs:
        try_now(office, mail_id)
    assert [entry["mail_id"] for entry in logs if "mail_id" in entry] == [mail_id]
    assert not re.search(r"jinji|0002|練習株式会社", str(logs))


def test_a_mail_that_is_stuck_is_queued_once_however_long_the_broker_is_away(room: Room) -> None:
    """One row on its way is enough; every pass used to add another one."""
    mail_id = closed_run(room)
    with room.database.unit_of_work() as uow:
        assert uow.mails.claim(mail_id, now=room.clock.now(), lease_until=room.clock.now() + notify.LEASE)
    room.broker.up = False
    for _ in range(5):
        room.clock.turn(minutes=4)
        reconcile_once(room.ctx)
        relay_once(room.ctx)
    room.broker.up = True
    relay_once(room.ctx)
    assert [job for job in room.broker.ids() if job.startswith("m")] == [f"m{mail_id}-a1"]
    notify.send_mail(room.ctx, mail_id)
    assert len(room.postbox.mails) == 1
