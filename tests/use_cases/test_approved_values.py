"""What is left to write of an approved plan, after a first write, has to be what was approved: key by key and value by
value."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.shared.views import RunView
from app.use_cases.upkeep import relay
from tests.house import House
from tests.use_cases.test_job import NOVEMBER, only


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    return open_practice(only(company, "equal", most=2))


def written_halfway(house: House) -> RunView:
    """A preview of two changes of one person each, approved for the first person, of whose two writes the second one
    failed."""
    for scenario in house.company.scenarios:
        house.smarthr.edit(scenario.crew_id or "", {"birth_at": "1985-05-05", "tel_number": "080-0000-1111"})
    preview = house.run(Direction.SMARTHR_TO_FREEE, dry_run=True)
    approve_retry_cancel.approve(house.ctx, preview.id, by="test", employees=[str(house.company.scenarios[0].number)])
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=1, status=503, body="")
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)
    item = house.item(preview, str(house.company.scenarios[0].number))
    assert (item.state, item.attempt) == (ItemState.WAITING, 1)
    assert freee_of(house)["birth_date"] == "1985-05-05"
    return preview


def freee_of(house: House) -> dict[str, object]:
    return house.freee.employee(house.company.scenarios[0].employee_id or 0, month=NOVEMBER)


def phone(house: House) -> str:
    profile = freee_of(house)["profile_rule"]
    assert isinstance(profile, dict)
    return "-".join(profile[f"phone{n}"] for n in (1, 2, 3))


def test_the_approved_value_is_written_by_the_repetition(house: House) -> None:
    preview = written_halfway(house)
    house.work()
    assert house.item(preview, str(house.company.scenarios[0].number)).state is ItemState.SUCCEEDED
    assert phone(house) == "080-0000-1111"


def test_another_value_of_an_approved_item_is_asked_about_and_not_written(house: House) -> None:
    preview, before = written_halfway(house), phone(house)
    house.smarthr.edit(house.company.scenarios[0].crew_id or "", {"tel_number": "080-0000-2222"})
    house.work()
    item = house.item(preview, str(house.company.scenarios[0].number))
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "approved_plan_changed")
    assert phone(house) == before


def test_an_item_that_was_not_approved_is_asked_about_and_not_written(house: House) -> None:
    preview, before = written_halfway(house), freee_of(house)["profile_rule"]
    house.smarthr.edit(house.company.scenarios[0].crew_id or "", {"first_name": "改名"})
    house.work()
    item = house.item(preview, str(house.company.scenarios[0].number))
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "approved_plan_changed")
    assert freee_of(house)["profile_rule"] == before
