"""What people see of runs and items: pages, counts, progress, masks."""

from __future__ import annotations

from datetime import date

import pytest

from app.domain.enums import Step
from app.domain.errors import Refused
from app.domain.runs.run_state import ItemState, RunState
from app.domain.snapshot import BLANK
from app.storage.runs.rows import NewChange, NewNote
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake.start_run import start_run
from app.use_cases.queries import history
from app.web.i18n import wording
from tests.storage.databases import add_connection, end_item, running_run, start_item
from tests.use_cases.engine_room import Room

JAPANESE = wording("ja")

pytestmark = pytest.mark.sql


def test_runs_come_newest_first_page_by_page(room: Room) -> None:
    ids = [start_run(room.ctx, room.command()).id for _ in range(5)]
    seen, after, pages = [], None, 0
    while True:
        page = history.list_runs(room.ctx, after=after, limit=2)
        seen += [view.id for view in page.items]
        pages, after = pages + 1, page.next_after
        if after is None:
            break
    assert seen == ids[::-1]
    assert pages == 3


def test_runs_of_one_connection(room: Room) -> None:
    other = add_connection(room.database, key="other")
    running_run(room.database, other)
    mine = start_run(room.ctx, room.command())
    assert [view.id for view in history.list_runs(room.ctx, connection="renshu").items] == [mine.id]
    assert [view.connection for view in history.list_runs(room.ctx, connection="other").items] == ["other"]
    with pytest.raises(Refused) as caught:
        history.list_runs(room.ctx, connection="nobody")
    assert caught.value.status == 404


def test_items_come_in_order_page_by_page_and_by_state(room: Room) -> None:
    run, ids = running_run(room.database, room.connection, items=5)
    end_item(room.database, ids[1], state=ItemState.FAILED, error_code="E1")
    first = history.list_items(room.ctx, run.public_id, limit=3)
    rest = history.list_items(room.ctx, run.public_id, after=first.next_after, limit=3)
    assert [view.id for view in (*first.items, *rest.items)] == ids
    assert rest.next_after is None
    failed = history.list_items(room.ctx, run.public_id, state=ItemState.FAILED)
    assert [view.employee_number for view in failed.items] == ["0002"]


def test_unknown_runs(room: Room) -> None:
    for ask in (history.get_run, history.list_items):
        with pytest.raises(Refused) as caught:
            ask(room.ctx, "no-such-run")  # type: ignore[operator]
        assert (caught.value.code, caught.value.status) == ("run_not_found", 404)


def test_progress_before_within_and_after(room: Room) -> None:
    waiting = start_run(room.ctx, room.command())
    assert (waiting.progress.total, waiting.progress.done, waiting.progress.eta_seconds) == (None, 0, None)
    run, ids = running_run(room.database, room.connection, items=10)
    at_start = history.get_run(room.ctx, run.public_id).progress
    assert (at_start.done, at_start.total) == (0, 10)
    assert at_start.eta_seconds == pytest.approx(10 * 6 / 2.0)  # from the limits: 6 calls each, 2 a second
    for item_id in ids[:4]:
        end_item(room.database, item_id)
    room.clock.turn(seconds=20)
    within = history.get_run(room.ctx, run.public_id).progress
    assert (within.done, within.rate, within.eta_seconds) == (4, pytest.approx(0.2), pytest.approx(30))
    for item_id in ids[4:]:
        attempt = start_item(room.database, item_id, now=room.clock.now())
        with room.database.unit_of_work() as uow:
            uow.items.record_outcome(item_id, attempt, state=ItemState.UNCHANGED, now=room.clock.now())
    close_run_if_done(room.ctx, run.id)
    ended = history.get_run(room.ctx, run.public_id)
    assert (ended.progress.done, ended.progress.total, ended.progress.eta_seconds) == (10, 10, 0.0)
    assert ended.counts == {ItemState.SUCCEEDED: 4, ItemState.UNCHANGED: 6}
    assert (ended.state, ended.mail_state, ended.finished_at) == (RunState.SUCCEEDED, "pending", room.clock.now())


def test_a_failed_run_says_why(room: Room) -> None:
    view = start_run(room.ctx, room.command())
    with room.database.unit_of_work() as uow:
        uow.runs.fail(room.run_row(view.id).id, "E18", room.clock.now())
    failing = history.get_run(room.ctx, view.id)
    assert (failing.error_code, failing.error_message) == ("E18", JAPANESE.message("E18"))


def test_an_item_shows_changes_steps_and_notes_and_hides_what_is_masked(room: Room) -> None:
    run, (item_id,) = running_run(room.database, room.connection)
    attempt = start_item(room.database, item_id)
    with room.database.unit_of_work() as uow:
        uow.changes.replace(
            item_id,
            [
                NewChange("title", "係長", "課長"),
                NewChange("birth_date", date(1990, 4, 1), date(1991, 4, 1)),
                NewChange("bank_account_number", "1234567", "7654321"),
                NewChange("phone", "03-0000-0000", BLANK),
                NewChange("an_item_of_another_version", "旧", "新"),
            ],
        )
        uow.changes.mark_written(item_id, ["title"], step=Step.EMPLOYEE)
        uow.steps.sending(item_id, attempt, Step.EMPLOYEE, keys=["title"], now=room.clock.now())
        uow.steps.done(item_id, attempt, Step.EMPLOYEE, now=room.clock.now())
        uow.items.record_outcome(
            item_id,
            attempt,
            state=ItemState.FAILED,
            error_code="E17",
            detail="電話番号が不正です",
            notes=[NewNote("E16", "review", "gender")],
            candidates=[{"system": "freee", "id": "9", "number": "0009", "reason": "kana"}],
            now=room.clock.now(),
        )
    (view,) = history.list_items(room.ctx, run.public_id).items
    shown = {change.key: (change.before, change.after, change.state) for change in view.changes}
    assert shown == {
        "title": ("係長", "課長", "written"),
        "birth_date": ("1990/04/01", "1991/04/01", "planned"),
        "bank_account_number": ("••••", "••••", "planned"),
        "phone": ("03-0000-0000", None, "planned"),
        "an_item_of_another_version": ("••••", "••••", "planned"),
    }
    labels = {change.key: (change.label, change.retroactive) for change in view.changes}
    assert labels["birth_date"][1] is True
    assert labels["title"][1] is False
    assert [(step.step, step.label, step.state, step.attempt) for step in view.steps] == [
        ("employee", "基本", "done", 1)
    ]
    assert [(note.code, note.key, note.message) for note in view.notes] == [
        ("E16", "gender", JAPANESE.message("E16", run))
    ]
    assert view.message == f"{view.catalogue_message}（電話番号が不正です）"
    assert view.catalogue_message == JAPANESE.message("E17", run)
    assert [answer.message for answer in view.answers] == ["電話番号が不正です"]
    assert view.candidates[0]["id"] == "9"
    for value in ("係長", "1990", "電話番号が不正です"):
        assert value not in repr(view.changes)


def test_technical_details_are_not_shown_to_people(room: Room) -> None:
    run, (item_id,) = running_run(room.database, room.connection)
    end_item(room.database, item_id, state=ItemState.FAILED, error_code="E22", detail="ConnectionError")
    (view,) = history.list_items(room.ctx, run.public_id).items
    assert view.message == JAPANESE.message("E22", run) and view.answers == ()
