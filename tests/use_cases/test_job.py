"""One employee's job, and whole runs through both practice vendors: what came out on both sides and in history."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.enums import Direction, Step
from app.domain.runs.run_state import ItemState, RunState
from app.domain.vendors.tokens import FreeeTokens
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.practice.staff.scenarios import Scenario
from app.storage.enums import ChangeState, StepState
from app.use_cases.employee import job as sync
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.upkeep import reconcile, relay
from tests.house import House
from tests.properties import every

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
ENDS = {
    "equal": ItemState.UNCHANGED,
    "update": ItemState.SUCCEEDED,
    "create": ItemState.SUCCEEDED,
    "review": ItemState.NEEDS_REVIEW,
    "fail": ItemState.FAILED,
    "not_offered": ItemState.LEFT_OUT,
}


def only(
    company: PracticeCompany, *outcomes: str, most: int | None = None, besides: Collection[str] = ()
) -> PracticeCompany:
    """The practice company with just the people whose way to freee has one of these outcomes (at most so many each, and
    besides them those with these numbers)."""
    seen: Counter[str] = Counter()
    scenarios: list[Scenario] = []
    for scenario in company.scenarios:
        kind = scenario.to_freee.partition(":")[0]
        seen[kind] += kind in outcomes
        if kind in outcomes and (most is None or seen[kind] <= most or scenario.number in besides):
            scenarios.append(scenario)
    crews = {scenario.crew_id for scenario in scenarios}
    employees = {scenario.employee_id for scenario in scenarios}
    return replace(
        company,
        scenarios=scenarios,
        crews=[crew for crew in company.crews if crew["id"] in crews],
        employees=[employee for employee in company.employees if employee["id"] in employees],
    )


@pytest.mark.reach("check")
@pytest.mark.parametrize("direction", list(Direction))
def test_everybody_ends_as_the_story_says(house: House, direction: Direction) -> None:
    run = house.run(direction)
    expected = {
        person: ENDS[outcome.partition(":")[0]]
        for person, outcome in house.company.expected[direction.value].items()
        if outcome
    }
    assert house.states(run) == expected
    assert run.state is RunState.PARTLY_FAILED
    assert len(house.postbox.mails) == 1


@pytest.mark.parametrize("direction", list(Direction))
def test_the_reason_of_every_question_and_failure_is_the_expected_one(house: House, direction: Direction) -> None:
    run = house.run(direction)
    told = {
        item.source_id: item.error_code
        for item in house.items(run)
        if item.state in (ItemState.FAILED, ItemState.NEEDS_REVIEW)
    }
    expected = {
        person: outcome.partition(":")[2]
        for person, outcome in house.company.expected[direction.value].items()
        if outcome.startswith(("review:", "fail:"))
    }
    reasons_of_e16 = {person for person, code in expected.items() if code == "E16"}
    assert {p: c for p, c in told.items() if p not in reasons_of_e16} == {
        p: c for p, c in expected.items() if p not in reasons_of_e16
    }


@pytest.mark.parametrize("direction", list(Direction))
def test_a_second_run_changes_nothing_and_writes_nothing(house: House, direction: Direction) -> None:
    first = house.run(direction)
    writes = house.writes()
    assert writes > 0
    second = house.run(direction)
    assert house.writes() == writes
    again, before = Counter(house.states(second).values()), Counter(house.states(first).values())
    assert again[ItemState.SUCCEEDED] == 0
    assert again[ItemState.FAILED] == before[ItemState.FAILED]
    assert len(house.postbox.mails) == 2


@pytest.mark.few(2)
@pytest.mark.parametrize("direction", list(Direction))
def test_what_was_written_one_way_is_no_difference_the_other_way(house: House, direction: Direction) -> None:
    first = house.run(direction)
    synced = {item.target_id for item in house.items(first) if item.state is ItemState.SUCCEEDED and not item.notes}
    assert synced
    back = house.run(direction.reverse, dry_run=True)
    states = house.states(back)
    assert {person: states[person] for person in synced if person in states} == {
        person: ItemState.UNCHANGED for person in synced if person in states
    }


def test_one_changed_item_costs_at_most_four_calls_beyond_the_survey(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal"))
    house.run(TO_FREEE)
    before = house.calls()
    house.run(TO_FREEE)
    survey_alone = house.calls() - before
    crew = house.smarthr.crews[0]
    house.smarthr.edit(crew["id"], {"tel_number": "080-0000-1234"})
    before = house.calls()
    run = house.run(TO_FREEE)
    assert house.states(run)[crew["id"]] is ItemState.SUCCEEDED
    assert house.calls() - before - survey_alone <= 4


@pytest.mark.reach("all")
def test_a_thousand_people_without_a_change_cost_a_twentieth_of_a_call_each(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(build_company(company.today, extra=970, equal_share=1.0), "equal"))
    total = len(house.company.scenarios)
    assert total >= 1000
    run = house.run(TO_FREEE)
    assert Counter(house.states(run).values()) == {ItemState.UNCHANGED: total}
    assert house.writes() == 0
    assert house.calls() <= 0.05 * total
    assert sum(run.vendor_calls.values()) == house.calls()


# ── nothing twice, nothing lost ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize("after", [False, True], ids=["before-it-happens", "after-it-happened"])
@pytest.mark.parametrize("direction", list(Direction))
def test_nobody_is_created_twice_whichever_request_fails(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction, after: bool
) -> None:
    people = only(company, "create", "update", most=1)
    if direction is TO_SMARTHR:
        there = [s for s in company.scenarios if s.to_smarthr == "create"][:1]
        ids = {scenario.employee_id for scenario in there}
        people = replace(people, employees=people.employees + [e for e in company.employees if e["id"] in ids])
    undisturbed = open_practice(people)
    run = undisturbed.run(direction)
    assert ItemState.SUCCEEDED in undisturbed.states(run).values()
    for vendor in ("smarthr_injector", "freee_injector"):
        requests = enumerate(getattr(undisturbed, vendor).requests, start=1)
        for nth in [nth for nth, each in requests if each.method != "GET" or nth % every(6) == 0]:
            house = open_practice(people)
            getattr(house, vendor).fault(path=".*", nth=nth, cut=True, after=after)
            ended = house.run(direction)
            assert Counter(house.states(ended).values()) == Counter(undisturbed.states(run).values()), (vendor, nth)
            assert numbers(house) == numbers(undisturbed), (vendor, nth)
            assert contents(house) == contents(undisturbed), (vendor, nth)
            house.close()


def numbers(house: House) -> tuple[Counter[str], Counter[str]]:
    """社員番号 → how many people have it, on each side."""
    freee = Counter(employee["num"] for employee in house.freee.dump()["employees"])
    return Counter(crew.get("emp_code") or "" for crew in house.smarthr.crews), freee


def contents(house: House) -> tuple[list[str], list[str]]:
    """What both sides hold by now, ids and instants left out."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in sorted(value.items()) if k not in VOLATILE}
        return [plain(each) for each in value] if isinstance(value, list) else value

    freee = [house.freee.employee(each["id"], month=NOVEMBER) for each in house.freee.dump()["employees"]]
    return sorted(str(plain(crew)) for crew in house.smarthr.crews), sorted(str(plain(each)) for each in freee)


