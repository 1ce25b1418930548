"""The law: the first comparison after a change of the settings is a preview; until a person approves it, nothing is
written by itself, whatever asks for it, and nothing of what webhooks tell is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.domain.enums import Direction, Trigger
from app.domain.errors import Refused
from app.domain.planning.beginning import BeginReason
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff import practice_company
from app.practice.staff.practice_company import PracticeCompany
from app.storage.runs.rows import RunRow
from app.use_cases.connections import attributes, connections
from app.use_cases.intake import approve_retry_cancel, delivery_replay
from app.use_cases.shared.beginnings import look_again
from app.use_cases.shared.delivery_lookup import DeliveryFilter
from app.use_cases.survey import sweep
from app.use_cases.upkeep import reconcile, relay
from tests.beginnings import approve, begin, compared, comparisons, gathered, marks, previews, switch
from tests.house import KEY, House
from tests.listening import FREEE_TOKEN, automatic, heard_out, listening, now_in_japan, settle
from tests.use_cases.test_job import only
from tests.use_cases.test_reasons_from_outside import freee_says
from tests.use_cases.test_two_way import in_freee, somebody

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


@pytest.fixture
def pairs(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Six people, equal on both sides and linked; no webhook has been sent yet."""
    house = open_practice(only(company, "equal", most=6), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    house.postbox.mails.clear()
    house.smarthr_injector.forget_requests()
    house.freee_injector.forget_requests()
    return house


def rename(house: House, nth: int, name: str = "新次郎") -> tuple[str, int]:
    """Somebody gets another first name in SmartHR."""
    crew, employee = somebody(house, nth)
    house.smarthr.edit(crew, {"first_name": name})
    return crew, employee


def name_in_freee(house: House, employee: int) -> str:
    return str(in_freee(house, employee)["profile_rule"]["first_name"])


def number_of(house: House, crew: str) -> str:
    return str(house.smarthr.crew(crew)["emp_code"])


def written(house: House) -> int:
    """Writes to both vendors, without the registration of the webhook."""
    seen = [*house.smarthr_injector.requests, *house.freee_injector.requests]
    return sum(
        each.method != "GET" and "/webhooks" not in each.path and "/public_api/" not in each.path for each in seen
    )


def runs_of(house: House, trigger: Trigger) -> list[RunRow]:
    with house.ctx.unit_of_work() as uow:
        return [run for run in uow.runs.page(after=None, limit=500) if run.trigger is trigger]


def settle_previews(house: House) -> None:
    """As `house.work`, with the quiet windows over."""
    heard_out(house)
    relay.relay_once(house.ctx)
    house.clock.turn(minutes=1)
    house.work()


def hours_later(house: House, hours: float = 1) -> None:
    house.clock.turn(hours=hours)
    reconcile.reconcile_once(house.ctx)
    compared(house)


def subjects(house: House) -> list[str]:
    return [mail.subject for mail in house.postbox.mails]


# ── switching on ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_switching_on_writes_nothing_and_shows_what_would_happen(pairs: House) -> None:
    _, employee = rename(pairs, 0)
    crew, other = somebody(pairs, 1)
    pairs.freee.edit(other, {"profile_rule": {"first_name": "新三郎"}})
    before = name_in_freee(pairs, employee)
    switch(pairs, "both")
    compared(pairs)
    assert written(pairs) == 0
    assert (name_in_freee(pairs, employee), pairs.smarthr.crew(crew)["first_name"] != "新三郎") == (before, True)
    assert {way: mark.reason for way, mark in marks(pairs).items()} == dict.fromkeys(Direction, BeginReason.SWITCHED_ON)
    assert set(previews(pairs)) == set(Direction)
    assert [each for each in subjects(pairs) if "自動同期を始める前の確認" in each] == subjects(pairs)
    assert len(subjects(pairs)) == 2
    assert "書き込む予定の従業員: 1人" in pairs.postbox.mails[0].body


def test_one_preview_stays_open_and_one_mail_tells_it_however_many_hours_pass(pairs: House) -> None:
    rename(pairs, 0)
    switch(pairs, "smarthr_to_freee")
    compared(pairs)
    (first,) = previews(pairs).values()
    for _ in range(20):
        hours_later(pairs)
    assert list(previews(pairs).values()) == [first]
    assert (written(pairs), len(subjects(pairs))) == (0, 1)


@pytest.mark.reach("all")
def test_a_preview_older_than_a_run_may_last_is_renewed_and_told_again(pairs: House) -> None:
    rename(pairs, 0)
    switch(pairs, "smarthr_to_freee")
    compared(pairs)
    (first,) = previews(pairs).values()
    for _ in range(26):
        hours_later(pairs)
    (second,) = previews(pairs).values()
    old = comparisons(pairs, TO_FREEE)[0]
    assert (old.public_id, old.state, old.error_code) == (first, RunState.CANCELLED, "preview_outdated")
    assert second != first
    assert (written(pairs), len(subjects(pairs))) == (0, 2)


def test_after_the_approval_the_sync_goes_by_itself(pairs: House) -> None:
    _, first = rename(pairs, 0)
    switch(pairs, "smarthr_to_freee")
    begin(pairs)
    assert name_in_freee(pairs, first) == "新次郎"
    assert marks(pairs) == {}
    _, second = rename(pairs, 1)
    hours_later(pairs, 2)
    assert name_in_freee(pairs, second) == "新次郎"
    assert [run.dry_run for run in comparisons(pairs, TO_FREEE)] == [True, False]


def test_when_nothing_is_to_be_written_it_begins_by_itself_and_the_trail_says_so(pairs: House) -> None:
    switch(pairs, "both")
    compared(pairs)
    assert (marks(pairs), previews(pairs), written(pairs), subjects(pairs)) == ({}, {}, 0, [])
    with pairs.ctx.unit_of_work() as uow:
        told = [entry for entry in uow.audit.page() if entry.action == "automatic_begun"]
    assert {entry.detail["direction"] for entry in told} == {way.value for way in Direction}
    assert {entry.actor for entry in told} == {"schedule"}


def test_a_mass_change_is_acknowledged_as_in_every_preview(pairs: House) -> None:
    for crew in pairs.smarthr.crews[:6]:
        pairs.smarthr.edit(crew["id"], {"resigned_at": "2026-12-31"})
    switch(pairs, "smarthr_to_freee")
    compared(pairs)
    (run,) = previews(pairs).values()
    with pytest.raises(Refused, match="mass_change"):
        approve_retry_cancel.approve(pairs.ctx, run, by="test")
    assert set(marks(pairs)) == {TO_FREEE}
    approve(pairs, TO_FREEE)
    assert marks(pairs) == {}


# ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.reach("all")
def test_webhooks_gather_until_the_approval_and_nobody_is_read_for_them(pairs: House) -> None:
    rename(pairs, 0)
    with listening(pairs, Automatic.OFF):
        switch(pairs, "smarthr_to_freee")
        compared(pairs)
        calls = pairs.calls()
        for nth in (1, 2, 2):
            rename(pairs, nth, "新四郎")
        settle(pairs)
        for _ in range(30):  # longer than any other run may last
            pairs.clock.turn(hours=1)
            settle(pairs)
        assert (pairs.calls() - calls, written(pairs)) == (0, 0)
        assert gathered(pairs) == {TO_FREEE: 2}
        with pairs.ctx.unit_of_work() as uow:
            assert not [run for run in uow.runs.page(after=None, limit=50) if run.state is RunState.FAILED]


def test_after_the_approval_the_people_of_the_preview_come_first_then_those_who_were_gathered(pairs: House) -> None:
    with listening(pairs, Automatic.OFF):
        _, shown = rename(pairs, 0)
        switch(pairs, "smarthr_to_freee")
        compared(pairs)
        _, told = rename(pairs, 1, "新四郎")
        heard_out(pairs)
        relay.relay_once(pairs.ctx)
        approve(pairs, TO_FREEE)
        pairs.clock.turn(minutes=5)
        relay.relay_once(pairs.ctx)
        assert [job.function.rpartition(".")[2] for job in pairs.queue.jobs].count("sync_item") == 1
        settle(pairs)
    assert (name_in_freee(pairs, shown), name_in_freee(pairs, told)) == ("新次郎", "新四郎")
    assert gathered(pairs) == {}


def test_somebody_who_was_edited_after_the_preview_is_done_by_their_webhook(pairs: House) -> None:
    with listening(pairs, Automatic.OFF):
        _, employee = rename(pairs, 0)
        switch(pairs, "smarthr_to_freee")
        compared(pairs)
        rename(pairs, 0, "新五郎")
        heard_out(pairs)
        approve(pairs, TO_FREEE)
        settle(pairs)
        first = comparisons(pairs, TO_FREEE)[0]
        with pairs.ctx.unit_of_work() as uow:
            (item,) = uow.items.page(first.id, after=-1, limit=10)
        assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "approved_plan_changed")
    assert name_in_freee(pairs, employee) == "新五郎"


