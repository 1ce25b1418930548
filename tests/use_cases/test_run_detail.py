"""The page of one run: which runs belong together, who was missed, what is shown of whom, and how its mail stands."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.enums import Step, System, Trigger
from app.domain.mail_text.letter import Letter
from app.domain.runs.run_state import ItemState
from app.domain.settings.recipients import Language
from app.domain.snapshot import BLANK, Unconvertible
from app.storage.enums import MailState
from app.storage.links.rows import DirectoryEntry
from app.storage.runs.rows import NewChange, RunRow
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.queries.person_results import Holds, PersonResult, Visibility
from app.use_cases.queries.person_tables import TableLook
from app.use_cases.queries.run_detail import Look, RunDetail, run_detail
from app.use_cases.queries.run_mail import MailStands, run_mail
from app.use_cases.shared.actors import Actor, known_actors
from tests.storage.databases import end_item, running_run, start_item
from tests.use_cases.engine_room import Room

ALL, VALUES, NOTHING = (
    Visibility(people=True, masked=True),
    Visibility(people=True, masked=False),
    Visibility(False, False),
)


def ended(room: Room, **changes: Any) -> RunRow:
    run, (item_id,) = running_run(room.database, room.connection, **changes)
    end_item(room.database, item_id)
    close_run_if_done(room.ctx, run.id)
    return run


def detail_of(room: Room, run: RunRow, visibility: Visibility = ALL) -> RunDetail:
    return run_detail(room.ctx, run.public_id, visibility=visibility)[0]


def people_of(room: Room, run: RunRow, visibility: Visibility = ALL, **look: Any) -> tuple[PersonResult, ...]:
    return run_detail(room.ctx, run.public_id, visibility=visibility, look=Look(**look))[1].items


def test_runs_that_belong_together_know_each_other(room: Room) -> None:
    first = ended(room)
    again = ended(room, trigger=Trigger.RETRY, retried_run_id=first.id)
    undo = ended(room, trigger=Trigger.UNDO, undone_run_id=again.id)
    ended(room)
    told = {run.id: [(other.how, other.id) for other in detail_of(room, run).related] for run in (first, again, undo)}
    assert told == {
        first.id: [("repeated_by", again.public_id)],
        again.id: [("repeats", first.public_id), ("taken_back_by", undo.public_id)],
        undo.id: [("takes_back", again.public_id)],
    }


def test_what_can_be_done_with_it(room: Room) -> None:
    run, (item_id,) = running_run(room.database, room.connection)
    under_way = detail_of(room, run)
    assert (under_way.moves_by_itself, under_way.repeatable, under_way.undoable) == (True, False, False)
    end_item(room.database, item_id, state=ItemState.FAILED, error_code="E1")
    close_run_if_done(room.ctx, run.id)
    failed = detail_of(room, run)
    assert (failed.moves_by_itself, failed.repeatable, failed.undoable) == (
        False,
        True,
        True,
    )  # perhaps written in part
    good = detail_of(room, ended(room))
    assert (good.repeatable, good.undoable) == (False, True)


def test_people_are_listed_when_it_is_over(room: Room) -> None:
    run, (item_id,) = running_run(room.database, room.connection)
    assert people_of(room, run) == ()
    end_item(room.database, item_id)
    close_run_if_done(room.ctx, run.id)
    assert [person.number for person in people_of(room, run)] == ["0001"]


def test_who_was_missed_stands_there_by_number_for_who_may_see_people(room: Room) -> None:
    run = ended(room, trigger=Trigger.SCHEDULE)
    with room.database.unit_of_work() as uow:
        uow.directory.replace(run.connection_id, System.FREEE, [DirectoryEntry("00123", "9")], now=room.clock.now())
        uow.runs.add_missed(run.id, [{"system": "freee", "id": "9"}, {"system": "smarthr", "id": "gone"}])
    detail = detail_of(room, run)
    assert [(each.system, each.number) for each in detail.missed] == [(System.FREEE, "00123"), (System.SMARTHR, "")]
    hidden = detail_of(room, run, NOTHING)
    assert hidden.missed == () and hidden.run.missed == 2


def changed(room: Room) -> RunRow:
    run, (item_id,) = running_run(room.database, room.connection)
    attempt = start_item(room.database, item_id)
    with room.database.unit_of_work() as uow:
        changes = [
            NewChange("title", BLANK, "課長"),
            NewChange("bank_account_number", "1234567", "7654321"),
            NewChange("gender", Unconvertible("gender_unselected"), "male"),
            NewChange("of_another_version", "旧", "新"),
        ]
        uow.changes.replace(item_id, changes)
        uow.changes.mark_written(item_id, ["title"], step=Step.EMPLOYEE)
        uow.items.record_outcome(
            item_id,
            attempt,
            state=ItemState.FAILED,
            error_code="E17",
            detail="口座番号7654321（ヤマダ）が不正です",
            now=room.clock.now(),
        )
    close_run_if_done(room.ctx, run.id)
    return run


def test_values_are_shown_as_far_as_one_may_see(room: Room) -> None:
    run = changed(room)
    shown = {
        visibility: {
            c.key: (c.before.text or c.before.holds, c.after.text) for c in people_of(room, run, visibility)[0].changes
        }
        for visibility in (ALL, VALUES, NOTHING)
    }
    assert shown[ALL] == {
        "title": (Holds.BLANK, "課長"),
        "bank_account_number": ("1234567", "7654321"),
        "gender": (Holds.UNCONVERTIBLE, "男性"),
        "of_another_version": ("••••", "••••"),
    }
    assert shown[VALUES] == shown[ALL] | {"bank_account_number": ("••••", "••••")}
    assert shown[NOTHING] == {}
    words = {v: [a.words for a in people_of(room, run, v)[0].answers] for v in (ALL, VALUES, NOTHING)}
    told = "口座番号{}（{}）が不正です"
    assert words == {ALL: [told.format("7654321", "ヤマダ")], VALUES: [told.format("••••", "ヤマダ")], NOTHING: []}
    nobody = people_of(room, run, NOTHING)[0]
    assert (nobody.number, nobody.name, nobody.pages, nobody.position) == ("", "", (), 1)
    assert "7654321" not in repr(people_of(room, run))


def test_the_number_is_no_way_to_find_out_for_who_may_not_see_it(room: Room) -> None:
    run = ended(room)
    assert len(people_of(room, run, ALL, table=TableLook(search="9"))) == 0
    assert len(people_of(room, run, NOTHING, table=TableLook(search="9"))) == 1


def test_erased_values_say_so(room: Room) -> None:
    run = changed(room)
    with room.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE field_changes SET before_enc = NULL, after_enc = NULL")
    (person,) = people_of(room, run)
    assert {change.after.holds for change in person.changes} == {Holds.ERASED}


@pytest.mark.parametrize(
    ("state", "code", "stands"),
    [
        (MailState.SENT, None, MailStands.SENT),
        (MailState.FAILED, "mail_refused", MailStands.FAILED),
        (MailState.SKIPPED, "no_recipient", MailStands.NO_RECIPIENT),
    ],
)
def test_how_its_mail_stands(room: Room, state: MailState, code: str | None, stands: MailStands) -> None:
    run = ended(room)
    assert run_mail(room.ctx, run.public_id).stands is MailStands.WAITING
    now = room.clock.now()
    with room.database.unit_of_work() as uow:
        row = uow.mails.of_runs([run.id])[run.id]
        claimed = uow.mails.claim(row.id, now=now, lease_until=now)
        assert claimed is not None
        uow.mails.keep_letters(row.id, [Letter(Language.JAPANESE, ("hr@example.invalid",), "件名", "本文")])
        uow.mails.record_result(row.id, attempts=claimed.attempts, state=state, now=now, error_code=code)
    mail = run_mail(room.ctx, run.public_id)
    assert (mail.stands, mail.error_code, mail.body) == (stands, code, "本文")
    assert "本文" not in repr(mail) and "hr@" not in repr(mail)


def test_an_erased_mail_and_none_at_all(room: Room) -> None:
    run, (item_id,) = running_run(room.database, room.connection)
    assert run_mail(room.ctx, run.public_id).stands is MailStands.NOT_YET
    end_item(room.database, item_id)
    close_run_if_done(room.ctx, run.id)
    with room.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE mails SET state = 'sent', body_enc = NULL")
    assert run_mail(room.ctx, run.public_id).stands is MailStands.ERASED
    with room.database.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM mails")
    assert run_mail(room.ctx, run.public_id).stands is MailStands.NOT_WANTED


def test_actors(room: Room) -> None:
    with room.database.unit_of_work() as uow:
        user = uow.users.add(login="tanto", password_hash="x", role="member", now=room.clock.now())
        stored = [f"user:{user.id}", "user:999", "key:ab12", "webhook", "something new"]
        actors = known_actors(uow, stored)
    assert [actors[word] for word in stored] == [
        Actor("user", "tanto"),
        Actor("user"),
        Actor("key", "ab12"),
        Actor("webhook"),
        Actor("other"),
    ]
