"""The sweep: what no webhook has told is found and repaired by policy, and nobody is bothered about the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.domain.enums import Direction, Trigger
from app.domain.runs.dates import JAPAN
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic, ConflictPolicy
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.practice.staff.scenarios import Scenario
from app.use_cases.queries import history
from app.use_cases.shared.views import RunView
from app.use_cases.survey.sweep import request_sweep, sweep_due
from tests.house import House
from tests.reach import thinned
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
SMARTHR_PHONE, FREEE_PHONE = "080-0000-9999", "090-0000-8888"


def at(house: House, day: date, hour: int = 12, minute: int = 0) -> None:
    """Turn the clock to this time of day in Japan."""
    house.clock.instant = datetime(day.year, day.month, day.day, hour, minute, tzinfo=JAPAN).astimezone(UTC)


def settle(house: House, **options: Any) -> None:
    """At noon of the company's day, syncing by itself with these options of the connection."""
    at(house, house.today)
    with house.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key("renshu")
        assert connection is not None
        uow.connections.set_options(replace(connection, **{"automatic": Automatic.BOTH, **options}))


def scheduled(house: House) -> list[RunView]:
    """All runs of sweeps, the oldest first."""
    runs = history.list_runs(house.ctx, limit=100).items
    return [run for run in reversed(runs) if run.trigger is Trigger.SCHEDULE]


def tick(house: House) -> list[RunView]:
    """What the timetable does until no sweep is due any more; the runs this made."""
    before = len(scheduled(house))
    while sweep_due(house.ctx):
        house.work()
    return scheduled(house)[before:]


def sweep(house: House) -> list[RunView]:
    """A whole sweep, now."""
    house.clock.turn(minutes=6)
    request_sweep(house.ctx, house.connection.id)
    return tick(house)


def person(house: House) -> Scenario:
    """Somebody who is equal on both sides."""
    return next(s for s in house.company.scenarios if s.to_freee == "equal" and s.crew_id and s.employee_id)


def set_smarthr_phone(house: House, scenario: Scenario, phone: str = SMARTHR_PHONE) -> None:
    house.smarthr.edit(scenario.crew_id or "", {"tel_number": phone})


def set_freee_phone(house: House, scenario: Scenario, phone: str = FREEE_PHONE) -> None:
    parts = dict(zip(("phone1", "phone2", "phone3"), phone.split("-"), strict=True))
    house.freee.edit(scenario.employee_id or 0, {"profile_rule": parts})


def phones(house: House, scenario: Scenario) -> tuple[str, str]:
    """(SmartHR's, freee's)."""
    profile = house.freee.employee(scenario.employee_id or 0, month=(house.today.year, house.today.month))[
        "profile_rule"
    ]
    freee = "-".join(profile[f"phone{part}"] for part in (1, 2, 3))
    return house.smarthr.crew(scenario.crew_id or "")["tel_number"], freee


@pytest.fixture
def equals(company: PracticeCompany) -> PracticeCompany:
    return only(company, "equal", most=6)


# ── drift ─────────────────────────────────────────────────────────────────────────────────────────────────────────


WAYS = [
    (Automatic.SMARTHR_TO_FREEE, set_smarthr_phone, SMARTHR_PHONE),
    (Automatic.FREEE_TO_SMARTHR, set_freee_phone, FREEE_PHONE),
    (Automatic.BOTH, set_smarthr_phone, SMARTHR_PHONE),
    (Automatic.BOTH, set_freee_phone, FREEE_PHONE),
]


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("way", "policy"),
    thinned(3, WAYS, [ConflictPolicy.SMARTHR_WINS, ConflictPolicy.FREEE_WINS, ConflictPolicy.HOLD]),
)
def test_what_one_side_changed_without_a_webhook_is_on_the_other_side_after_one_sweep(
    open_practice: Callable[..., House],
    equals: PracticeCompany,
    way: tuple[Automatic, Callable[[House, Scenario], None], str],
    policy: ConflictPolicy,
) -> None:
    automatic, edit, phone = way
    house = open_practice(equals)
    settle(house, automatic=automatic, conflict_policy=policy)
    sweep(house)
    scenario = person(house)
    edit(house, scenario)
    runs = sweep(house)
    assert phones(house, scenario) == (phone, phone)
    assert [run.direction for run in runs] == list(automatic.directions)
    ends = Counter(item.state for run in runs for item in house.items(run))
    assert ends == {ItemState.SUCCEEDED: 1}
    assert all(run.state is RunState.SUCCEEDED for run in runs)
    assert len(house.postbox.mails) == 1, "the one run that changed something mails"
    writes = house.writes()
    assert all(not house.items(run) for run in sweep(house))
    assert house.writes() == writes