NOVEMBER = (2026, 11)
VOLATILE = ("id", "created_at", "updated_at", "employee_id")


def test_a_job_that_lost_its_lease_writes_nothing_more(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "update", most=1))
    run = house.start(TO_FREEE)
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)
    (item,) = house.items(house.seen(run))
    house.freee_injector.fault(method="GET", path="/employees/", times=1, delay=1.5)
    slow = threading.Thread(target=sync.sync_item, args=(house.ctx, item.id, 0))
    slow.start()
    while house.items(house.seen(run))[0].state is not ItemState.RUNNING:
        pass
    house.clock.turn(seconds=house.ctx.settings.lease_seconds * 2)
    reconcile.reconcile_once(house.ctx)
    slow.join()
    assert house.writes() == 0
    house.work()
    assert house.items(house.seen(run))[0].state is ItemState.SUCCEEDED
    assert house.items(house.seen(run))[0].attempt == 2


def test_a_job_pushed_twice_runs_once(open_practice: Callable[..., House], company: PracticeCompany) -> None:
    house = open_practice(only(company, "update", most=1))
    run = house.start(TO_FREEE)
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)
    relay.relay_once(house.ctx)
    (job,) = house.queue.take()
    house.do(job)
    writes = house.writes()
    house.do(job)
    assert house.writes() == writes
    house.work()
    assert house.seen(run).state is RunState.SUCCEEDED


