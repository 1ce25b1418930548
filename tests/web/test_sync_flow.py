"""The flow people know, from the dashboard to the end, in both directions, with the practice company behind it."""

from __future__ import annotations

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState, RunState
from tests.house import KEY, House
from tests.web.application import application_on
from tests.web.visitor import Visitor, visitor

pytestmark = pytest.mark.reach("test")  # long journeys


def run_behind(visitor: Visitor) -> str:
    assert visitor.page is not None
    return visitor.page.request.path.split("/")[2]


@pytest.mark.parametrize("direction", list(Direction))
def test_from_the_dashboard_to_the_end(house: House, direction: Direction) -> None:
    member = visitor(house.ctx, application_on(house.ctx).test_client(), Role.MEMBER)
    assert f"/sync/{KEY}/{direction.value}" in member.open("/")
    member.open(f"/sync/{KEY}/{direction.value}")
    member.send(as_of_date=house.today.isoformat())
    assert "従業員情報を読み込んでいます" in member.words
    run_id = run_behind(member)
    house.work()
    assert house.writes() == 0
    member.open(f"/runs/{run_id}/people")
    ticks = [value for name, value in member.form("/choose").fields if name == "chosen"]
    assert len(ticks) > 3
    member.send("/choose", chosen=ticks[:3], press=("go", "confirm"))
    assert house.writes() == 0
    member.open(f"/runs/{run_id}/confirm/ask")
    member.send("/approve")
    house.work()
    with house.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(run_id)
        assert run is not None
        counts = uow.items.counts(run.id)
    assert counts[ItemState.SUCCEEDED] == 3 and ItemState.WAITING not in counts
    assert run.state is RunState.SUCCEEDED  # who could not be chosen only stands beside
    assert house.writes() > 0
    assert f"/runs/{run_id}" in member.open("/")


def test_search_finds_a_person_by_the_kana_of_the_source(house: House) -> None:
    member = visitor(house.ctx, application_on(house.ctx).test_client(), Role.MEMBER)
    member.open(f"/sync/{KEY}/smarthr_to_freee")
    member.send(as_of_date=house.today.isoformat())
    run_id = run_behind(member)
    house.work()
    crew = next(each for each in house.company.crews if each["emp_code"] == "0041")
    member.open(f"/runs/{run_id}/people?show=all&q={crew['last_name_yomi']}")
    assert ">0041<" in member.text
