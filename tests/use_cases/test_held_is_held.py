"""Law: held is held. Per connection, so many people a day have their account written (are created, retired, lose a
value) unasked; what is more waits for a person, and no run writes it before it is decided. Everything else travels."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.enums import Direction, Trigger
from app.domain.errors import Refused
from app.domain.planning.mass_change import DAY
from app.domain.planning.stopping import StopState
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.storage.runs.rows import RunRow
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.queries.history import get_run
from app.use_cases.shared.views import RunView
from app.use_cases.survey import sweep
from app.use_cases.upkeep import reconcile
from tests.house import House
from tests.listening import FREEE_TOKEN, automatic, listening, now_in_japan
from tests.properties import every
from tests.use_cases.test_job import only
from tests.use_cases.test_many_workers import work_with_many
from tests.use_cases.test_mass_change import hear, retire, unguarded

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


@pytest.fixture
def linked(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Ten pairs, equal and linked, of a house that hears webhooks."""
    house = open_practice(only(company, "equal", most=10), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    house.postbox.mails.clear()
    return house


@pytest.fixture
def told(linked: House) -> Iterator[House]:
    with listening(linked, Automatic.SMARTHR_TO_FREEE):
        yield linked


def new_account(house: House, nth: int, number: int = 9_100_000) -> str:
    crew = house.smarthr.crews[nth]
    (account,) = crew["bank_accounts"][:1]
    house.smarthr.edit(crew["id"], {"bank_accounts": [{**account, "account_number": str(number + nth)}]})
    return str(number + nth)


def phone(house: House, nth: int, digits: int) -> None:
    house.smarthr.edit(house.smarthr.crews[nth]["id"], {"tel_number": f"080-{digits:04}-{nth:04}"})


def accounts_written(house: House) -> int:
    return sum(r.method == "PUT" and "bank_account" in r.path for r in house.freee_injector.requests)


def puts(house: House) -> int:
    return sum(r.method == "PUT" for r in house.freee_injector.requests)


def held_runs(house: House) -> list[RunRow]:
    """The runs that show stopped changes, the oldest first."""
    with house.ctx.unit_of_work() as uow:
        return [run for run in uow.runs.page(after=None, limit=500) if run.trigger is Trigger.HELD][::-1]


def held_run(house: House) -> RunView:
    (run,) = [run for run in held_runs(house) if run.state is RunState.PREVIEWED]
    return get_run(house.ctx, run.public_id)


def waiting(house: House) -> int:
    with house.ctx.unit_of_work() as uow:
        return uow.stopped_changes.waiting_count(house.connection.id)


def swept(house: House) -> None:
    with house.ctx.unit_of_work() as uow:
        uow.sweeps.ask(house.connection.id)
    for _ in house.connection.automatic.directions:
        sweep.sweep_due(house.ctx)
        house.work()


def approve(house: House, run: RunView, **given: Any) -> RunView:
    approve_retry_cancel.approve(house.ctx, run.id, by="user:1", **{"acknowledged": True, **given})
    house.work()
    return house.seen(run)


@pytest.mark.reach("all")
def test_five_accounts_wait_whatever_else_happens_to_these_people(told: House) -> None:
    house = told
    for nth in range(5):
        new_account(house, nth)
    phone(house, 7, 1)
    hear(house)
    assert (accounts_written(house), waiting(house), puts(house)) == (0, 5, 1)
    for nth in (0, 1, 2):
        phone(house, nth, 2)
    hear(house)
    for nth in (3, 4):
        phone(house, nth, 3)
    hear(house)
    assert (accounts_written(house), waiting(house), puts(house)) == (0, 5, 6)
    assert len([mail for mail in house.postbox.mails if mail.subject.startswith("【要確認】")]) == 1
    held = held_run(house)
    assert [(alarm["code"], alarm["count"], alarm["limit"]) for alarm in held.alarms] == [("many_bank_accounts", 5, 3)]
    seen = approve(house, held)
    assert seen.counts == {ItemState.SUCCEEDED: 5}
    assert (accounts_written(house), waiting(house)) == (5, 0)


@pytest.mark.reach("all")
def test_no_held_account_is_written_by_fifty_following_runs_nor_by_any_other_trigger(told: House) -> None:
    house = told
    for nth in range(5):
        new_account(house, nth)
    hear(house)
    for turn in range(0, 50, every(5)):
        phone(house, turn % 10, 100 + turn)
        hear(house)
    assert (accounts_written(house), waiting(house)) == (0, 5)
    swept(house)
    unguarded(house)
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=100, status=400, body="{}")
    for nth in range(5):
        phone(house, nth, 900)
    failed = unguarded(house)
    house.freee_injector.clear_faults()
    approve_retry_cancel.retry(house.ctx, failed.id, by="test")
    house.work()
    house.clock.turn(hours=25)
    swept(house)
    assert (accounts_written(house), waiting(house)) == (0, 5)
    assert len([mail for mail in house.postbox.mails if mail.subject.startswith("【要確認】")]) == 1