def test_a_webhook_run_on_its_way_stops_and_its_people_wait_for_the_approval(pairs: House) -> None:
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        _, employee = rename(pairs, 0)
        heard_out(pairs)
        relay.relay_once(pairs.ctx)
        pairs.clock.turn(minutes=1)
        relay.relay_once(pairs.ctx)  # the run is released, its job waits for a worker
        switch(pairs, "smarthr_to_freee", policy="smarthr_wins")
        settle(pairs)
        assert (written(pairs), gathered(pairs)) == (0, {TO_FREEE: 1})
        begin(pairs)
        settle(pairs)
    assert name_in_freee(pairs, employee) == "新次郎"


def test_a_replay_and_a_repetition_write_nothing_before_the_approval(pairs: House) -> None:
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        refused = freee_says("架空の理由")
        pairs.freee_injector.fault(method="PUT", path="/profile_rule", times=1, status=400, body=refused)
        _, employee = rename(pairs, 0)
        settle(pairs)
        (failed,) = runs_of(pairs, Trigger.WEBHOOK)
        before = (name_in_freee(pairs, employee), written(pairs))
        switch(pairs, "smarthr_to_freee", policy="smarthr_wins")
        delivery_replay.replay_many(pairs.ctx, DeliveryFilter(since=pairs.clock.now() - timedelta(days=1)))
        again = approve_retry_cancel.retry(pairs.ctx, failed.public_id, by="test")
        settle_previews(pairs)
        hours_later(pairs, 2)
        assert pairs.seen(again).state is RunState.PREVIEWED
        assert (name_in_freee(pairs, employee), written(pairs)) == before
        assert gathered(pairs) == {TO_FREEE: 1}


