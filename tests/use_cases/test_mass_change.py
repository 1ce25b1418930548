"""The mass-change guard in whole runs: what is too many of its kind is not written before a person has said that it is
meant, and everything else is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from app.domain.enums import Direction, Trigger
from app.domain.errors import Refused
from app.domain.planning.mass_change import MassChangeReason
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic, MailPolicy
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.storage.enums import MassChangeCheck
from app.storage.runs.rows import RunRow
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.planning.mass_change import mass_change_in
from app.use_cases.queries.history import get_run
from app.use_cases.queries.preview import see_people
from app.use_cases.shared.run_lookup import find_run
from app.use_cases.shared.views import RunView
from app.use_cases.survey import sweep
from app.use_cases.upkeep import reconcile, relay
from app.web.i18n import wording
from tests.house import House
from tests.listening import FREEE_TOKEN, automatic, heard_out, listening, now_in_japan
from tests.statements import statements
from tests.use_cases.test_interleaving import Interrupted, Killed, die
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


def weighed_by(house: House, run_id: str) -> tuple[MassChangeReason, ...]:
    """Why writing the chosen people of a preview would be a mass change."""
    with house.ctx.unit_of_work().reading() as uow:
        return mass_change_in(house.ctx, uow, find_run(uow, run_id))


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
    return house.run(TO_FREEE, **{"as_of_date": now_in_japan(house), "acknowledged": False, **more})


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


def held_run(house: House) -> RunView:
    """The run that shows what waits."""
    with house.ctx.unit_of_work() as uow:
        runs = [run for run in uow.runs.page(after=None, limit=100) if run.trigger is Trigger.HELD]
    (run,) = [run for run in runs if run.state is RunState.PREVIEWED]
    return get_run(house.ctx, run.public_id)


def test_one_more_and_all_of_them_wait_before_the_first_write(linked: House) -> None:
    retire(linked, 6)
    linked.smarthr.edit(linked.smarthr.crews[9]["id"], {"first_name": "無関係"})
    writes = linked.writes()
    run = unguarded(linked)
    assert (run.state, linked.writes()) == (RunState.PARTLY_FAILED, writes + 1), "the unrelated change travels"
    assert run.counts == {ItemState.CONFLICT: 6, ItemState.SUCCEEDED: 1, ItemState.UNCHANGED: 3}
    held = held_run(linked)
    assert run.held_run == held.id
    assert run.alarms == held.alarms == ({"code": "many_retires", "count": 6, "limit": 5, "written": 0},)
    mail, _ = linked.postbox.mails
    assert mail.subject.startswith("【要確認】")
    assert f"http://awase.test/runs/{held.id}/confirm" in mail.body
    assert "退職にする人が6人（1日の上限5人）" in mail.body
    assert not any(crew["last_name"] in mail.body for crew in linked.smarthr.crews)
    waiting = linked.items(held)
    with linked.ctx.unit_of_work() as uow:
        planned = uow.changes.of_items([item.id for item in waiting])
    assert len(waiting) == 6
    assert all(item.chosen and item.approved_digest and item.state is ItemState.WAITING for item in waiting)
    assert {change.key for changes in planned.values() for change in changes} == {"resigned_on"}
    assert not any(item.holds_slot for item in waiting)


def test_a_person_who_has_looked_lets_it_go_on(linked: House) -> None:
    retire(linked, 6)
    unguarded(linked)
    run = held_run(linked)
    why = refused(linked, run)
    assert (why.code, why.status) == ("mass_change", 409)
    assert "退職にする人が6人" in wording("ja").faults(why)["acknowledge_mass_change"]
    assert linked.seen(run).state is RunState.PREVIEWED
    approve_retry_cancel.approve(linked.ctx, run.id, by="user:1", acknowledged=True)
    linked.work()
    assert linked.seen(run).counts == {ItemState.SUCCEEDED: 6}
    assert linked.seen(run).state is RunState.SUCCEEDED
    assert len(linked.postbox.mails) == 3


@pytest.mark.parametrize("policy", list(MailPolicy))
def test_that_changes_wait_is_told_once_whatever_the_mail_policy(linked: House, policy: MailPolicy) -> None:
    with linked.ctx.unit_of_work() as uow:
        uow.connections.set_options(replace(linked.connection, mail_policy=policy))
    for on in ("2026-12-31", "2026-12-30", "2026-12-30"):  # newer values wait in place of the old: the same occasion
        retire(linked, 6, on)
        unguarded(linked)
    assert len(linked.items(held_run(linked))) == 6
    assert [mail.subject.startswith("【要確認】") for mail in linked.postbox.mails].count(True) == 1


def test_whoever_waits_is_not_written_by_a_run_for_them_alone(linked: House) -> None:
    retire(linked, 6)
    unguarded(linked)
    number = linked.items(held_run(linked))[0].employee_number
    writes = linked.writes()
    again = unguarded(linked, employees=(number,))
    assert (again.counts, linked.writes()) == ({ItemState.CONFLICT: 1}, writes)
    asked = linked.run(TO_FREEE, as_of_date=now_in_japan(linked), employees=(number,), acknowledged=True)
    assert asked.state is RunState.SUCCEEDED
    assert linked.seen(held_run(linked)).counts == {ItemState.WAITING: 5, ItemState.UNCHANGED: 1}


def test_said_beforehand_it_is_not_held(linked: House) -> None:
    retire(linked, 6)
    run = linked.run(TO_FREEE, as_of_date=now_in_japan(linked), acknowledged=True)
    assert run.state is RunState.SUCCEEDED


def test_bank_accounts_are_counted_by_themselves(linked: House) -> None:
    def moved(first: int, people: int) -> None:
        for nth, crew in enumerate(linked.smarthr.crews[first : first + people]):
            (account,) = crew["bank_accounts"][:1]
            changed = {**account, "account_number": f"{9_000_000 + first * 100 + nth}"}
            linked.smarthr.edit(crew["id"], {"bank_accounts": [changed]})

    retire(linked, 5)
    moved(0, 3)
    assert unguarded(linked).state is RunState.SUCCEEDED
    moved(3, 2)
    assert unguarded(linked).counts[ItemState.CONFLICT] == 2
    told = [(alarm["code"], alarm["count"], alarm["written"]) for alarm in held_run(linked).alarms]
    assert told == [("many_bank_accounts", 5, 3)]


def test_the_first_sync_stops_when_it_would_create_many(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(build_company(company.today, extra=30, equal_share=0.0))
    house.run(TO_FREEE, acknowledged=False)
    assert not [r for r in house.freee_injector.requests if r.method == "POST" and r.path.endswith("/employees")]
    assert "many_creates" in [alarm["code"] for alarm in held_run(house).alarms]


def test_a_retry_is_guarded_too(linked: House) -> None:
    retire(linked, 6)
    linked.freee_injector.fault(method="PUT", path="/employees/", times=100, status=400, body="{}")
    failed = linked.run(TO_FREEE, as_of_date=now_in_japan(linked))
    assert failed.counts[ItemState.FAILED] == 6
    linked.freee_injector.clear_faults()
    again = approve_retry_cancel.retry(linked.ctx, failed.id, by="test")
    linked.work()
    assert linked.seen(again).counts == {ItemState.CONFLICT: 6}


# ── a preview ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_the_chosen_people_are_weighed(linked: House) -> None:
    retire(linked, 6)
    preview = unguarded(linked, dry_run=True)
    assert [alarm.count for alarm in weighed_by(linked, preview.id)] == [6]
    assert refused(linked, preview).code == "mass_change"
    chosen = [item.employee_number for item in linked.items(preview) if item.state is ItemState.WAITING][:5]
    approve_retry_cancel.approve(linked.ctx, preview.id, by="test", employees=chosen)
    linked.work()
    seen = linked.seen(preview)
    assert (seen.state, seen.counts) == (RunState.SUCCEEDED, {ItemState.SUCCEEDED: 5})
    assert seen.progress.total == 5
    assert [item.employee_number for item in linked.items(preview) if item.state is ItemState.SUCCEEDED] == chosen


def test_a_preview_asked_for_is_not_told_by_mail(linked: House) -> None:
    retire(linked, 6)
    unguarded(linked, dry_run=True)
    assert linked.postbox.mails == []


def test_the_alarms_of_a_preview_take_three_queries(linked: House) -> None:
    preview = unguarded(linked, dry_run=True)
    with statements(linked.database.engine) as asked:
        weighed_by(linked, preview.id)
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


def test_a_comparison_that_stops_something_is_told_once_and_stops_no_other(linked: House) -> None:
    automatic(linked, Automatic.BOTH)
    retire(linked, 6)
    writes = linked.writes()
    swept(linked), swept(linked)
    for _ in range(5):
        linked.clock.turn(hours=1, minutes=1)
        swept(linked)
        runs = swept(linked)
    assert [run.direction for run in runs].count(TO_FREEE) == [run.direction for run in runs].count(TO_SMARTHR) == 6
    assert all(run.state.is_final for run in runs)
    assert linked.writes() == writes
    assert len([mail for mail in linked.postbox.mails if mail.subject.startswith("【要確認】")]) == 1
    assert linked.seen(held_run(linked)).counts == {ItemState.WAITING: 6}


def linked_view(house: House, run: RunRow) -> RunView:
    return get_run(house.ctx, run.public_id)


@pytest.mark.reach("all")
def test_after_the_decision_the_next_comparison_is_quiet(linked: House) -> None:
    automatic(linked, Automatic.SMARTHR_TO_FREEE)
    retire(linked, 6)
    swept(linked)
    held = held_run(linked)
    approve_retry_cancel.approve(linked.ctx, held.id, by="test", acknowledged=True)
    linked.work()
    assert linked.seen(held).counts == {ItemState.SUCCEEDED: 6}
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


def test_a_burst_that_would_retire_many_stops_them_before_the_first_write(told: House) -> None:
    with listening(told, Automatic.SMARTHR_TO_FREEE):
        writes = told.writes()
        retire(told, 6)
        told.smarthr.edit(told.smarthr.crews[9]["id"], {"first_name": "無関係"})
        hear(told)
        (run,) = gathered(told)
        assert (run.state, told.writes()) == (RunState.PARTLY_FAILED, writes + 1)
        held = held_run(told)
        mail = next(mail for mail in told.postbox.mails if mail.subject.startswith("【要確認】"))
        assert f"/runs/{held.id}/confirm" in mail.body and "退職にする人が6人" in mail.body
        assert not any(item.holds_slot for item in told.items(held))
        name = told.items(held)[0].name
        found = see_people(told.ctx, held.id, search=name).people
        assert name in [each.name for each in found] and len(found) < 6
        assert refused(told, held).code == "mass_change"
        approve_retry_cancel.approve(told.ctx, held.id, by="test", acknowledged=True)
        told.work()
        assert told.seen(held).counts == {ItemState.SUCCEEDED: 6}


def test_a_burst_of_harmless_changes_is_written_in_one_pass(told: House) -> None:
    with listening(told, Automatic.SMARTHR_TO_FREEE):
        for nth, crew in enumerate(told.smarthr.crews[:6]):
            told.smarthr.edit(crew["id"], {"tel_number": f"080-0000-000{nth}"})
        hear(told)
    (run,) = gathered(told)
    assert (run.state, run.gate, run.counts) == (RunState.SUCCEEDED, MassChangeCheck.OPEN, {"succeeded": 6})
    assert {item.attempt for item in told.items(linked_view(told, run))} == {1}


def test_three_people_go_straight_on(told: House) -> None:
    with listening(told, Automatic.SMARTHR_TO_FREEE):
        retire(told, 3)
        hear(told)
    (run,) = gathered(told)
    assert (run.state, run.gate) == (RunState.SUCCEEDED, None)
    assert {item.attempt for item in told.items(linked_view(told, run))} == {1}


def test_who_is_changed_gravely_between_plan_and_write_is_counted_again(told: House) -> None:
    with listening(told, Automatic.SMARTHR_TO_FREEE):
        retire(told, 4)
        heard_out(told)
        told.clock.turn(seconds=told.ctx.settings.quiet_seconds + 1)
        relay.relay_once(told.ctx)
        while told.queue.jobs:
            for job in told.queue.take():
                told.do(job)
        assert gathered(told)[0].gate is MassChangeCheck.OPEN
        for crew in told.smarthr.crews[:4]:
            (account,) = crew["bank_accounts"][:1]
            told.smarthr.edit(crew["id"], {"bank_accounts": [{**account, "account_number": "9000001"}]})
        hear(told)
        written = [r for r in told.freee_injector.requests if r.method == "PUT" and "bank_account" in r.path]
        assert len(written) == 3
        assert told.seen(held_run(told)).counts == {ItemState.WAITING: 1}


@pytest.mark.reach("all")
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
            retire(house, 4)
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