def test_only_the_accounts_wait_and_everything_else_of_everybody_travels(linked: House) -> None:
    for nth in range(5):
        new_account(linked, nth)
    for nth in range(9):
        phone(linked, nth, 7)
    run = unguarded(linked)
    assert run.counts == {ItemState.CONFLICT: 5, ItemState.SUCCEEDED: 4, ItemState.UNCHANGED: 1}
    assert {item.error_code for item in linked.items(run) if item.state is ItemState.CONFLICT} == {"waits_for_decision"}
    assert (accounts_written(linked), puts(linked)) == (0, 9)


def test_one_account_per_run_passes_until_the_day_is_full_and_again_when_it_slides(told: House) -> None:
    house = told
    for nth in range(3):
        new_account(house, nth)
        hear(house)
        house.clock.turn(hours=2)
    assert accounts_written(house) == 3
    new_account(house, 3)
    hear(house)
    assert (accounts_written(house), waiting(house)) == (3, 1)
    (alarm,) = held_run(house).alarms
    assert (alarm["code"], alarm["count"], alarm["limit"], alarm["written"]) == ("many_bank_accounts", 4, 3, 3)
    (mail,) = [mail for mail in house.postbox.mails if mail.subject.startswith("【要確認】")]
    assert "口座を書き込む人が4人（1日の上限3人、うち3人は書き込み済み）" in mail.body
    house.clock.turn(hours=19)  # the first of the three is more than a day old
    new_account(house, 4)
    hear(house)
    phone(house, 3, 5)
    hear(house)
    assert (accounts_written(house), waiting(house)) == (4, 1), "what waits is not set free by a new day"


def test_a_later_run_adds_to_the_run_that_waits_and_no_second_mail_leaves(told: House) -> None:
    house = told
    for nth in range(4):
        new_account(house, nth)
    hear(house)
    for nth in (4, 5, 6, 7):
        new_account(house, nth)
    hear(house)
    held = held_run(house)
    assert held.counts == {ItemState.WAITING: 8}
    assert [(alarm["count"], alarm["limit"]) for alarm in held.alarms] == [(8, 3)]
    assert len([mail for mail in house.postbox.mails if mail.subject.startswith("【要確認】")]) == 1
    assert approve(house, held).counts == {ItemState.SUCCEEDED: 8}
    assert accounts_written(house) == 8


def test_what_a_person_approved_and_undo_do_not_count(linked: House) -> None:
    from app.use_cases.intake.undo import undo

    for nth in range(5):
        new_account(linked, nth)
    run = linked.run(TO_FREEE, as_of_date=now_in_japan(linked), acknowledged=True)
    assert run.counts[ItemState.SUCCEEDED] == 5
    back = undo(linked.ctx, run.id, by="test")
    linked.work()
    approve(linked, back)
    assert linked.seen(back).counts == {ItemState.SUCCEEDED: 5}
    assert waiting(linked) == 0
    for nth in (6, 7, 8):
        new_account(linked, nth)
    chosen = tuple(linked.smarthr.crews[nth]["emp_code"] for nth in (6, 7, 8))
    assert unguarded(linked, employees=chosen).state is RunState.SUCCEEDED, "the day is still empty"


# ── the decision ──────────────────────────────────────────────────────────────────────────────────────────────────


def employee_of(house: House, nth: int) -> int:
    crew = house.smarthr.crews[nth]["id"]
    return next(each.employee_id or 0 for each in house.company.scenarios if each.crew_id == crew)


