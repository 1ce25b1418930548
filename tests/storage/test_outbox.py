"""The outbox and the mails: what is due and in which order, what is on its way, who may send."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.mail_text.letter import Letter
from app.domain.settings.recipients import Language
from app.storage.enums import MailKind, MailState, OutboxKind
from app.storage.outgoing.rows import MailRow
from app.storage.unit_of_work import Database
from tests.storage.databases import NOW, add_connection, add_run, running_run

pytestmark = pytest.mark.sql

LATER = NOW + timedelta(seconds=60)
LEASE = NOW + timedelta(seconds=30)


def put(database: Database, *rows: tuple[OutboxKind, int, float]) -> None:
    """Outbox rows as (kind, id, seconds until they are due)."""
    with database.unit_of_work() as uow:
        for kind, ref, seconds in rows:
            due_at = NOW + timedelta(seconds=seconds)
            uow.outbox.add(kind, ref, attempt=2, queue="bulk", due_at=due_at, now=NOW)


def add_mail(database: Database, run_id: int) -> int:
    with database.unit_of_work() as uow:
        return uow.mails.add(run_id, kind=MailKind.SUMMARY, message_id=f"<{run_id}@example.com>", now=NOW)


def mail(database: Database, mail_id: int) -> MailRow:
    with database.unit_of_work() as uow:
        found = uow.mails.get(mail_id)
    assert found is not None
    return found


# ── the outbox ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_due_rows_come_by_their_time_then_in_their_order_and_no_more_than_asked_for(database: Database) -> None:
    put(database, *((OutboxKind.ITEM, ref, seconds) for ref, seconds in ((1, 3), (2, 0), (3, 0), (4, 61))))
    with database.unit_of_work() as uow:
        assert [row.ref_id for row in uow.outbox.due(LATER)] == [2, 3, 1]
        assert [row.ref_id for row in uow.outbox.due(NOW)] == [2, 3]
        (first,) = uow.outbox.due(LATER, limit=1)
    assert (first.kind, first.ref_id, first.attempt, first.queue) == (OutboxKind.ITEM, 2, 2, "bulk")


def test_500_go_at_a_time(database: Database) -> None:
    with database.unit_of_work() as uow:
        uow.outbox.add_many([(n, 0, "bulk") for n in range(501)], kind=OutboxKind.ITEM, due_at=NOW, now=NOW)
        assert len(uow.outbox.due(NOW)) == 500
        uow.outbox.add_many([], kind=OutboxKind.ITEM, due_at=NOW, now=NOW)


def test_only_what_was_sent_is_marked_and_so_are_the_rows_it_refers_to(database: Database) -> None:
    connection = add_connection(database)
    run, (item, other_item) = running_run(database, connection, items=2)
    other_run = add_run(database, connection)
    sent_mail, other_mail = add_mail(database, run.id), add_mail(database, other_run.id)
    with database.unit_of_work() as uow:
        uow.outbox.mark_sent(uow.outbox.due(NOW), NOW)
        assert uow.outbox.due(NOW) == []
    put(database, (OutboxKind.SURVEY, run.id, 0), (OutboxKind.MAIL, sent_mail, 0), (OutboxKind.ITEM, item, 0))
    put(database, (OutboxKind.SURVEY, other_run.id, 90), (OutboxKind.MAIL, other_mail, 90))
    with database.unit_of_work() as uow:
        uow.outbox.mark_sent(uow.outbox.due(LATER), LATER)
        left = uow.outbox.due(NOW + timedelta(seconds=90))
        items = [uow.items.get(each) for each in (item, other_item)]
        lost = uow.recovery.lost_surveys(NOW, pushed_before=NOW)
    assert [(row.kind, row.ref_id) for row in left] == [
        (OutboxKind.SURVEY, other_run.id),
        (OutboxKind.MAIL, other_mail),
    ]
    assert [row.pushed_at for row in items if row] == [LATER, NOW]
    assert lost == [], "the other run's survey is on its way"
    with database.unit_of_work() as uow:
        stuck = uow.mails.stuck(NOW + timedelta(seconds=61), pushed_before=NOW + timedelta(seconds=61))
    assert [row.id for row in stuck] == [sent_mail]


def test_a_survey_is_lost_when_it_was_pushed_a_while_ago(database: Database) -> None:
    connection = add_connection(database)
    pushed_run, never_pushed = (add_run(database, connection).id for _ in range(2))
    put(database, (OutboxKind.SURVEY, pushed_run, 0))
    with database.unit_of_work() as uow:
        assert uow.recovery.lost_surveys(NOW, pushed_before=NOW) == [never_pushed], "the other one is on its way"
        uow.outbox.mark_sent(uow.outbox.due(NOW), NOW)
        assert uow.recovery.lost_surveys(NOW, pushed_before=NOW) == [never_pushed]
        assert set(uow.recovery.lost_surveys(NOW, pushed_before=LATER)) == {pushed_run, never_pushed}


def test_what_waits_is_counted_with_the_age_of_the_oldest(database: Database) -> None:
    with database.unit_of_work() as uow:
        assert uow.outbox.waiting(NOW) == (0, None)
    put(database, (OutboxKind.ITEM, 1, 10), (OutboxKind.ITEM, 2, 0), (OutboxKind.ITEM, 3, 61))
    with database.unit_of_work() as uow:
        assert uow.outbox.waiting(NOW) == (1, 0.0)
        assert uow.outbox.waiting(LATER) == (2, 60.0)
        uow.outbox.mark_sent(uow.outbox.due(NOW), NOW)
        assert uow.outbox.waiting(LATER) == (1, 50.0)


# ── mails ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_sender_claims_a_mail_at_its_time_and_another_only_after_a_dead_lease(database: Database) -> None:
    mail_id = add_mail(database, add_run(database, add_connection(database)).id)
    other = add_mail(database, add_run(database, add_connection(database, key="other")).id)
    with database.unit_of_work() as uow:
        early = NOW - timedelta(seconds=1)
        assert uow.mails.claim(mail_id, now=early, lease_until=LEASE) is None
        claimed = uow.mails.claim(mail_id, now=NOW, lease_until=LEASE)
        assert uow.mails.claim(mail_id, now=LEASE, lease_until=LATER) is None
        again = uow.mails.claim(mail_id, now=LEASE + timedelta(seconds=1), lease_until=LATER)
        assert uow.mails.record_result(
            mail_id, attempts=2, state=MailState.FAILED, now=LATER, error_code="mail_refused"
        )
        assert uow.mails.claim(mail_id, now=LATER, lease_until=LATER) is None
    assert claimed is not None and again is not None
    assert (claimed.state, claimed.attempts, again.attempts) == (MailState.SENDING, 1, 2)
    assert mail(database, other).state is MailState.PENDING


@pytest.mark.parametrize("state", [MailState.SENT, MailState.FAILED, MailState.SKIPPED])
def test_only_the_sender_that_holds_the_mail_is_heard(database: Database, state: MailState) -> None:
    mail_id = add_mail(database, add_run(database, add_connection(database)).id)
    with database.unit_of_work() as uow:
        assert not uow.mails.record_result(mail_id, attempts=0, state=state, now=NOW), "nobody has claimed it"
        uow.mails.claim(mail_id, now=NOW, lease_until=LEASE)
        assert not uow.mails.record_result(mail_id, attempts=0, state=state, now=NOW)
        assert not uow.mails.postpone(mail_id, attempts=0, next_at=LATER, error_code="mail_refused")
        assert uow.mails.record_result(mail_id, attempts=1, state=state, now=LATER, error_code="mail_refused")
        assert not uow.mails.record_result(mail_id, attempts=1, state=state, now=LATER)
    row = mail(database, mail_id)
    assert (row.state, row.error_code) == (state, "mail_refused")
    assert row.sent_at == (LATER if state is MailState.SENT else None)


def test_a_mail_that_is_put_off_waits_for_its_time(database: Database) -> None:
    mail_id = add_mail(database, add_run(database, add_connection(database)).id)
    with database.unit_of_work() as uow:
        uow.mails.claim(mail_id, now=NOW, lease_until=LEASE)
        assert uow.mails.waiting_count() == 1
        assert uow.mails.postpone(mail_id, attempts=1, next_at=LATER, error_code="mail_refused")
        assert uow.mails.claim(mail_id, now=LEASE, lease_until=LATER) is None
        assert uow.mails.waiting_count() == 1
    row = mail(database, mail_id)
    assert (row.state, row.next_at, row.error_code) == (MailState.PENDING, LATER, "mail_refused")


def test_a_repetition_sends_the_text_that_was_kept(database: Database) -> None:
    mail_id = add_mail(database, add_run(database, add_connection(database)).id)
    other = add_mail(database, add_run(database, add_connection(database, key="other")).id)
    with database.unit_of_work() as uow:
        uow.mails.keep_letters(mail_id, [Letter(Language.JAPANESE, ("jinji@example.com",), "件名", "本文")])
    row = mail(database, mail_id)
    assert (row.to, row.subject, row.body) == (("jinji@example.com",), "件名", "本文")
    assert (mail(database, other).to, mail(database, other).body) == ((), None)


def test_a_run_finds_its_mail(database: Database) -> None:
    one, other = (add_run(database, add_connection(database, key=key)).id for key in ("one", "other"))
    mail_id = add_mail(database, one)
    add_mail(database, other)
    with database.unit_of_work() as uow:
        assert {run: row.id for run, row in uow.mails.of_runs([one]).items()} == {one: mail_id}


def test_a_notice_is_added_once_an_occasion(database: Database) -> None:
    connection = add_connection(database)
    with database.unit_of_work() as uow:
        given = {"kind": MailKind.CONSENT, "message_id": "<1@example.com>", "now": NOW}
        notice = uow.mails.add_notice(connection.id, occasion="consent-1", **given)
        assert uow.mails.add_notice(connection.id, occasion="consent-1", **given) is None
        assert uow.mails.add_notice(None, occasion="guard-7", **given | {"message_id": "<2@example.com>"}) is not None
        assert uow.mails.states(["consent-1", "consent-2"]) == {"consent-1": MailState.PENDING}
    assert notice is not None
    row = mail(database, notice)
    assert (row.kind, row.message_id, row.next_at, row.run_id) == (MailKind.CONSENT, "<1@example.com>", NOW, None)
    assert row.connection_id == connection.id


# ── mails that nobody is going to send ────────────────────────────────────────────────────────────────────────────


def pushed(database: Database, *mail_ids: int) -> None:
    """The broker got these mails now."""
    put(database, *((OutboxKind.MAIL, mail_id, 0) for mail_id in mail_ids))
    with database.unit_of_work() as uow:
        uow.outbox.mark_sent(uow.outbox.due(NOW), NOW)


def stuck(database: Database, *, seconds: float, pushed_before: float = 0.5) -> list[int]:
    with database.unit_of_work() as uow:
        now = NOW + timedelta(seconds=seconds)
        return [row.id for row in uow.mails.stuck(now, pushed_before=NOW + timedelta(seconds=pushed_before))]


def mails(database: Database, count: int) -> list[int]:
    connection = add_connection(database)
    return [add_mail(database, add_run(database, connection).id) for _ in range(count)]


def test_a_mail_that_was_pushed_a_while_ago_and_never_claimed_is_stuck(database: Database) -> None:
    old, unpushed = mails(database, 2)
    pushed(database, old)
    assert stuck(database, seconds=60) == [old]
    assert stuck(database, seconds=60, pushed_before=0) == [], "pushed just now"
    assert stuck(database, seconds=0) == [old], "due at this very moment"
    assert stuck(database, seconds=-1) == [], "not due yet"
    with database.unit_of_work() as uow:
        assert uow.mails.waiting_count() == 2
        uow.mails.queued_again([old])
    assert stuck(database, seconds=60) == []
    assert mail(database, unpushed).state is MailState.PENDING


def test_a_mail_whose_sender_died_is_stuck_and_one_being_sent_or_sent_is_not(database: Database) -> None:
    claimed, sent = mails(database, 2)
    pushed(database, claimed, sent)
    with database.unit_of_work() as uow:
        uow.mails.claim(claimed, now=NOW, lease_until=LEASE)
        uow.mails.claim(sent, now=NOW, lease_until=LEASE)
        uow.mails.record_result(sent, attempts=1, state=MailState.SENT, now=NOW)
    assert stuck(database, seconds=30) == [], "the lease still holds at its last moment"
    assert stuck(database, seconds=31) == [claimed]


def test_a_mail_on_its_way_is_not_stuck_whatever_else_is_on_its_way(database: Database) -> None:
    one, other = mails(database, 2)
    pushed(database, one, other)
    put(database, (OutboxKind.ITEM, one, 90), (OutboxKind.SURVEY, other, 90), (OutboxKind.MAIL, other, 90))
    assert stuck(database, seconds=60) == [one]


def test_without_a_mail_none_waits(database: Database) -> None:
    with database.unit_of_work() as uow:
        assert uow.mails.waiting_count() == 0
        assert uow.mails.get(1) is None


def test_only_the_mail_that_is_queued_again_loses_its_push(database: Database) -> None:
    one, other = mails(database, 2)
    pushed(database, one, other)
    with database.unit_of_work() as uow:
        uow.mails.queued_again([one])
    assert stuck(database, seconds=60) == [other]