# ── choosing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_whoever_was_not_chosen_rests_until_one_of_the_values_moves(pairs: House) -> None:
    with listening(pairs, Automatic.OFF):
        chosen, employee = rename(pairs, 0)
        declined, other = rename(pairs, 1)
        before = name_in_freee(pairs, other)
        switch(pairs, "smarthr_to_freee")
        compared(pairs)
        approve(pairs, TO_FREEE, [number_of(pairs, chosen)])
        settle(pairs)
        assert name_in_freee(pairs, employee) == "新次郎"
        for _ in range(3):
            hours_later(pairs, 2)
            settle(pairs)
        assert name_in_freee(pairs, other) == before
        pairs.smarthr.edit(declined, {"tel_number": "080-0000-9999"})  # another item: it is written, the name rests
        settle(pairs)
        profile = in_freee(pairs, other)["profile_rule"]
        assert (profile["first_name"], profile["phone3"]) == (before, "9999")
        rename(pairs, 1, "新六郎")
        settle(pairs)
    assert name_in_freee(pairs, other) == "新六郎"


def test_the_reason_of_a_resting_change_is_told_once(pairs: House) -> None:
    chosen, _ = rename(pairs, 0)
    rename(pairs, 1)
    switch(pairs, "smarthr_to_freee")
    compared(pairs)
    approve(pairs, TO_FREEE, [number_of(pairs, chosen)])
    pairs.work()
    pairs.postbox.mails.clear()
    hours_later(pairs, 2)
    run = comparisons(pairs, TO_FREEE)[-1]
    with pairs.ctx.unit_of_work() as uow:
        (item,) = uow.items.page(run.id, after=-1, limit=10)
    assert (item.state, item.error_code) == (ItemState.CONFLICT, "change_declined")
    hours_later(pairs, 2)
    hours_later(pairs, 2)
    assert len(subjects(pairs)) <= 1


