"""Which webhooks were missed: who has other values than at the survey before, and nobody has said so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from app.domain.enums import Direction, System
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.storage.automatic.rows import NewDelivery
from app.storage.enums import DeliveryState
from app.storage.metrics.counters import labels
from app.use_cases.intake.offered import offered_employees
from app.use_cases.shared.views import RunView
from tests.house import House
from tests.use_cases.test_job import only
from tests.use_cases.test_sweep import at, newcomer, person, set_freee_phone, set_smarthr_phone, settle, sweep

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE = Direction.SMARTHR_TO_FREEE


@pytest.fixture
def told(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """A house that both systems tell of their changes, compared once."""
    house = open_practice(only(company, "equal", most=6), FREEE_WEBHOOK_TOKEN="an-invented-token")
    settle(house)
    connection_id = house.connection.id
    with house.ctx.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(connection_id, "an-invented-secret", previous_until=house.clock.now())
    assert missed(house, sweep(house)) == [], "what was never seen before cannot have been missed"
    return house


def missed(house: House, runs: list[RunView]) -> list[tuple[str, str]]:
    """(system, id) as the runs keep them."""
    found = []
    for run in runs:
        with house.ctx.unit_of_work() as uow:
            row = uow.runs.get_by_public_id(run.id)
        assert row is not None
        assert run.missed == len(row.missed or [])
        found += [(each["system"], each["id"]) for each in row.missed or []]
    return found


def tallies(house: House) -> dict[str, int]:
    """System → what /metrics counts."""
    with house.ctx.unit_of_work() as uow:
        counted = uow.counters.all().get("missed_webhooks", {})
    connection = str(house.connection.id)
    return {system.value: counted.get(labels(connection=connection, system=system.value), 0) for system in System}


def deliver(house: House, system: System, person_id: str, **ago: float) -> None:
    connection_id = house.connection.id
    with house.ctx.unit_of_work() as uow:
        uow.deliveries.add_many(
            [
                NewDelivery(
                    system=system,
                    connection_id=connection_id,
                    event="updated",
                    dedup=None,
                    digest="d",
                    state=DeliveryState.IGNORED,
                    people=(person_id,),
                    received_at=house.clock.now() - timedelta(**ago),
                )
            ]
        )


def test_who_changed_without_a_webhook_is_named_and_counted_once(told: House) -> None:
    scenario, other = [s for s in told.company.scenarios if s.crew_id and s.employee_id][:2]
    set_smarthr_phone(told, scenario)
    set_freee_phone(told, other)
    told.clock.turn(minutes=60)
    expected = [("freee", str(other.employee_id)), ("smarthr", str(scenario.crew_id))]
    assert sorted(missed(told, sweep(told))) == expected
    assert tallies(told) == {"smarthr": 1, "freee": 1}
    told.clock.turn(minutes=60)
    assert missed(told, sweep(told)) == [], "seen now; and the repairs were our own writes"
    assert tallies(told) == {"smarthr": 1, "freee": 1}


def test_who_was_named_by_a_webhook_was_not_missed(told: House) -> None:
    scenario = person(told)
    set_smarthr_phone(told, scenario)
    told.clock.turn(minutes=60)
    deliver(told, System.SMARTHR, scenario.crew_id or "", minutes=50)
    assert missed(told, sweep(told)) == []


@pytest.mark.parametrize(
    ("system", "minutes"), [(System.SMARTHR, 90), (System.FREEE, 50)], ids=["an old one", "the other system's"]
)
def test_another_webhook_is_none_for_this_change(told: House, system: System, minutes: float) -> None:
    scenario = person(told)
    told.clock.turn(minutes=60)
    deliver(told, system, scenario.crew_id or "", minutes=minutes)
    set_smarthr_phone(told, scenario)
    assert missed(told, sweep(told)) == [("smarthr", scenario.crew_id)]


def test_a_newcomer_nobody_told_of_was_missed(told: House) -> None:
    crew_id = newcomer(told, told.today)
    assert missed(told, sweep(told)) == [("smarthr", crew_id)]


def test_where_no_webhook_is_expected_none_is_missed(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", most=6))
    settle(house)
    sweep(house)
    set_smarthr_phone(house, person(house))
    set_freee_phone(house, house.company.scenarios[-1])
    assert missed(house, sweep(house)) == []
    assert tallies(house) == {"smarthr": 0, "freee": 0}


def test_a_manual_run_notices_as_well(told: House) -> None:
    scenario = person(told)
    set_freee_phone(told, scenario)
    run = told.run(TO_FREEE, as_of_date=told.today, dry_run=True)
    assert missed(told, [run]) == [("freee", str(scenario.employee_id))]


def test_a_listing_in_between_hides_nothing(told: House) -> None:
    scenario = person(told)
    set_smarthr_phone(told, scenario)
    offered_employees(told.ctx, told.connection.key, direction=TO_FREEE, as_of_date=told.today)
    assert missed(told, sweep(told)) == [("smarthr", scenario.crew_id)]


def test_the_next_month_of_freee_is_no_change_of_anybody(told: House) -> None:
    """What holds from December on was entered in November, when its webhook came."""
    settle(told, automatic=Automatic.FREEE_TO_SMARTHR)
    told.freee.edit(person(told).employee_id or 0, {"profile_rule": {"phone1": "070"}}, pay_month="2026-12")
    assert missed(told, sweep(told)) == []
    at(told, date(2026, 12, 5))
    assert missed(told, sweep(told)) == []
    assert tallies(told)["freee"] == 0
