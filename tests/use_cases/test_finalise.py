"""The end of a run: once, whoever asks and however many ask together."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from app.domain.enums import Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import MailPolicy
from app.storage.enums import HistoryKind, MailState, OutboxKind
from app.use_cases.finish.finalise import close_run_if_done, mails
from tests.storage.databases import add_run, end_item, running_run, start_item
from tests.together import together
from tests.use_cases.engine_room import Room

pytestmark = pytest.mark.sql

S, U, F, R, C, X = (
    ItemState.SUCCEEDED,
    ItemState.UNCHANGED,
    ItemState.FAILED,
    ItemState.NEEDS_REVIEW,
    ItemState.CONFLICT,
    ItemState.CANCELLED,
)


def ends(room: Room, run_id: int) -> list[RunState | None]:
    with room.database.unit_of_work() as uow:
        return [entry.result for entry in uow.history.of_run(run_id) if entry.kind is HistoryKind.END]


def test_items_that_end_together_close_their_run_once(room: Room) -> None:
    """Counting in the transaction of the item lost two of three ends here on PostgreSQL."""
    rounds, width = 25, 6
    for _ in range(rounds):
        run, ids = running_run(room.database, room.connection, items=width)
        attempts = [start_item(room.database, item_id) for item_id in ids]

        def end_and_ask(number: int, run_id: int = run.id, ids: list[int] = ids, tries: list[int] = attempts) -> bool:
            with room.database.unit_of_work() as uow:
                uow.items.record_outcome(ids[number], tries[number], state=S, now=room.clock.now())
            return close_run_if_done(room.ctx, run_id)

        closed = together(end_and_ask, width)
        assert closed.count(True) == 1
        assert ends(room, run.id) == [RunState.SUCCEEDED]
        with room.database.unit_of_work() as uow:
            mail = uow.mails.of_runs([run.id])[run.id]
            rows = [r for r in uow.outbox.due(room.clock.now()) if r.kind is OutboxKind.MAIL and r.ref_id == mail.id]
        assert len(rows) == 1


def test_a_run_with_open_items_stays_open(room: Room) -> None:
    run, (first, second) = running_run(room.database, room.connection, items=2)
    end_item(room.database, first)
    assert not close_run_if_done(room.ctx, run.id)
    start_item(room.database, second)
    assert not close_run_if_done(room.ctx, run.id)
    assert ends(room, run.id) == []
    assert room.mail_of(run.id) is None


@pytest.mark.parametrize("state", [RunState.PREVIEWED, RunState.WAITING])
def test_a_run_that_has_not_begun_writing_does_not_close(room: Room, state: RunState) -> None:
    if state is RunState.WAITING:
        run = add_run(room.database, room.connection)
    else:
        run, _ = running_run(room.database, room.connection, items=0, state=state)
    assert not close_run_if_done(room.ctx, run.id)


@pytest.mark.parametrize(
    ("states", "result"),
    [
        ([], RunState.FAILED),
        ([S, U], RunState.SUCCEEDED),
        ([U, U], RunState.SUCCEEDED),
        ([S, F], RunState.PARTLY_FAILED),
        ([F, F], RunState.FAILED),
        ([S, C], RunState.PARTLY_FAILED),
        ([R], RunState.PARTLY_FAILED),
    ],
)
def test_the_result_follows_from_the_items(room: Room, states: list[ItemState], result: RunState) -> None:
    run, ids = running_run(room.database, room.connection, items=len(states))
    for item_id, state in zip(ids, states, strict=True):
        end_item(room.database, item_id, state=state)
    assert close_run_if_done(room.ctx, run.id)
    assert ends(room, run.id) == [result]
    stored = room.run_row(run.public_id)
    assert (stored.state, stored.finished_at) == (result, room.clock.now())
    assert not close_run_if_done(room.ctx, run.id)


@pytest.mark.parametrize(
    ("states", "result"),
    [
        ([], RunState.FAILED),
        ([U, U], RunState.FAILED),
        ([S, U], RunState.PARTLY_FAILED),
        ([S, F], RunState.PARTLY_FAILED),
    ],
)
def test_a_run_that_was_stopped_is_never_a_success(room: Room, states: list[ItemState], result: RunState) -> None:
    run, ids = running_run(room.database, room.connection, items=len(states) + 1)
    for item_id, state in zip(ids, states, strict=False):
        end_item(room.database, item_id, state=state)
    with room.database.unit_of_work() as uow:
        assert uow.runs.fail(run.id, "E19", room.clock.now())
        assert not uow.runs.fail(run.id, "E18", room.clock.now())
        last = uow.items.get(ids[-1])
    assert last is not None
    assert (last.state, last.error_code) == (F, "E19")
    assert close_run_if_done(room.ctx, run.id)
    assert not close_run_if_done(room.ctx, run.id)
    assert ends(room, run.id) == [result]
    assert room.run_row(run.public_id).error_code == "E19"


def test_a_failing_run_waits_for_its_running_items(room: Room) -> None:
    run, (running, _) = running_run(room.database, room.connection, items=2)
    attempt = start_item(room.database, running)
    with room.database.unit_of_work() as uow:
        uow.runs.fail(run.id, "E19", room.clock.now())
    assert not close_run_if_done(room.ctx, run.id)
    with room.database.unit_of_work() as uow:
        uow.items.record_outcome(running, attempt, state=S, now=room.clock.now())
    assert close_run_if_done(room.ctx, run.id)
    assert ends(room, run.id) == [RunState.PARTLY_FAILED]


def test_a_run_may_fail_before_it_has_items(room: Room) -> None:
    run = add_run(room.database, room.connection)
    with room.database.unit_of_work() as uow:
        uow.runs.claim_survey(run.id, now=room.clock.now(), lease_until=room.clock.now())
        uow.runs.fail(run.id, "E18", room.clock.now())
    assert close_run_if_done(room.ctx, run.id)
    assert ends(room, run.id) == [RunState.FAILED]
    mail = room.mail_of(run.id)
    assert mail is not None
    assert mail.state is MailState.PENDING


def test_the_message_id_names_the_run_and_our_host(room: Room) -> None:
    run, _ = running_run(room.database, room.connection, items=0)
    close_run_if_done(room.ctx, run.id)
    mail = room.mail_of(run.id)
    assert mail is not None
    assert mail.message_id == f"<{run.public_id}.summary@awase.example>"


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.API, Trigger.RETRY, Trigger.UNDO])
@pytest.mark.parametrize("policy", list(MailPolicy))
def test_what_a_person_or_program_started_always_mails(trigger: Trigger, policy: MailPolicy) -> None:
    assert mails(trigger, policy, stopped=False, counts={U: 3})


@pytest.mark.parametrize("trigger", [Trigger.WEBHOOK, Trigger.SCHEDULE])
@pytest.mark.parametrize(
    ("counts", "stopped", "always", "changes", "failures"),
    [
        ({U: 5}, False, True, False, False),
        ({U: 5, S: 1}, False, True, True, False),
        ({U: 5, C: 1}, False, True, True, False),
        ({U: 5, F: 1}, False, True, True, True),
        ({}, True, True, True, True),
        ({}, False, True, False, False),
    ],
)
def test_automatic_runs_mail_by_the_policy(
    trigger: Trigger,
    counts: Mapping[ItemState, int],
    stopped: bool,
    always: bool,
    changes: bool,
    failures: bool,
) -> None:
    said = [mails(trigger, policy, stopped=stopped, counts=counts) for policy in MailPolicy]
    assert said == [always, changes, failures]


def test_what_is_known_and_a_stop_for_the_same_reason_are_no_news(room: Room) -> None:
    """A mail an hour about one person who waits to be mended, or about a dead token, would not be read."""
    run, (item,) = running_run(room.database, room.connection, trigger=Trigger.SCHEDULE)
    end_item(room.database, item, state=F)
    with room.database.unit_of_work() as uow:
        uow.items.set_known(item)
    assert close_run_if_done(room.ctx, run.id)
    assert room.mail_of(run.id) is None

    told = []
    for _ in range(2):
        stopped, _items = running_run(room.database, room.connection, trigger=Trigger.SCHEDULE, items=0)
        with room.database.unit_of_work() as uow:
            uow.runs.fail(stopped.id, "E18", room.ctx.clock.now())
        assert close_run_if_done(room.ctx, stopped.id)
        told.append(room.mail_of(stopped.id) is not None)
    assert told == [True, False]


def test_an_automatic_run_without_anything_to_tell_leaves_no_mail(room: Room) -> None:
    run, (item,) = running_run(room.database, room.connection, trigger=Trigger.WEBHOOK)
    end_item(room.database, item, state=U)
    assert close_run_if_done(room.ctx, run.id)
    assert room.mail_of(run.id) is None