@pytest.mark.parametrize(
    ("policy", "phone"),
    [(ConflictPolicy.SMARTHR_WINS, SMARTHR_PHONE), (ConflictPolicy.FREEE_WINS, FREEE_PHONE)],
)
def test_where_both_sides_changed_the_policy_says_who_wins(
    open_practice: Callable[..., House], equals: PracticeCompany, policy: ConflictPolicy, phone: str
) -> None:
    house = open_practice(equals)
    settle(house, conflict_policy=policy)
    sweep(house)
    scenario = person(house)
    set_smarthr_phone(house, scenario)
    set_freee_phone(house, scenario)
    sweep(house)
    assert phones(house, scenario) == (phone, phone)


def test_what_is_to_be_held_is_held_and_told_once(open_practice: Callable[..., House], equals: PracticeCompany) -> None:
    house = open_practice(equals)
    settle(house, conflict_policy=ConflictPolicy.HOLD)
    sweep(house)
    scenario = person(house)
    set_smarthr_phone(house, scenario)
    set_freee_phone(house, scenario)
    runs = sweep(house)
    assert phones(house, scenario) == (SMARTHR_PHONE, FREEE_PHONE)
    assert [[item.state for item in house.items(run)] for run in runs] == [[ItemState.CONFLICT]] * 2
    mails = len(house.postbox.mails)
    assert mails == 2
    sweep(house)
    assert len(house.postbox.mails) == mails, "an hour later nothing about it is new"


def test_one_direction_leaves_what_the_target_changed(
    open_practice: Callable[..., House], equals: PracticeCompany
) -> None:
    house = open_practice(equals)
    settle(house, automatic=Automatic.SMARTHR_TO_FREEE, conflict_policy=ConflictPolicy.HOLD)
    sweep(house)
    scenario = person(house)
    set_freee_phone(house, scenario)
    (run,) = sweep(house)
    assert phones(house, scenario)[1] == FREEE_PHONE
    assert (run.counts, house.items(run)) == ({ItemState.UNCHANGED: 6}, [])


