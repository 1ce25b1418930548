"""Links by hand after a deletion: nothing happens by itself until a person has decided."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.domain.enums import Direction
from app.domain.errors import Refused
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic, ConflictPolicy
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.links import decide
from tests.house import KEY, House
from tests.listening import FREEE_TOKEN, automatic, listening, settle
from tests.use_cases.test_job import only
from tests.use_cases.test_two_way import all_items, in_freee, somebody

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE = Direction.SMARTHR_TO_FREEE


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    house = open_practice(only(company, "equal", most=6), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE)
    return house


@pytest.fixture
def broken(house: House) -> tuple[str, int]:
    """A pair whose freee employee was deleted."""
    crew, employee = somebody(house)
    with listening(house, Automatic.BOTH):
        house.freee.remove(employee)
        settle(house)
    automatic(house, Automatic.OFF)
    return crew, employee


def refusal(house: House, crew: str, employee: int) -> str:
    with pytest.raises(Refused) as caught:
        decide.join(house.ctx, KEY, smarthr_id=crew, freee_id=str(employee), by="test")
    return caught.value.code


def test_what_waits_for_a_decision_is_listed(house: House, broken: tuple[str, int]) -> None:
    (pair,) = decide.broken_links(house.ctx, KEY)
    assert (pair.smarthr_id, pair.freee_id) == (broken[0], str(broken[1]))
    assert pair.smarthr_number == house.smarthr.crew(broken[0])["emp_code"]
    assert pair.deleted_in.label == "freee人事労務"


def test_a_manual_run_asks_as_well(house: House, broken: tuple[str, int]) -> None:
    run = house.run(TO_FREEE)
    (item,) = [item for item in house.items(run) if item.source_id == broken[0]]
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "E20")


def test_released_the_person_is_created_again(house: House, broken: tuple[str, int]) -> None:
    crew, employee = broken
    decide.release(house.ctx, KEY, smarthr_id=crew, freee_id=str(employee), by="test")
    assert decide.broken_links(house.ctx, KEY) == []
    house.run(TO_FREEE)
    assert len(house.freee.ids_by_num(house.smarthr.crew(crew)["emp_code"])) == 1


def test_joined_with_somebody_else_the_sync_goes_on(house: House, broken: tuple[str, int]) -> None:
    crew, _ = broken
    record = house.smarthr.crew(crew)
    again = house.freee.add(
        {
            "num": record["emp_code"],
            "entry_date": record["entered_at"],
            "birth_date": record["birth_at"],
            "profile_rule": {"last_name": record["last_name"], "first_name": "昔"},
        }
    )
    with listening(house, Automatic.SMARTHR_TO_FREEE, conflict_policy=ConflictPolicy.SMARTHR_WINS):
        decide.join(house.ctx, KEY, smarthr_id=crew, freee_id=str(again), by="test")
        settle(house)
        house.smarthr.edit(crew, {"first_name": "新次郎"})
        settle(house)
    assert decide.broken_links(house.ctx, KEY) == []
    assert {item.source_id for item in all_items(house) if item.target_id == str(again)} == {crew}
    assert in_freee(house, again)["profile_rule"]["first_name"] == "新次郎"


def test_only_people_who_are_there_and_free_are_joined(house: House, broken: tuple[str, int]) -> None:
    crew, employee = broken
    other_crew, other_employee = somebody(house)
    assert refusal(house, crew, employee) == "unknown_employee"
    assert refusal(house, "nobody", other_employee) == "unknown_employee"
    assert refusal(house, crew, other_employee) == "already_linked"
    assert refusal(house, other_crew, other_employee) == "already_linked"


def test_a_wrong_link_is_cut_and_nothing_is_written(house: House) -> None:
    crew, employee = somebody(house)
    writes = house.writes()
    decide.cut(house.ctx, KEY, smarthr_id=crew, by="test")
    with house.ctx.unit_of_work() as uow:
        assert crew not in {link.smarthr_id for link in uow.links.for_connection(house.connection.id)}
    assert (house.writes(), decide.broken_links(house.ctx, KEY)) == (writes, [])
    with pytest.raises(Refused) as caught:
        decide.cut(house.ctx, KEY, smarthr_id=crew, by="test")
    assert caught.value.code == "not_linked"
    with pytest.raises(Refused) as caught:
        decide.release(house.ctx, KEY, smarthr_id=crew, freee_id=str(employee), by="test")
    assert caught.value.code == "no_broken_link"