def by_hand_in_freee(house: House, nth: int, number: str) -> None:
    for pay_month in ("2026-11", "2026-12", "2027-01"):
        changed = {"bank_account_rule": {"account_number": number}}
        house.freee.edit(employee_of(house, nth), changed, pay_month=pay_month)


def test_who_is_equal_by_now_ends_unchanged(linked: House) -> None:
    numbers = [new_account(linked, nth) for nth in range(5)]
    unguarded(linked)
    held = held_run(linked)
    by_hand_in_freee(linked, 0, numbers[0])
    assert approve(linked, held).counts == {ItemState.SUCCEEDED: 4, ItemState.UNCHANGED: 1}
    assert accounts_written(linked) == 4
    assert waiting(linked) == 0


def test_what_is_no_difference_any_more_disappears_by_itself(linked: House) -> None:
    numbers = [new_account(linked, nth) for nth in range(5)]
    unguarded(linked)
    held = held_run(linked)
    for nth in range(4):
        by_hand_in_freee(linked, nth, numbers[nth])
    unguarded(linked)
    assert (linked.seen(held).counts, waiting(linked)) == ({ItemState.WAITING: 1, ItemState.UNCHANGED: 4}, 1)
    by_hand_in_freee(linked, 4, numbers[4])
    mails = len(linked.postbox.mails)
    unguarded(linked)
    seen = linked.seen(held)
    assert (seen.state, seen.counts, waiting(linked)) == (RunState.SUCCEEDED, {ItemState.UNCHANGED: 5}, 0)
    assert len(linked.postbox.mails) == mails + 1, "of the manual run, none of the run that ended by itself"
    assert accounts_written(linked) == 0


def test_whose_value_moved_on_is_held_anew_and_only_what_was_shown_is_written(linked: House) -> None:
    for nth in range(5):
        new_account(linked, nth)
    unguarded(linked)
    held = held_run(linked)
    new_account(linked, 0, 9_500_000)
    seen = approve(linked, held)
    assert seen.counts == {ItemState.SUCCEEDED: 4, ItemState.NEEDS_REVIEW: 1}
    assert [item.error_code for item in linked.items(seen) if item.error_code] == ["approved_plan_changed"]
    assert accounts_written(linked) == 4
    again = held_run(linked)
    assert again.id != held.id and again.counts == {ItemState.WAITING: 1}
    unguarded(linked)
    assert accounts_written(linked) == 4
    assert approve(linked, again).counts == {ItemState.SUCCEEDED: 1}


def test_what_waits_shows_the_newest_value(linked: House) -> None:
    for nth in range(5):
        new_account(linked, nth)
    unguarded(linked)
    new_account(linked, 0, 9_500_000)
    unguarded(linked)
    held = held_run(linked)
    assert held.counts == {ItemState.WAITING: 5}
    assert approve(linked, held).counts == {ItemState.SUCCEEDED: 5}
    assert accounts_written(linked) == 5


@pytest.mark.parametrize("how", ["cancelled", "not chosen"])
def test_what_was_declined_rests_until_a_value_moves(linked: House, how: str) -> None:
    for nth in range(5):
        new_account(linked, nth)
    unguarded(linked)
    held = held_run(linked)
    if how == "cancelled":
        approve_retry_cancel.cancel(linked.ctx, held.id, by="test")
        written, rest = 0, 5
    else:
        written, rest = 1, 4
        approve(linked, held, employees=[linked.items(held)[0].employee_number])
    mails = len(linked.postbox.mails)
    automatic(linked, Automatic.SMARTHR_TO_FREEE)
    for _ in range(4):
        linked.clock.turn(hours=13)
        swept(linked)
    run = unguarded(linked)
    assert {item.error_code for item in linked.items(run) if item.state is ItemState.CONFLICT} == {"change_declined"}
    assert run.counts[ItemState.CONFLICT] == rest
    assert (accounts_written(linked), waiting(linked)) == (written, 0)
    assert not [mail for mail in linked.postbox.mails[mails:] if mail.subject.startswith("【要確認】")]
    new_account(linked, 4, 9_500_000)
    unguarded(linked)
    assert accounts_written(linked) == written + 1, "a new change, for which the day has room"