def test_a_step_that_is_refused_does_not_keep_the_others_back(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "create", most=1))
    house.freee_injector.fault(method="PUT", path="/bank_account_rule", times=50, status=400, body=REFUSED)
    run = house.run(TO_FREEE)
    (item,) = house.items(run)
    assert item.state is ItemState.FAILED
    with house.ctx.unit_of_work() as uow:
        steps = {(step.step, step.state) for step in uow.steps.of_items([item.id])[item.id]}
    assert (Step.BANK_ACCOUNT, StepState.FAILED) in steps
    assert {(Step.CREATE, StepState.DONE), (Step.PROFILE, StepState.DONE)} <= steps
    house.freee_injector.clear_faults()
    again = house.run(TO_FREEE)
    assert house.item(again, item.employee_number).state is ItemState.SUCCEEDED
    assert numbers(house)[1][item.employee_number] == 1


REFUSED = {"status_code": 400, "errors": [{"type": "bad_request", "messages": ["口座番号を正しく入力してください。"]}]}


def test_a_fault_that_stays_ends_as_a_failure_of_this_employee_only(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "update", most=2))
    first, second = house.company.scenarios
    house.freee_injector.fault(method="PUT", path=f"/employees/{first.employee_id}", times=500, status=500, body="oops")
    run = house.run(TO_FREEE)
    states = house.states(run)
    assert states[first.crew_id or ""] is ItemState.FAILED
    assert states[second.crew_id or ""] is ItemState.SUCCEEDED
    assert run.state is RunState.PARTLY_FAILED


def test_a_limit_pauses_without_spending_attempts(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "update", most=1), MAX_ATTEMPTS="1")
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=3, status=429, body="")
    run = house.run(TO_FREEE)
    (item,) = house.items(run)
    assert item.state is ItemState.SUCCEEDED
    assert item.attempts_failed == 0
    assert any(key.startswith("freee:") and seconds >= 60 for key, seconds in house.limiter.closed)


def test_a_revoked_authorisation_holds_the_run_and_is_told_once(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "update", "equal"))
    house.freee.revoke_all_tokens()
    run = house.start(TO_FREEE)
    house.work(reconciling=False)
    assert house.seen(run).state is RunState.WAITING
    assert house.connection.needs_consent
    assert [mail.subject for mail in house.postbox.mails] == [
        "【要対応】freee人事労務の認可をやり直してください｜練習用の会社"
    ]
    house.clock.turn(hours=1)
    reconcile.reconcile_once(house.ctx)
    house.work(reconciling=False)
    assert house.seen(run).state is RunState.WAITING
    assert len(house.postbox.mails) == 1

    authorise_anew(house)
    house.work()
    assert house.seen(run).state is RunState.SUCCEEDED
    assert len(house.postbox.mails) == 2


def test_a_consent_that_never_comes_ends_the_run_at_its_deadline_with_a_mail(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "update"))
    house.freee.revoke_all_tokens()
    run = house.start(TO_FREEE)
    house.work(reconciling=False)
    house.clock.turn(hours=house.ctx.settings.run_deadline_hours + 1)
    reconcile.reconcile_once(house.ctx)
    house.work(reconciling=False)
    assert (house.seen(run).state, house.seen(run).error_code) == (RunState.FAILED, "deadline")
    assert len(house.postbox.mails) == 2


def authorise_anew(house: House) -> None:
    """freee's administrator has given the consent: a new pair from the practice freee."""
    now = house.clock.now()
    house.freee.desk.start_with("invented-access-2", "invented-refresh-2")
    tokens = FreeeTokens("invented-access-2", "invented-refresh-2", now + timedelta(hours=6))
    connection_id = house.connection.id
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_freee_tokens(connection_id, tokens, now=now)
        uow.recovery.push_lost_items(now, pushed_before=now, connection_id=connection_id)


