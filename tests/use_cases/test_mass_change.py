"""The mass-change guard in whole runs: nothing is written before a person has said that it is meant."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from app.domain.enums import Direction, Trigger
from app.domain.errors import Refused
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.storage.enums import MassChangeCheck
from app.storage.runs.rows import RunRow
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.planning import mass_change
from app.use_cases.shared.views import RunView
from app.use_cases.survey import sweep
from app.use_cases.upkeep import reconcile, relay
from tests.house import House
from tests.listening import FREEE_TOKEN, automatic, heard_out, listening, now_in_japan
from tests.use_cases.test_interleaving import Interrupted, Killed, die
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


@pytest.fixture
def linked(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Ten pairs, equal and linked."""
    house = open_practice(only(company, "equal", most=10))
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    house.postbox.mails.clear()
    return house


def retire(house: House, people: int, on: str = "2026-12-31") -> None:
    for crew in house.smarthr.crews[:people]:
        house.smarthr.edit(crew["id"], {"resigned_at": on})


def unguarded(house: House, **more: Any) -> RunView:
    return house.run(TO_FREEE, as_of_date=now_in_japan(house), acknowledged=False, **more)


def refused(house: House, run: RunView, **given: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        approve_retry_cancel.approve(house.ctx, run.id, by="test", **given)
    return caught.value


def row(house: House, run: RunView) -> RunRow:
    with house.ctx.unit_of_work() as uow:
        found = uow.runs.get_by_public_id(run.id)
    assert found is not None
    return found


# ── a run without preview ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_within_the_limits_goes_straight_on(linked: House) -> None:
    retire(linked, 5)
    run = unguarded(linked)
    assert (run.state, run.counts[ItemState.SUCCEEDED]) == (RunState.SUCCEEDED, 5)


def test_one_more_and_it_waits_before_its_first_write(linked: House) -> None:
    retire(linked, 6)
    linked.smarthr.edit(linked.smarthr.crews[9]["id"], {"first_name": "無関係"})
    writes = linked.writes()
    run = unguarded(linked)
    assert (run.state, linked.writes()) == (RunState.PREVIEWED, writes)
    assert run.alarms == ({"code": "many_people", "count": 6, "limit": 5, "creates": 0, "retires": 6, "blanks": 0},)
    (mail,) = linked.postbox.mails
    assert mail.subject.startswith("【要確認】")
    assert f"http://awase.test/runs/{run.id}/confirm" in mail.body
    assert "退職6人" in mail.body
    assert not any(crew["last_name"] in mail.body for crew in linked.smarthr.crews)
    waiting = [item for item in linked.items(run) if item.state is ItemState.WAITING]
    with linked.ctx.unit_of_work() as uow:
        planned = uow.changes.of_items([item.id for item in waiting])
    assert len(waiting) == 7
    assert all(item.chosen and item.approved_digest and planned[item.id] for item in waiting)
    assert not any(item.holds_slot for item in waiting)


def test_a_person_who_has_looked_lets_it_go_on(linked: House) -> None:
    retire(linked, 6)
    run = unguarded(linked)
    why = refused(linked, run)
    assert (why.code, why.status) == ("mass_change", 409)
    assert "退職6人" in why.fields["acknowledge_mass_change"]
    assert linked.seen(run).state is RunState.PREVIEWED
    approve_retry_cancel.approve(linked.ctx, run.id, by="user:1", acknowledged=True)
    linked.work()
    assert linked.seen(run).counts == {ItemState.SUCCEEDED: 6, ItemState.UNCHANGED: 4}
    assert linked.seen(run).state is RunState.SUCCEEDED
    assert len(linked.postbox.mails) == 2


def test_whoever_holds_back_for_one_person_does_not_hold_up_the_others(linked: House) -> None:
    """A held run keeps nobody from being synced."""
    retire(linked, 6)
    held = unguarded(linked)
    number = linked.items(held)[0].employee_number
    assert unguarded(linked, employees=(number,)).state is RunState.SUCCEEDED


def test_said_beforehand_it_is_not_held(linked: House) -> None:
    retire(linked, 6)
    run = linked.run(TO_FREEE, as_of_date=now_in_japan(linked), acknowledged=True)
    assert run.state is RunState.SUCCEEDED


def test_bank_accounts_are_counted_by_themselves(linked: House) -> None:
    def moved(people: int) -> None:
        for nth, crew in enumerate(linked.smarthr.crews[:people]):
            (account,) = crew["bank_accounts"][:1]
            changed = {**account, "account_number": f"{9_000_000 + people * 100 + nth}"}
            linked.smarthr.edit(crew["id"], {"bank_accounts": [changed]})

    moved(3)
    assert unguarded(linked).state is RunState.SUCCEEDED
    moved(4)
    run = unguarded(linked)
    assert [(alarm["code"], alarm["count"]) for alarm in run.alarms] == [("many_bank_accounts", 4)]


def test_the_first_sync_stops_when_it_would_create_many(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(build_company(company.today, extra=30, equal_share=0.0))
    run = house.run(TO_FREEE, acknowledged=False)
    assert run.state is RunState.PREVIEWED
    assert house.writes() == 0
    assert run.alarms[0]["code"] == "many_people"
    assert run.alarms[0]["creates"]


def test_a_retry_is_guarded_too(linked: House) -> None:
    retire(linked, 6)
    linked.freee_injector.fault(method="PUT", path="/employees/", times=100, status=400, body="{}")
    failed = linked.run(TO_FREEE, as_of_date=now_in_japan(linked))
    assert failed.counts[ItemState.FAILED] == 6
    linked.freee_injector.clear_faults()
    again = approve_retry_cancel.retry(linked.ctx, failed.id, by="test")
    linked.work()
    assert linked.seen(again).state is RunState.PREVIEWED


# ── a preview ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_the_chosen_people_are_weighed(linked: House) -> None:
    retire(linked, 6)
    preview = unguarded(linked, dry_run=True)
    assert [alarm.count for alarm in mass_change.mass_change_of(linked.ctx, preview.id)] == [6]
    assert refused(linked, preview).code == "mass_change"
    chosen = [item.employee_number for item in linked.items(preview) if item.state is ItemState.WAITING][:5]
    approve_retry_cancel.approve(linked.ctx, preview.id, by="test", employees=chosen)
    linked.work()
    seen = linked.seen(preview)
    assert (seen.state, seen.counts) == (RunState.SUCCEEDED, {ItemState.SUCCEEDED: 5, ItemState.UNCHANGED: 4})
    assert seen.progress.total == 9
    assert [item.employee_number for item in linked.items(preview) if item.state is ItemState.SUCCEEDED] == chosen


def test_a_preview_asked_for_is_not_told_by_mail(linked: House) -> None:
    retire(linked, 6)
    unguarded(linked, dry_run=True)
    assert linked.postbox.mails == []


def test_the_alarms_of_a_preview_take_three_queries(linked: House) -> None:
    from sqlalchemy import event

    preview = unguarded(linked, dry_run=True)
    asked: list[str] = []
    event.listen(linked.database.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    mass_change.mass_change_of(linked.ctx, preview.id)
    assert len([statement for statement in asked if statement.lstrip().upper().startswith("SELECT")]) <= 3


def test_nobody_chosen_and_unknown_numbers_are_refused_and_nothing_has_happened(linked: House) -> None:
    retire(linked, 2)
    preview = unguarded(linked, dry_run=True)
    before = linked.items(preview)
    assert refused(linked, preview, employees=["no-such-number"]).code == "not_waiting"
    equal = next(item.employee_number for item in before if item.state is ItemState.UNCHANGED)
    assert refused(linked, preview, employees=[equal]).code == "not_waiting"
    with linked.ctx.unit_of_work() as uow:
        uow.preview_selection.choose_numbers(row(linked, preview).id, [])
    assert refused(linked, preview).code == "nobody_chosen"
    assert len(linked.items(preview)) == len(before)
    assert linked.seen(preview).state is RunState.PREVIEWED


# ── the comparison of every hour ──────────────────────────────────────────────────────────────────────────────────


def swept(house: House) -> list[RunRow]:
    """Every comparison there is by now, the newest first, after one more if it is due."""
    if sweep.sweep_due(house.ctx):
        house.work()
    with house.ctx.unit_of_work() as uow:
        return [run for run in uow.runs.page(after=None, limit=100) if run.trigger is Trigger.SCHEDULE]


def test_a_held_comparison_is_told_once_and_stops_no_other(linked: House) -> None:
    automatic(linked, Automatic.BOTH)
    retire(linked, 6)
    writes = linked.writes()
    there, back = swept(linked), swept(linked)
    assert [run.state for run in there] == [RunState.PREVIEWED]
    assert [run.direction for run in back] == [TO_SMARTHR, TO_FREEE]
    for _ in range(5):
        linked.clock.turn(hours=1)
        runs = swept(linked)
    assert [run.direction for run in runs].count(TO_FREEE) == 1
    assert [run.direction for run in runs].count(TO_SMARTHR) > 2
    assert linked.writes() == writes
    assert len([mail for mail in linked.postbox.mails if mail.subject.startswith("【要確認】")]) == 1


def test_after_a_day_a_newer_comparison_takes_its_place(linked: House) -> None:
    automatic(linked, Automatic.SMARTHR_TO_FREEE)
    retire(linked, 6)
    (first,) = swept(linked)
    linked.clock.turn(hours=linked.ctx.settings.run_deadline_hours + 1)
    reconcile.reconcile_once(linked.ctx)
    newer, older = swept(linked)
    reconcile.reconcile_once(linked.ctx)
    assert (newer.state, older.id) == (RunState.PREVIEWED, first.id)
    assert row(linked, linked_view(linked, first)).state is RunState.CANCELLED
    assert len([mail for mail in linked.postbox.mails if mail.subject.startswith("【要確認】")]) == 2


def linked_view(house: House, run: RunRow) -> RunView:
    from app.use_cases.queries.history import get_run

    return get_run(house.ctx, run.public_id)


def test_a_decided_comparison_makes_room_for_the_next(linked: House) -> None:
    automatic(linked, Automatic.SMARTHR_TO_FREEE)
    retire(linked, 6)
    (held,) = swept(linked)
    approve_retry_cancel.approve(linked.ctx, held.public_id, by="test", acknowledged=True)
    linked.work()
    assert linked_view(linked, held).counts == {ItemState.SUCCEEDED: 6, ItemState.UNCHANGED: 4}
    linked.clock.turn(hours=2)
    newest, _ = swept(linked)
    assert newest.state is RunState.SUCCEEDED


# ── what webhooks gather ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def told(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Ten linked pairs of a house that hears webhooks."""
    house = open_practice(only(company, "equal", most=10), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    house.postbox.mails.clear()
    return house


def gathered(house: House) -> list[RunRow]:
    """The runs of webhooks, the oldest first."""
    with house.ctx.unit_of_work() as uow:
        runs = [run for run in uow.runs.page(after=None, limit=100) if run.trigger is Trigger.WEBHOOK]
    return runs[::-1]


def hear(house: House) -> None:
    """Webhooks come in, the quiet window passes, jobs run until nobody has anything to do but wait for a person."""
    heard_out(house)
    house.clock.turn(seconds=house.ctx.settings.quiet_seconds + 1)
    house.work()


def test_a_burst_that_would_retire_many_waits_before_its_first_write(told: House) -> None:
    with listening(told, Automatic.SMARTHR_TO_FREEE):
        writes = told.writes()
        retire(told, 6)
        told.smarthr.edit(told.smarthr.crews[9]["id"], {"first_name": "無関係"})
        hear(told)
        (run,) = gathered(told)
        assert (run.state, told.writes(), run.surveyed_at is not None) == (RunState.PREVIEWED, writes, True)
        (mail,) = told.postbox.mails
        assert f"/runs/{run.public_id}/confirm" in mail.body
        view = linked_view(told, run)
        assert not any(item.holds_slot for item in told.items(view))
        with told.ctx.unit_of_work() as uow:
            assert len([entry for entry in uow.preview_names.of_run(run.id) if entry.name]) == 7
        assert refused(told, view).code == "mass_change"
        approve_retry_cancel.approve(told.ctx, run.public_id, by="test", acknowledged=True)
        told.work()
        assert linked_view(told, run).counts == {ItemState.SUCCEEDED: 7}


def test_a_burst_of_harmless_changes_is_written_after_all_of_it_was_planned(told: House) -> None:
    with listening(told, Automatic.SMARTHR_TO_FREEE):
        for nth, crew in enumerate(told.smarthr.crews[:6]):
            told.smarthr.edit(crew["id"], {"tel_number": f"080-0000-000{nth}"})
        told.freee_injector.forget_requests()
        hear(told)
    (run,) = gathered(told)
    assert (run.state, run.gate, run.counts) == (RunState.SUCCEEDED, MassChangeCheck.OPEN, {"succeeded": 6})
    asked = [request.method for request in told.freee_injector.requests if "/employees/" in request.path]
    assert "PUT" not in asked[:6]
    assert asked.count("PUT") == 6


def test_three_people_go_straight_on(told: House) -> None:
    with listening(told, Automatic.SMARTHR_TO_FREEE):
        retire(told, 3)
        hear(told)
    (run,) = gathered(told)
    assert (run.state, run.gate) == (RunState.SUCCEEDED, None)
    assert {item.attempt for item in told.items(linked_view(told, run))} == {1}


def test_who_is_changed_gravely_between_plan_and_write_is_weighed_again(told: House) -> None:
    with listening(told, Automatic.SMARTHR_TO_FREEE):
        for nth, crew in enumerate(told.smarthr.crews[:6]):
            told.smarthr.edit(crew["id"], {"tel_number": f"080-0000-000{nth}"})
        heard_out(told)
        told.clock.turn(seconds=told.ctx.settings.quiet_seconds + 1)
        relay.relay_once(told.ctx)
        while told.queue.jobs:
            for job in told.queue.take():
                told.do(job)
        assert gathered(told)[0].gate is MassChangeCheck.OPEN
        writes = told.writes()
        retire(told, 6)
        hear(told)
        assert told.writes() == writes
        first, second = gathered(told)
    assert (first.state, second.state) == (RunState.SUCCEEDED, RunState.PREVIEWED)
    assert first.counts == {"unchanged": 6}


def test_a_new_person_is_created_with_everything_behind_the_gate(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", "create", most=4), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE, as_of_date=now_in_japan(house), employees=equal_numbers(house))
    with listening(house, Automatic.SMARTHR_TO_FREEE):
        for crew in house.smarthr.crews:
            house.smarthr.fire("crew_updated", crew["id"])
        hear(house)
        (run,) = gathered(house)
        assert run.gate is MassChangeCheck.OPEN
        created = [item for item in house.items(linked_view(house, run)) if item.kind == "create"]
        assert {item.state for item in created} == {ItemState.SUCCEEDED}
    assert len(created) > 2
    check = house.run(TO_FREEE, as_of_date=now_in_japan(house), dry_run=True)
    assert not [item for item in created if house.states(check)[item.source_id or ""] is not ItemState.UNCHANGED]


def equal_numbers(house: House) -> tuple[str, ...]:
    crews = {scenario.crew_id for scenario in house.company.scenarios if scenario.to_freee == "equal"}
    return tuple(crew["emp_code"] for crew in house.smarthr.crews if crew["id"] in crews)


def test_a_gate_that_nobody_opened_is_opened_by_the_reconciler(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    """The job of the last person dies when its plan is kept and the gate not yet open."""
    transactions = 10_000
    for _ in range(2):
        house = open_practice(only(company, "equal", most=4), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
        house.run(TO_FREEE, as_of_date=now_in_japan(house))
        with listening(house, Automatic.SMARTHR_TO_FREEE):
            for nth, crew in enumerate(house.smarthr.crews):
                house.smarthr.edit(crew["id"], {"tel_number": f"080-0000-000{nth}"})
            heard_out(house)
            house.clock.turn(seconds=house.ctx.settings.quiet_seconds + 1)
            relay.relay_once(house.ctx)
            *others, last = house.queue.take()
            for job in others:
                house.do(job)
            dying = Interrupted(house, transactions, die)
            with suppress(Killed):
                house.do(last)
            died = dying.stop()
            transactions = dying.count - 1  # the last but one opens the gate, the last one would close the run
            gate = gathered(house)[0].gate
            assert (died, gate) in ((False, MassChangeCheck.OPEN), (True, MassChangeCheck.CLOSED))
            if died:
                assert reconcile.reconcile_once(house.ctx) == {"opened_gates": 1}
            house.work()
        (run,) = gathered(house)
        assert run.counts == {"succeeded": 4}
    assert died
