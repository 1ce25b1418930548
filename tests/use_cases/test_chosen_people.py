"""Law: an approved run is about the chosen people. Counts, progress, state, causes, mail, repetition and file concern
them alone; who was only looked at is one line beside, and adds up as well."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from app.domain.enums import Trigger
from app.domain.errors import Refused
from app.domain.runs.run_state import FINAL_ITEM_STATES, ItemState, RunState
from app.domain.runs.words import RunWord, in_words, run_word
from app.storage.runs.rows import RunRow
from app.use_cases.finish import notify
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.queries.history import get_run, list_items
from app.use_cases.queries.person_results import Visibility, results
from app.use_cases.queries.run_detail import Look, run_detail
from app.use_cases.queries.run_list import Wanted, run_list
from tests.storage.databases import NOW, add_run, end_item, new_item, running_run
from tests.use_cases.engine_room import Room

pytestmark = pytest.mark.sql

ALL = Visibility(people=True, masked=True)
SURVEYED = (ItemState.UNCHANGED, ItemState.NEEDS_REVIEW, ItemState.CONFLICT, ItemState.FAILED, ItemState.LEFT_OUT)
ENDS = (*[ItemState.SUCCEEDED] * 3, ItemState.UNCHANGED, ItemState.NEEDS_REVIEW, ItemState.CONFLICT, ItemState.FAILED)
TROUBLE = (ItemState.FAILED, ItemState.NEEDS_REVIEW, ItemState.CONFLICT, ItemState.LEFT_OUT)


def previewed(room: Room, states: Sequence[ItemState]) -> RunRow:
    """A preview that waits for a person: what the survey has found about each employee, numbered from 0001."""
    run = add_run(room.database, room.connection, dry_run=True)
    with room.database.unit_of_work() as uow:
        claimed = uow.runs.claim_survey(run.id, now=NOW, lease_until=NOW)
        assert claimed is not None
        items = [
            new_item(
                claimed,
                nth,
                state=state,
                holds_slot=False,
                chosen=state is ItemState.WAITING,
                error_code="E1" if state in TROUBLE else None,
            )
            for nth, state in enumerate(states)
        ]
        uow.items.add_many(items)
        assert uow.runs.plan_committed(run.id, state=RunState.PREVIEWED, total=len(items), now=NOW)
    return room.run_row(run.public_id)


def waiting(room: Room, run: RunRow) -> list[int]:
    with room.database.unit_of_work() as uow:
        return [item.id for item in uow.items.page(run.id, after=-1, limit=1000, state=ItemState.WAITING)]


def approved(room: Room, run: RunRow, numbers: Sequence[str]) -> list[int]:
    """The run approved for these employees; the ids of their items."""
    approve_retry_cancel.approve(room.ctx, run.public_id, by="cli", employees=numbers, acknowledged=True)
    return waiting(room, run)


def end(room: Room, item_id: int, state: ItemState) -> None:
    end_item(room.database, item_id, state=state, error_code="E2" if state in TROUBLE else None)


def mail_of(room: Room, run: RunRow) -> str:
    mail = room.mail_of(run.id)
    assert mail is not None
    notify.send_mail(room.ctx, mail.id)
    return room.postbox.mails[-1].body


@pytest.mark.parametrize("seed", range(25))
def test_whatever_happens_the_numbers_are_those_of_the_chosen(room: Room, seed: int) -> None:
    dice = random.Random(seed)
    seen = [dice.choice(SURVEYED) for _ in range(dice.randint(0, 8))]
    states = seen + [ItemState.WAITING] * dice.randint(1, 7)
    dice.shuffle(states)
    run = previewed(room, states)
    choosable = [f"{nth + 1:04d}" for nth, state in enumerate(states) if state is ItemState.WAITING]
    chosen = sorted(dice.sample(choosable, dice.randint(1, len(choosable))))
    ids = approved(room, run, chosen)

    under_way = get_run(room.ctx, run.public_id)
    assert (under_way.progress.done, under_way.progress.total) == (0, len(chosen))
    assert under_way.counts == {ItemState.WAITING: len(chosen)}
    ends: Counter[ItemState] = Counter()
    cancelled = dice.random() < 0.3
    for nth, item_id in enumerate(ids):
        if cancelled and nth == len(ids) // 2:
            approve_retry_cancel.cancel(room.ctx, run.public_id, by="cli")
            ends[ItemState.CANCELLED] = len(ids) - nth
            break
        state = dice.choice(ENDS)
        end(room, item_id, state)
        ends[state] += 1
        progress = get_run(room.ctx, run.public_id).progress
        assert (progress.done, progress.total) == (nth + 1, len(chosen))
    close_run_if_done(room.ctx, run.id)

    told = get_run(room.ctx, run.public_id)
    assert told.counts == dict(ends)
    assert sum(told.counts.values()) == told.progress.total == told.progress.done == len(chosen)
    beside = Counter(seen)
    beside[ItemState.WAITING] = len(choosable) - len(chosen)
    assert Counter(told.looked_at) == +beside
    assert told.word is run_word(told.state, ends)
    assert told.word is RunWord.CANCELLED if cancelled else told.word is not RunWord.CANCELLED
    if told.word is RunWord.PARTLY_FAILED:
        assert ends[ItemState.FAILED]

    detail, people = run_detail(room.ctx, run.public_id, visibility=ALL, look=Look())
    assert sorted(person.number for person in people.items) == chosen
    assert sum(cause.people for cause in detail.causes if cause.code == "E2") == sum(
        count for state, count in ends.items() if state in TROUBLE
    )
    assert all(cause.code != "E1" for cause in detail.causes)
    assert (detail.beside, detail.undoable) == (
        beside.total(),
        bool(ends[ItemState.SUCCEEDED] or ends[ItemState.FAILED]),
    )
    assert detail.repeatable == bool(ends[ItemState.FAILED])
    assert [person.number for person in results(room.ctx, run.public_id, ALL)] == chosen
    others = [person.state for person in results(room.ctx, run.public_id, ALL, beside=True)]
    assert Counter(others) == Counter(seen)
    counted = [item.employee_number for item in list_items(room.ctx, run.public_id).items if item.counted]
    assert counted == chosen
    body = mail_of(room, run)
    assert f"成功: {ends[ItemState.SUCCEEDED]}件" in body and f"失敗: {ends[ItemState.FAILED]}件" in body
    assert (f"選択していない従業員: {beside.total()}件" in body) == bool(beside.total())
    assert "E1" not in body and "入社年月日が入力されていません" not in body


def test_three_of_eighty_two(room: Room) -> None:
    """Three were chosen and written; that others could not be read makes none of them a failure."""
    states = [ItemState.FAILED, ItemState.NEEDS_REVIEW] + [ItemState.WAITING] * 20 + [ItemState.UNCHANGED] * 60
    run = previewed(room, states)
    for item_id in approved(room, run, ["0003", "0004", "0005"]):
        end(room, item_id, ItemState.SUCCEEDED)
    close_run_if_done(room.ctx, run.id)
    told = get_run(room.ctx, run.public_id)
    assert (told.word, told.state, told.counts) == (
        RunWord.SUCCEEDED,
        RunState.SUCCEEDED,
        {ItemState.SUCCEEDED: 3},
    )
    assert in_words(told.looked_at) == {
        ItemState.WAITING: 17,
        ItemState.UNCHANGED: 60,
        ItemState.NEEDS_REVIEW: 1,
        ItemState.FAILED: 1,
    }
    assert told.left_out == {} and sum(told.looked_at.values()) == 79
    with pytest.raises(Refused) as refused:
        approve_retry_cancel.retry(room.ctx, run.public_id, by="cli")
    assert refused.value.code == "nothing_to_retry"
    (line,) = run_list(room.ctx, Wanted()).page.items
    assert (line.word, line.counts, line.beside) == (RunWord.SUCCEEDED, {ItemState.SUCCEEDED: 3}, 79)
    with room.database.unit_of_work() as uow:
        (open_runs, _) = uow.metrics.open_runs(limit=5)
    assert open_runs == 0


def test_the_engine_room_counts_the_chosen_as_well(room: Room) -> None:
    run = previewed(room, [ItemState.UNCHANGED] * 4 + [ItemState.WAITING] * 3)
    first, _ = approved(room, run, ["0005", "0006"])
    end(room, first, ItemState.SUCCEEDED)
    with room.database.unit_of_work() as uow:
        _, (seen,) = uow.metrics.open_runs(limit=5)
    assert (seen.done, seen.total) == (1, 2)


def test_a_run_that_nobody_chose_from_counts_everybody(room: Room) -> None:
    """Before an approval, and without one, whoever the survey has found counts."""
    run = previewed(room, [ItemState.UNCHANGED] * 2 + [ItemState.WAITING])
    told = get_run(room.ctx, run.public_id)
    assert told.counts == {ItemState.UNCHANGED: 2, ItemState.WAITING: 1} and told.looked_at == {}
    approve_retry_cancel.cancel(room.ctx, run.public_id, by="cli")
    ended = get_run(room.ctx, run.public_id)
    assert (ended.word, ended.looked_at, sum(ended.counts.values())) == (RunWord.CANCELLED, {}, 3)


def test_every_final_state_can_stand_beside() -> None:
    assert set(SURVEYED) | {ItemState.SUCCEEDED, ItemState.CANCELLED} == set(FINAL_ITEM_STATES)


def test_what_wrote_nothing_is_folded_and_the_words_of_a_filter_are_told_apart(room: Room) -> None:
    made: dict[str, RunRow] = {}
    for name, trigger, state in (
        ("echo", Trigger.WEBHOOK, ItemState.UNCHANGED),
        ("wrote", Trigger.WEBHOOK, ItemState.SUCCEEDED),
        ("asks", Trigger.SCHEDULE, ItemState.CONFLICT),
        ("by hand", Trigger.MANUAL, ItemState.UNCHANGED),
    ):
        made[name], (item_id,) = running_run(room.database, room.connection, trigger=trigger)
        end(room, item_id, state)
        close_run_if_done(room.ctx, made[name].id)

    def found(**wanted: Any) -> tuple[set[str], int]:
        shown = run_list(room.ctx, Wanted(**wanted))
        ids = {line.id for line in shown.page.items}
        return {name for name, run in made.items() if run.public_id in ids}, shown.folded

    assert found() == ({"wrote", "asks", "by hand"}, 1)
    assert found(quiet=True) == (set(made), 0)
    assert found(result=RunWord.NEEDS_REVIEW) == ({"asks"}, 0)
    assert found(result=RunWord.PARTLY_FAILED) == (set(), 0)