# ── both directions ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_other_direction_does_not_carry_the_old_value_back(linked: House) -> None:
    numbers = [new_account(linked, nth) for nth in range(5)]
    unguarded(linked)
    linked.smarthr_injector.forget_requests()
    back = linked.run(TO_SMARTHR, as_of_date=now_in_japan(linked), acknowledged=False)
    assert {item.error_code for item in linked.items(back) if item.state is ItemState.CONFLICT} == {"other_way_waits"}
    assert back.counts[ItemState.CONFLICT] == 5
    assert not [r for r in linked.smarthr_injector.requests if r.method == "PATCH"]
    assert [crew["bank_accounts"][0]["account_number"] for crew in linked.smarthr.crews[:5]] == numbers


def test_both_directions_fill_one_day(linked: House) -> None:
    new_account(linked, 0), new_account(linked, 1)
    assert unguarded(linked).counts[ItemState.SUCCEEDED] == 2
    by_hand_in_freee(linked, 2, "9300002"), by_hand_in_freee(linked, 3, "9300003")
    back = linked.run(TO_SMARTHR, as_of_date=now_in_japan(linked), acknowledged=False)
    assert back.counts[ItemState.CONFLICT] == 2
    (alarm,) = held_run(linked).alarms
    assert (alarm["count"], alarm["limit"], alarm["written"]) == (4, 3, 2)
    approve(linked, held_run(linked))
    assert linked.smarthr.crews[2]["bank_accounts"][0]["account_number"] == "9300002"


def test_our_own_echo_writes_nobody_who_waits(linked: House) -> None:
    with listening(linked, Automatic.BOTH):
        for nth in range(10):
            new_account(linked, nth)
            phone(linked, nth, 3)
        hear(linked)
        for nth in range(10):  # something else changes at freee, and its webhook names the person
            linked.freee.edit(employee_of(linked, nth), {"profile_rule": {"phone2": f"0300000{nth:03}"}})
        hear(linked)
        hear(linked)
        assert (accounts_written(linked), waiting(linked)) == (0, 10)
        assert linked.seen(held_run(linked)).counts == {ItemState.WAITING: 10}


