"""How often the job of one employee asks the database, and how often it waits for the disk: an upper bound, so that no
change makes everybody's job dearer without being seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.upkeep import relay
from tests.bench.work import Cost, Meter
from tests.house import House
from tests.use_cases.test_job import only

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


def cost_of_one(house: House, direction: Direction) -> Cost:
    """What the first of two jobs of a run costs; the second one closes the run."""
    run = house.start(direction)
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)
    relay.relay_once(house.ctx)
    job, _ = house.queue.take()
    with Meter(house.database.engine).measured() as cost:
        house.do(job)
    assert [item.state for item in house.items(run)].count(ItemState.SUCCEEDED) == 1
    return cost


@pytest.mark.parametrize("direction", list(Direction))
def test_one_request_waits_three_times_for_the_disk(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction
) -> None:
    """For the claim, for the request that is about to leave, and for the outcome."""
    house = open_practice(only(company, "equal", most=2))
    house.run(TO_FREEE)
    for scenario in house.company.scenarios:
        if direction is TO_FREEE:
            house.smarthr.edit(scenario.crew_id or "", {"tel_number": "080-0000-1234"})
        else:
            phone = {"phone1": "080", "phone2": "0000", "phone3": "1234"}
            house.freee.edit(scenario.employee_id or 0, {"profile_rule": phone})
    cost = cost_of_one(house, direction)
    assert cost.commits <= 3
    assert cost.transactions <= 7
    assert cost.statements <= 28, cost.texts
    assert sum(count for text, count in cost.texts.items() if "freee_access_token_enc" in text) == 1, "both tokens once"