def test_a_person_writes_by_hand_what_rests(pairs: House) -> None:
    chosen, _ = rename(pairs, 0)
    declined, other = rename(pairs, 1)
    switch(pairs, "smarthr_to_freee")
    compared(pairs)
    approve(pairs, TO_FREEE, [number_of(pairs, chosen)])
    pairs.work()
    pairs.run(TO_FREEE, as_of_date=now_in_japan(pairs), employees=(number_of(pairs, declined),))
    assert name_in_freee(pairs, other) == "新次郎"
    with pairs.ctx.unit_of_work() as uow:
        assert uow.beginnings.declined(pairs.connection.id, TO_FREEE) == {}


def test_nobody_needs_to_be_chosen_for_the_sync_to_begin(pairs: House) -> None:
    _, employee = rename(pairs, 0)
    before = name_in_freee(pairs, employee)
    switch(pairs, "smarthr_to_freee")
    compared(pairs)
    with pairs.ctx.unit_of_work() as uow:
        row = uow.runs.get_by_public_id(previews(pairs)[TO_FREEE])
        assert row is not None
        assert uow.preview_selection.chosen_count(row.id) > 0
        uow.preview_selection.choose_numbers(row.id, [])
    approve(pairs, TO_FREEE)
    pairs.work()
    hours_later(pairs, 2)
    assert (marks(pairs), name_in_freee(pairs, employee), written(pairs)) == ({}, before, 0)


@pytest.mark.reach("all")
def test_somebody_whose_creation_was_not_chosen_is_not_created_by_a_later_edit(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "create", most=2), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    with listening(house, Automatic.OFF):
        switch(house, "smarthr_to_freee")
        compared(house)
        (first, second) = [crew["id"] for crew in house.smarthr.crews][:2]
        people = len(house.freee.company.people)
        approve(house, TO_FREEE, [number_of(house, first)])
        settle(house)
        house.smarthr.edit(second, {"tel_number": "080-0000-9999"})
        settle(house)
        hours_later(house, 2)
        settle(house)
        assert len(house.freee.company.people) == people + 1
        house.run(TO_FREEE, as_of_date=now_in_japan(house), employees=(number_of(house, second),))
    assert len(house.freee.company.people) == people + 2


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_widening_shows_the_new_direction_only(pairs: House) -> None:
    switch(pairs, "smarthr_to_freee")
    begin(pairs)
    crew, other = somebody(pairs, 1)
    pairs.freee.edit(other, {"profile_rule": {"first_name": "新三郎"}})
    _, employee = rename(pairs, 0)
    switch(pairs, "both")
    hours_later(pairs, 2)
    assert {way: mark.reason for way, mark in marks(pairs).items()} == {TO_SMARTHR: BeginReason.DIRECTION_WIDENED}
    assert name_in_freee(pairs, employee) == "新次郎"
    assert pairs.smarthr.crew(crew)["first_name"] != "新三郎"
    begin(pairs)
    assert pairs.smarthr.crew(crew)["first_name"] == "新三郎"


@pytest.mark.parametrize("change", [{"policy": "smarthr_wins"}, {"item_policies": {"title": "freee_wins"}}])
def test_a_changed_policy_is_previewed(pairs: House, change: dict[str, Any]) -> None:
    switch(pairs, "both")
    begin(pairs)
    _, employee = rename(pairs, 0)
    switch(pairs, "both", **change)
    hours_later(pairs, 2)
    assert {mark.reason for mark in marks(pairs).values()} == {BeginReason.POLICY_CHANGED}
    assert (written(pairs), list(previews(pairs))) == (0, [TO_FREEE])
    begin(pairs)
    assert name_in_freee(pairs, employee) == "新次郎"


def test_the_answer_that_values_were_deleted_for_everybody_is_previewed(pairs: House) -> None:
    switch(pairs, "both")
    begin(pairs)
    for crew in pairs.smarthr.crews:
        pairs.smarthr.edit(crew["id"], {"tel_number": None})
    hours_later(pairs, 2)
    attributes.answer_cleared(pairs.ctx, "test", KEY, "tel_number")
    assert {way: mark.reason for way, mark in marks(pairs).items()} == {TO_FREEE: BeginReason.CLEARED_FOR_ALL}
    hours_later(pairs, 2)
    assert (written(pairs), list(previews(pairs))) == (0, [TO_FREEE])