# ── many at once ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.sql
def test_workers_at_the_same_moment_never_take_more_than_the_day_has(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", most=10))
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    for nth in range(8):
        new_account(house, nth)
    runs = [
        house.start(TO_FREEE, as_of_date=now_in_japan(house), acknowledged=False, employees=(crew["emp_code"],))
        for crew in house.smarthr.crews[:8]
    ]
    work_with_many(house, runs, workers=8)
    assert (accounts_written(house), waiting(house)) == (3, 5)
    assert held_run(house).counts == {ItemState.WAITING: 5}
    assert len({run.id for run in held_runs(house)}) == 1


# ── any sequence ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(0, 12, every(12)))
def test_no_day_has_more_unasked_writes_than_its_limit_and_nothing_held_is_written(
    open_practice: Callable[..., House], company: PracticeCompany, seed: int
) -> None:
    """Any edits, runs and pauses. What was written is read from freee and from its requests."""
    dice = random.Random(seed)
    house = open_practice(only(company, "equal", most=10), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    written: list[datetime] = []
    declined = 0
    with listening(house, Automatic.BOTH):
        for turn in range(30):
            held, puts_before = accounts_that_wait(house), accounts_written(house)
            for nth in dice.sample(range(10), dice.randint(0, 4)):
                edit = dice.choice([new_account, phone, phone])
                edit(house, nth, dice.choice([9_100_000, 9_200_000]) if edit is new_account else turn)
            if dice.random() < 0.2:
                by_hand_in_freee(house, dice.randrange(10), f"93{turn:05}")
            asks = dice.choice([hear, hear, hear, swept, unguarded, lambda house: house.clock.turn(hours=7)])
            asks(house)
            house.work()
            written += [house.clock.now()] * (accounts_written(house) - puts_before)
            assert all(written_to(house, who) == times for who, times in held.items())
            for moment in written:
                assert sum(moment - DAY < each <= moment for each in written) <= 3
            if dice.random() < 0.2 and accounts_that_wait(house):
                for run in held_runs(house):
                    if run.state is RunState.PREVIEWED:
                        approve_retry_cancel.cancel(house.ctx, run.public_id, by="test")
                        declined += 1
    assert written or declined


def accounts_that_wait(house: House) -> dict[str, int]:
    """SmartHR's id of everybody whose account waits on its way to freee → how often it was written so far."""
    with house.ctx.unit_of_work() as uow:
        rows = uow.stopped_changes.of_connection(house.connection.id)
    waits = [row for row in rows if row.state is StopState.WAITING and row.direction is TO_FREEE and row.unit == "bank"]
    return {row.source_id: written_to(house, row.source_id) for row in waits}


def employee_with(house: House, crew_id: str) -> int:
    return next(each.employee_id or 0 for each in house.company.scenarios if each.crew_id == crew_id)


def written_to(house: House, crew_id: str) -> int:
    path = f"/employees/{employee_with(house, crew_id)}/bank_account_rule"
    return sum(r.method == "PUT" and r.path.endswith(path) for r in house.freee_injector.requests)


# ── what an older release has held, and what was seen ─────────────────────────────────────────────────────────────


def held_whole(house: House) -> RunView:
    """A run as releases before held it: the whole of it waits, with all that it plans."""
    run = house.run(TO_FREEE, as_of_date=now_in_japan(house), acknowledged=False, dry_run=True)
    with house.database.engine.begin() as connection:
        alarms = '[{"code": "many_people", "count": 6, "limit": 5, "creates": 0, "retires": 6, "blanks": 0}]'
        values = {"alarms": alarms, "run": run.id}
        connection.execute(text("UPDATE runs SET dry_run = false, alarms = :alarms WHERE public_id = :run"), values)
    return house.seen(run)


@pytest.mark.reach("all")
@pytest.mark.sql
def test_what_an_older_release_held_can_still_be_approved_or_cancelled(linked: House) -> None:
    retire(linked, 6)
    old, other = held_whole(linked), held_whole(linked)
    assert [alarm["code"] for alarm in old.alarms] == ["many_people"]
    automatic(linked, Automatic.SMARTHR_TO_FREEE)
    swept(linked)
    assert waiting(linked) == 6
    assert linked.seen(old).state is RunState.PREVIEWED, "a comparison throws nothing away that waits for a person"
    approve_retry_cancel.cancel(linked.ctx, other.id, by="test")
    linked.work()
    assert linked.seen(other).state is RunState.CANCELLED
    assert approve(linked, old).counts == {ItemState.SUCCEEDED: 6}
    assert waiting(linked) == 0
    assert [run.state for run in held_runs(linked)] == [RunState.SUCCEEDED]


def test_nothing_is_approved_that_was_not_seen(linked: House) -> None:
    for nth in range(4):
        new_account(linked, nth)
    unguarded(linked)
    seen = held_run(linked)
    assert seen.surveyed_at is not None
    linked.clock.turn(minutes=5)
    for nth in range(4, 8):
        new_account(linked, nth)
    unguarded(linked)
    with pytest.raises(Refused) as refused:
        approve(linked, seen, shown=seen.surveyed_at.isoformat())
    assert (refused.value.code, held_run(linked).counts) == ("shown_otherwise", {ItemState.WAITING: 8})
    again = held_run(linked).surveyed_at
    assert again is not None
    assert approve(linked, seen, shown=again.isoformat()).counts == {ItemState.SUCCEEDED: 8}


def test_what_nobody_decided_on_within_the_retention_waits_on(linked: House) -> None:
    for nth in range(4):
        new_account(linked, nth)
    unguarded(linked)
    linked.clock.turn(days=linked.ctx.settings.retention_days + 1)
    reconcile.reconcile_once(linked.ctx)
    linked.work()
    assert [run.state for run in held_runs(linked)] == [RunState.CANCELLED]
    chosen = (linked.smarthr.crews[0]["emp_code"],)
    unguarded(linked, employees=chosen, as_of_date=linked.today)
    assert accounts_written(linked) == 0
    assert held_run(linked).counts == {ItemState.WAITING: 1}


def test_who_is_equal_by_now_ends_unchanged_in_every_preview(linked: House) -> None:
    numbers = [new_account(linked, nth) for nth in range(2)]
    preview = linked.run(TO_FREEE, as_of_date=now_in_japan(linked), acknowledged=False, dry_run=True)
    by_hand_in_freee(linked, 0, numbers[0])
    assert approve(linked, preview).counts == {ItemState.SUCCEEDED: 1, ItemState.UNCHANGED: 1}
