"""A mail leaves in the language of who reads it: one row of the outbox, one letter per language, each of them once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from app.domain.errors import ItemError, TemporaryError
from app.domain.ports import Mail
from app.storage.enums import MailState
from app.use_cases.connections import connection_settings
from app.use_cases.finish import notify
from app.use_cases.finish.notices import tell_consent_needed
from app.use_cases.upkeep.relay import relay_once
from tests.domain.mail_reader import differences, read_html
from tests.use_cases.engine_room import Room
from tests.use_cases.test_notify import closed_run, stored

JAPANESE, ENGLISH = "jinji@example.com", "hr@example.com"


@pytest.fixture
def both(room: Room) -> Room:
    """A connection with a reader of each language."""
    with room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(room.connection, mail_to=(JAPANESE, ENGLISH), mail_english=(ENGLISH,)))
    return room


def sent(room: Room) -> list[tuple[str, tuple[str, ...]]]:
    return [(mail.language, mail.to) for mail in room.postbox.mails]


def in_both(mails: list[Mail]) -> tuple[Mail, Mail]:
    japanese, english = sorted(mails, key=lambda mail: mail.language, reverse=True)
    return japanese, english


def test_everybody_reads_their_language(both: Room) -> None:
    notify.send_mail(both.ctx, closed_run(both))
    japanese, english = in_both(both.postbox.mails)
    assert (japanese.to, english.to) == ((JAPANESE,), (ENGLISH,))
    assert "失敗: 1件" in japanese.body and "Failed: 1" in english.body
    assert japanese.subject.startswith("SmartHRから") and english.subject.startswith("Employee data synced")
    assert japanese.message_id != english.message_id
    for mail in (japanese, english):
        assert differences(read_html(mail.html).lines, mail.body) == []


def test_without_a_choice_everybody_reads_japanese(room: Room) -> None:
    notify.send_mail(room.ctx, closed_run(room))
    assert sent(room) == [("ja", (JAPANESE,))]


def test_what_has_left_does_not_leave_again(both: Room) -> None:
    """The server takes the first letter and defers the second: the repetition sends the second only."""
    mail_id = closed_run(both)
    both.postbox.answers = [None, TemporaryError("mail_unavailable")]
    notify.send_mail(both.ctx, mail_id)
    assert sent(both) == [("ja", (JAPANESE,))]
    assert stored(both, mail_id).state is MailState.PENDING
    both.clock.turn(hours=1)
    notify.send_mail(both.ctx, mail_id)
    assert sent(both) == [("ja", (JAPANESE,)), ("en", (ENGLISH,))]
    assert stored(both, mail_id).state is MailState.SENT


def test_a_refusal_of_one_letter_stops_no_other_and_is_shown(both: Room) -> None:
    mail_id = closed_run(both)
    both.postbox.answers = [ItemError("mail_refused")]
    notify.send_mail(both.ctx, mail_id)
    assert sent(both) == [("en", (ENGLISH,))]
    row = stored(both, mail_id)
    assert (row.state, row.error_code) == (MailState.FAILED, "mail_refused")


def test_a_sender_that_died_between_two_letters_is_followed_with_the_rest(both: Room) -> None:
    mail_id = closed_run(both)
    both.postbox.answers = [None, KeyboardInterrupt()]  # the process dies in the middle of the second letter
    with pytest.raises(KeyboardInterrupt):
        notify.send_mail(both.ctx, mail_id)
    both.clock.turn(seconds=notify.LEASE.total_seconds() + 1)
    notify.send_mail(both.ctx, mail_id)
    assert sent(both) == [("ja", (JAPANESE,)), ("en", (ENGLISH,))]


def test_a_repetition_says_what_the_first_attempt_said(both: Room) -> None:
    mail_id = closed_run(both)
    both.postbox.answers = [TemporaryError("mail_unavailable")]
    notify.send_mail(both.ctx, mail_id)
    with both.database.unit_of_work() as uow:
        uow.connections.set_options(replace(both.connection, name="改名株式会社", mail_english=(JAPANESE,)))
    both.clock.turn(hours=1)
    notify.send_mail(both.ctx, mail_id)
    japanese, english = in_both(both.postbox.mails)
    assert (japanese.to, english.to) == ((JAPANESE,), (ENGLISH,))
    assert "改名" not in japanese.subject + english.subject


def test_a_mail_that_an_earlier_version_has_written_leaves_as_it_is(both: Room) -> None:
    mail_id = closed_run(both)
    both.postbox.answers = [TemporaryError("mail_unavailable")]
    notify.send_mail(both.ctx, mail_id)
    with both.database.engine.begin() as connection:
        connection.execute(text("UPDATE mails SET letters_enc = NULL"))
    both.clock.turn(hours=1)
    notify.send_mail(both.ctx, mail_id)
    (mail,) = both.postbox.mails
    assert (mail.to, mail.html, mail.language) == ((JAPANESE, ENGLISH), "", "ja")
    assert "失敗: 1件" in mail.body


def test_notices_are_in_the_same_languages(both: Room) -> None:
    assert tell_consent_needed(both.ctx, both.connection.id)
    relay_once(both.ctx)
    (job,) = both.broker.take()
    notify.send_mail(both.ctx, *job.args)
    japanese, english = in_both(both.postbox.mails)
    assert japanese.subject.startswith("【要対応】") and english.subject.startswith("[Action needed]")


def test_the_text_names_where_to_get_help(room: Room) -> None:
    ctx = replace(room.ctx, settings=replace(room.ctx.settings, support_contact="help@example.com"))
    notify.send_mail(ctx, closed_run(room))
    (mail,) = room.postbox.mails
    assert "サポートの連絡先: help@example.com\n" in mail.body
    assert "mailto:help@example.com" in read_html(mail.html).links


def test_the_settings_keep_who_reads_english(room: Room) -> None:
    key = room.connection.key
    connection_settings.set_names(
        room.ctx, key, name="練習株式会社", mail_to=[JAPANESE, ENGLISH], mail_english=[ENGLISH, "new@example.com"]
    )
    with room.database.unit_of_work() as uow:
        connection = uow.connections.get(room.connection.id)
    assert connection is not None
    assert [(each.address, each.language.value) for each in connection.recipients] == [
        (JAPANESE, "ja"),
        (ENGLISH, "en"),
        ("new@example.com", "en"),
    ]