# ── nothing to do ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.reach("all")  # test_job has a thousand people in `make check`
def test_a_thousand_people_nobody_changed_cost_a_few_dozen_calls_and_no_row(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    everybody = only(build_company(company.today, extra=1000, equal_share=1.0), "equal")
    house = open_practice(everybody, FREEE_WEBHOOK_TOKEN="an-invented-token")
    people = len(everybody.scenarios)
    settle(house)
    connection_id = house.connection.id
    with house.ctx.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(connection_id, "an-invented-secret", previous_until=house.clock.now())
    sweep(house)
    calls = house.calls()
    runs = sweep(house)
    assert len(runs) == 2
    assert house.calls() - calls <= 36 * len(runs)
    for run in runs:
        assert (run.state, run.counts, run.missed) == (RunState.SUCCEEDED, {ItemState.UNCHANGED: people}, 0)
        assert (run.progress.done, run.progress.total) == (people, people)
        assert run.mail_state == "skipped"
        assert house.items(run) == []


def test_a_company_without_anybody_is_compared_with_success(open_practice: Callable[..., House]) -> None:
    house = open_practice(only(build_company(date(2026, 11, 11)), "nobody"))
    settle(house, automatic=Automatic.SMARTHR_TO_FREEE)
    (run,) = sweep(house)
    assert (run.state, run.counts) == (RunState.SUCCEEDED, {})
    assert house.postbox.mails == []


# ── their day ─────────────────────────────────────────────────────────────────────────────────────────────────────


def newcomer(house: House, day: date) -> str:
    """A crew like the others, hired on that day, whom no webhook tells of. Returns the id."""
    like = house.company.crews[0]
    record = {name: value for name, value in like.items() if name not in ("id", "resigned_at")}
    own = {"emp_code": "9901", "entered_at": day.isoformat(), "birth_at": "1999-05-05"}
    names = {"last_name_yomi": "シンジン", "first_name_yomi": "タロウ", "last_name": "新人", "first_name": "太郎"}
    return house.smarthr.add({**record, **own, **names})


def test_somebody_who_joins_next_monday_is_created_by_the_first_sweep_of_that_day(
    open_practice: Callable[..., House], equals: PracticeCompany
) -> None:
    house = open_practice(equals)
    settle(house, automatic=Automatic.SMARTHR_TO_FREEE)
    monday = house.today + timedelta(days=7 - house.today.weekday())
    crew_id = newcomer(house, monday)
    for day in range((monday - house.today).days):
        at(house, house.today + timedelta(days=day), hour=20)
        (run,) = sweep(house)
        assert (house.items(run), run.state) == ([], RunState.SUCCEEDED), "not there yet is nothing to tell"
    at(house, monday - timedelta(days=1), hour=23, minute=40)
    sweep(house)
    assert house.freee.ids_by_num("9901") == []
    at(house, monday, hour=0, minute=39)
    assert tick(house) == [], "less than an hour after the last one, and SmartHR has not begun its day"
    at(house, monday, hour=1, minute=11)
    (run,) = tick(house)
    assert run.as_of_date == monday
    assert house.states(run) == {crew_id: ItemState.SUCCEEDED}
    assert len(house.freee.ids_by_num("9901")) == 1


def test_the_night_has_its_hourly_sweeps_and_the_day_its_own(
    open_practice: Callable[..., House], equals: PracticeCompany
) -> None:
    house = open_practice(equals)
    settle(house, automatic=Automatic.SMARTHR_TO_FREEE)
    tick(house)
    tomorrow = house.today + timedelta(days=1)
    at(house, tomorrow, hour=0, minute=30)
    assert len(tick(house)) == 1
    at(house, tomorrow, hour=1, minute=9)
    assert tick(house) == []
    at(house, tomorrow, hour=1, minute=10)
    assert len(tick(house)) == 1
    at(house, tomorrow, hour=1, minute=40)
    assert tick(house) == []


@pytest.mark.parametrize("automatic", [Automatic.SMARTHR_TO_FREEE, Automatic.BOTH])
def test_a_leaver_entered_late_is_brought_over_once_and_never_mentioned_again(
    open_practice: Callable[..., House], equals: PracticeCompany, automatic: Automatic
) -> None:
    house = open_practice(equals)
    settle(house, automatic=automatic)
    sweep(house)
    scenario = person(house)
    left = (house.today - timedelta(days=3)).isoformat()
    house.smarthr.edit(scenario.crew_id or "", {"resigned_at": left, "emp_status": "retired"})
    runs = sweep(house)
    assert house.freee.employee(scenario.employee_id or 0, month=(2026, 11))["retire_date"] == left
    assert house.states(runs[0]) == {scenario.crew_id: ItemState.SUCCEEDED}
    assert {frozenset(run.counts.items()) for run in sweep(house)} == {frozenset({(ItemState.UNCHANGED, 6)})}
    at(house, date(2026, 12, 10))
    for run in sweep(house):
        assert (house.items(run), run.state) == ([], RunState.SUCCEEDED)


@pytest.mark.parametrize("automatic", [Automatic.FREEE_TO_SMARTHR, Automatic.BOTH])
def test_a_leaver_whom_freee_hides_already_still_arrives_in_smarthr(
    open_practice: Callable[..., House], company: PracticeCompany, automatic: Automatic
) -> None:
    house = open_practice(only(company, "equal"))  # one of them has a 退職年月日, so that the token is known to see it
    settle(house, automatic=automatic)
    sweep(house)
    scenario = person(house)
    at(house, date(2026, 12, 10))
    house.freee.edit(scenario.employee_id or 0, {"retire_date": "2026-11-30"})
    runs = sweep(house)
    crew = house.smarthr.crew(scenario.crew_id or "")
    assert (crew["resigned_at"], crew["emp_status"]) == ("2026-11-30", "retired")
    assert [house.states(run) for run in runs if house.items(run)] == [{str(scenario.employee_id): ItemState.SUCCEEDED}]
    assert all(not house.items(run) for run in sweep(house))


def test_being_absent_from_freees_monthly_list_is_no_deletion(
    open_practice: Callable[..., House], equals: PracticeCompany
) -> None:
    """That list leaves out who joins later and who has left."""
    house = open_practice(equals)
    settle(house)
    sweep(house)
    scenario = person(house)
    for day in ("2026-10-31", None):
        house.smarthr.edit(scenario.crew_id or "", {"resigned_at": day})
        house.freee.edit(scenario.employee_id or 0, {"retire_date": day})
        for run in sweep(house):
            assert house.items(run) == []
        connection_id = house.connection.id
        with house.ctx.unit_of_work() as uow:
            assert scenario.crew_id in {link.smarthr_id for link in uow.links.for_connection(connection_id)}
            assert uow.links.broken(connection_id) == []


# ── when ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.sql
def test_one_direction_after_the_other_and_never_two_at_once(
    open_practice: Callable[..., House], equals: PracticeCompany
) -> None:
    house = open_practice(equals)
    settle(house)
    assert [sweep_due(house.ctx), sweep_due(house.ctx)] == [1, 0]
    assert [run.direction for run in scheduled(house)] == [TO_FREEE]
    request_sweep(house.ctx, house.connection.id)
    assert sweep_due(house.ctx) == 0, "asked for while one is under way: afterwards"
    house.work()
    assert len(tick(house)) >= 2
    directions = [run.direction for run in scheduled(house)]
    assert directions[-2:] == [TO_FREEE, TO_SMARTHR]
    assert tick(house) == []


@pytest.mark.sql
def test_after_the_interval_of_the_connection_or_of_the_settings(
    open_practice: Callable[..., House], equals: PracticeCompany
) -> None:
    house = open_practice(equals, SWEEP_MINUTES="30")
    settle(house, automatic=Automatic.FREEE_TO_SMARTHR)
    assert len(tick(house)) == 1
    house.clock.turn(minutes=28)
    assert tick(house) == []
    house.clock.turn(minutes=2)
    assert len(tick(house)) == 1
    settle_again = replace(house.connection, sweep_minutes=5)
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_options(settle_again)
    house.clock.turn(minutes=5)
    assert len(tick(house)) == 1


@pytest.mark.parametrize("state", ["off", "paused", "needs_consent"])
def test_a_connection_that_takes_no_automatic_work_is_not_swept(
    open_practice: Callable[..., House], equals: PracticeCompany, state: str
) -> None:
    house = open_practice(equals)
    settle(house, automatic=Automatic.OFF if state == "off" else Automatic.BOTH)
    connection_id = house.connection.id
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_paused(connection_id, state == "paused")
        uow.connections.set_needs_consent(connection_id, state == "needs_consent")
    request_sweep(house.ctx, connection_id)
    assert tick(house) == []


@pytest.mark.sql
def test_one_process_leads(open_practice: Callable[..., House], equals: PracticeCompany) -> None:
    house = open_practice(equals)
    settle(house)
    with house.ctx.unit_of_work() as uow:
        now = house.clock.now()
        assert uow.leader.take("sweeper", holder="another", now=now, lease_until=now + timedelta(seconds=90))
    assert sweep_due(house.ctx) == 0
    house.clock.turn(seconds=91)
    assert sweep_due(house.ctx) == 1


# ── quarantine ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.sql
def test_who_fails_again_and_again_is_left_alone_until_something_is_another(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", "fail", most=2), QUARANTINE_AFTER="2")
    settle(house, automatic=Automatic.SMARTHR_TO_FREEE)
    failing = {s.crew_id for s in house.company.scenarios if s.to_freee.startswith("fail")}
    assert len(failing) == 2
    seen = [sweep(house)[0] for _ in range(4)]
    assert [set(house.states(run)) for run in seen] == [failing, failing, set(), set()]
    assert len(house.postbox.mails) == 1
    scenario = next(s for s in house.company.scenarios if s.to_freee.startswith("fail"))
    set_smarthr_phone(house, scenario)
    (run,) = sweep(house)
    assert set(house.states(run)) == {scenario.crew_id}
    (again,) = sweep(house)
    assert house.states(again) == {}


def test_an_answered_question_lifts_a_quarantine_although_the_person_is_as_before(
    open_practice: Callable[..., House], equals: PracticeCompany
) -> None:
    house = open_practice(equals, QUARANTINE_AFTER="1")
    one, other = [s for s in house.company.scenarios if s.crew_id][:2]
    house.smarthr.edit(other.crew_id or "", {"emp_code": one.number})
    settle(house, automatic=Automatic.SMARTHR_TO_FREEE)
    (run,) = sweep(house)
    assert set(house.states(run)) == {one.crew_id, other.crew_id}
    (run,) = sweep(house)
    assert house.states(run) == {}
    house.smarthr.edit(other.crew_id or "", {"emp_code": other.number})
    (run,) = sweep(house)
    assert (house.states(run), run.counts) == ({}, {ItemState.UNCHANGED: 6})
    connection_id = house.connection.id
    with house.ctx.unit_of_work() as uow:
        assert uow.troubles.of_connection(connection_id) == []