# ── preview and approval ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_preview_writes_nothing_until_it_is_approved(house: House) -> None:
    preview = house.run(TO_FREEE, dry_run=True)
    assert preview.state is RunState.PREVIEWED
    assert house.writes() == 0
    assert house.postbox.mails == []
    planned = [item for item in house.items(preview) if item.state is ItemState.WAITING]
    assert planned
    approve_retry_cancel.approve(house.ctx, preview.id, by="test")
    house.work()
    assert house.seen(preview).state is RunState.SUCCEEDED
    states = house.states(preview)
    assert {states[item.source_id or ""] for item in planned} == {ItemState.SUCCEEDED}
    assert len(house.postbox.mails) == 1


def test_somebody_edited_after_the_preview_is_not_written(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "update", most=2))
    preview = house.run(TO_FREEE, dry_run=True)
    edited, other = house.company.scenarios
    house.smarthr.edit(edited.crew_id or "", {"tel_number": "080-0000-9999"})
    before = house.freee.employee(edited.employee_id or 0, month=NOVEMBER)
    approve_retry_cancel.approve(house.ctx, preview.id, by="test")
    house.work()
    item = next(i for i in house.items(preview) if i.source_id == edited.crew_id)
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "approved_plan_changed")
    assert house.freee.employee(edited.employee_id or 0, month=NOVEMBER) == before
    assert house.states(preview)[other.crew_id or ""] is ItemState.SUCCEEDED


def test_a_repetition_after_a_first_write_is_still_the_approved_plan(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "create", most=1))
    preview = house.run(TO_FREEE, dry_run=True)
    approve_retry_cancel.approve(house.ctx, preview.id, by="test")
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=1, status=503, body="")
    house.work()
    (item,) = house.items(preview)
    assert item.state is ItemState.SUCCEEDED
    assert item.attempt == 2


def test_a_lost_answer_is_no_other_plan(open_practice: Callable[..., House], company: PracticeCompany) -> None:
    """An update that happened although its answer was lost: the repetition finds nothing left, and nothing to ask."""
    house = open_practice(only(company, "update", most=1))
    preview = house.run(TO_FREEE, dry_run=True)
    approve_retry_cancel.approve(house.ctx, preview.id, by="test")
    house.freee_injector.fault(method="PUT", path=".*", nth=1, cut=True, after=True)
    house.work()
    (item,) = house.items(preview)
    assert (item.state, item.error_code) == (ItemState.SUCCEEDED, None)
    with house.ctx.unit_of_work() as uow:
        assert {change.state for change in uow.changes.of_items([item.id])[item.id]} == {ChangeState.WRITTEN}


# ── what a token may not do ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("hidden", ["null", "absent"])
def test_what_the_token_may_not_see_overwrites_nothing(
    open_practice: Callable[..., House], company: PracticeCompany, hidden: str
) -> None:
    switches = {"hidden_attributes": ["tel_number", "bank_accounts"], "hidden_attribute": hidden}
    house = open_practice(only(company, "equal", "update"), smarthr_switches=switches)
    phones = {
        s.employee_id: house.freee.employee(s.employee_id, month=NOVEMBER)["profile_rule"]
        for s in house.company.scenarios
        if s.employee_id
    }
    house.run(TO_FREEE)
    for employee_id, before in phones.items():
        after = house.freee.employee(employee_id, month=NOVEMBER)["profile_rule"]
        if before is not None:
            assert [after[f"phone{i}"] for i in (1, 2, 3)] == [before[f"phone{i}"] for i in (1, 2, 3)]


def test_a_write_that_the_target_silently_leaves_out_is_told(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal"))
    scenario = next(
        s for s in house.company.scenarios if s.note and house.freee.employee(s.employee_id or 0)["profile_rule"]
    )
    house.freee.edit(scenario.employee_id or 0, {"profile_rule": {"phone1": "080", "phone2": "0000", "phone3": "7777"}})
    house.run(TO_SMARTHR, dry_run=True)
    house.smarthr_injector.set_switches({"hidden_write": "ignore"})
    house.smarthr_injector.fault(
        method="PATCH",
        path="/crews/",
        times=1,
        status=200,
        body=house.smarthr.crew(scenario.crew_id or ""),
    )
    run = house.run(TO_SMARTHR)
    item = next(i for i in house.items(run) if i.source_id == str(scenario.employee_id))
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "kept_by_target"), "no evidence about the token"