def test_another_token_that_shows_more_is_previewed(pairs: House) -> None:
    pairs.smarthr_injector.set_switches({"hidden_attributes": ["tel_number"]})
    connections.replace_smarthr_token(pairs.ctx, KEY, practice_company.SMARTHR_TOKEN)
    attributes.check_token_again(pairs.ctx, KEY)
    switch(pairs, "both")
    begin(pairs)
    connections.replace_smarthr_token(pairs.ctx, KEY, practice_company.SMARTHR_TOKEN)
    assert marks(pairs) == {}
    attributes.check_token_again(pairs.ctx, KEY)
    pairs.smarthr_injector.set_switches({"hidden_attributes": []})
    connections.replace_smarthr_token(pairs.ctx, KEY, practice_company.SMARTHR_TOKEN)
    assert {mark.reason for mark in marks(pairs).values()} == {BeginReason.TOKEN_SHOWS_MORE}


def test_settings_that_change_no_plan_ask_nobody(pairs: House) -> None:
    switch(pairs, "both")
    begin(pairs)
    switch(pairs, "both", quiet_seconds="30", sweep_minutes="15", mail="always", policy="hold")
    assert marks(pairs) == {}
    switch(pairs, "freee_to_smarthr")
    switch(pairs, "off")
    assert marks(pairs) == {}


def test_another_change_cancels_the_preview_of_the_settings_before(pairs: House) -> None:
    rename(pairs, 0)
    switch(pairs, "both")
    compared(pairs)
    old = previews(pairs)[TO_FREEE]
    pairs.clock.turn(minutes=1)
    switch(pairs, "both", policy="smarthr_wins")
    with pytest.raises(Refused):
        approve_retry_cancel.approve(pairs.ctx, old, by="test", acknowledged=True)
    pairs.work()
    compared(pairs)
    assert previews(pairs)[TO_FREEE] != old
    assert (written(pairs), set(marks(pairs))) == (0, {TO_FREEE})
    assert sum("自動同期を始める前の確認" in each for each in subjects(pairs)) == 1


def test_switching_off_takes_preview_and_mark_away(pairs: House) -> None:
    rename(pairs, 0)
    switch(pairs, "smarthr_to_freee")
    compared(pairs)
    switch(pairs, "off")
    pairs.work()
    assert (marks(pairs), previews(pairs), written(pairs)) == ({}, {}, 0)


def test_a_cancelled_preview_comes_again_at_the_next_interval_or_when_asked_for(pairs: House) -> None:
    rename(pairs, 0)
    switch(pairs, "smarthr_to_freee")
    compared(pairs)
    (first,) = previews(pairs).values()
    approve_retry_cancel.cancel(pairs.ctx, first, by="test")
    compared(pairs)
    assert (previews(pairs), set(marks(pairs))) == ({}, {TO_FREEE})
    hours_later(pairs, 2)
    (second,) = previews(pairs).values()
    with pairs.ctx.unit_of_work() as uow:
        look_again(pairs.ctx, uow, pairs.connection.id)
    pairs.work()
    compared(pairs)
    (third,) = previews(pairs).values()
    assert len({first, second, third}) == 3
    assert written(pairs) == 0


def test_a_comparison_on_its_way_when_the_settings_change_writes_nothing(pairs: House) -> None:
    _, employee = rename(pairs, 0)
    automatic(pairs, Automatic.SMARTHR_TO_FREEE)
    sweep.sweep_due(pairs.ctx)
    relay.relay_once(pairs.ctx)
    for job in pairs.queue.take():  # surveyed; the job of the person is on its way
        pairs.do(job)
    relay.relay_once(pairs.ctx)
    switch(pairs, "smarthr_to_freee", policy="smarthr_wins")
    pairs.work()
    compared(pairs)
    assert (written(pairs), set(previews(pairs))) == (0, {TO_FREEE})
    begin(pairs)
    assert name_in_freee(pairs, employee) == "新次郎"
