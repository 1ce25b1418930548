"""The product is right under either position of each switch of both practice vendors: what they do not document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState, RunState
from app.practice.freee import practice_freee
from app.practice.smarthr import practice_smarthr
from app.practice.staff.practice_company import PracticeCompany
from app.practice.vendor_kit.fault_injection import Switch
from app.use_cases.shared.views import RunView
from app.use_cases.upkeep import reconcile
from tests.house import House, open_house
from tests.reach import thinned
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

STOPPED = {
    ("smarthr", "inactive_subdomain", True): "smarthr_subdomain_inactive",
    ("smarthr", "ip_not_permitted", True): "ip_not_permitted",
    ("smarthr", "token_revoked", True): "E18",
    ("freee", "ip_restriction", True): "E3",
    ("freee", "maintenance", True): "E22",
    ("freee", "role", "self_only"): "E19",
    ("freee", "role", "custom-jinji"): "E19",
}
"""Switches that let nothing through, and the code the run ends with."""
HELD = [("freee", "missing_permission", True), ("freee", "missing_permission", "reauthorize")]
"""Switches that let nothing through until a person has authorised anew."""
NOT_CREATED = {("smarthr", "plan_limit", True): "plan_limit"}
"""Switches that refuse new people only, and the code these end with."""
PATIENT = ("smarthr", "maintenance", True)


def others(switch: Switch) -> list[Any]:
    """The positions a switch has beside its default. How webhooks are sent does not matter to a run by hand.

    Of a switch that takes any number in a range: the smallest, which bites most.
    """
    if switch.name.startswith("webhook_"):
        return []
    positions = [position for position in switch.allowed or () if position != switch.default]
    return positions[:1] if isinstance(switch.allowed, range) else positions


POSITIONS = [
    *[("smarthr", switch.name, position) for switch in practice_smarthr.SWITCHES for position in others(switch)],
    *[("freee", switch.name, position) for switch in practice_freee.SWITCHES for position in others(switch)],
]


@pytest.fixture(scope="module")
def people(company: PracticeCompany) -> PracticeCompany:
    """A few of each kind."""
    return only(company, "update", "create", "equal", "review", "fail", "", most=2)


Ends = dict[str, tuple[ItemState, str | None]]


def ends(house: House, run: RunView) -> Ends:
    return {item.source_id or "": (item.state, item.error_code) for item in house.items(run)}


@pytest.fixture(scope="module")
def planned(people: PracticeCompany, tmp_path_factory: pytest.TempPathFactory) -> dict[Direction, Ends]:
    """How everybody ends with every switch at its default (which `test_job` checks against the stories)."""
    found: dict[Direction, Ends] = {}
    for direction in Direction:
        house = open_house(tmp_path_factory.mktemp("default"), people)
        found[direction] = ends(house, house.run(direction))
        house.close()
    return found


@pytest.mark.few(4)
@pytest.mark.parametrize(
    ("at", "direction"),
    thinned(2, [at for at in POSITIONS if at not in STOPPED and at not in HELD and at != PATIENT], Direction),
    ids=str,
)
def test_a_run_ends_as_planned_and_the_next_one_writes_nothing(
    open_practice: Callable[..., House],
    people: PracticeCompany,
    planned: dict[Direction, Ends],
    at: tuple[str, str, Any],
    direction: Direction,
) -> None:
    vendor, name, position = at
    house = open_practice(people, **{f"{vendor}_switches": {name: position}})
    run = house.run(direction)
    expected = dict(planned[direction])
    if at in NOT_CREATED and direction.target.value == vendor:
        created = {item.source_id for item in house.items(run) if item.kind == "create"}
        assert created
        expected |= {person: (ItemState.FAILED, NOT_CREATED[at]) for person in created if person}
    assert ends(house, run) == expected
    accepted = sum(r.method != "GET" and r.status < 300 for r in requests_of(house, direction))
    again = house.run(direction)
    assert ItemState.SUCCEEDED not in house.states(again).values()
    assert sum(r.method != "GET" and r.status < 300 for r in requests_of(house, direction)) == accepted > 0


def requests_of(house: House, direction: Direction) -> list[Any]:
    """What the target was asked."""
    injector = house.smarthr_injector if direction is Direction.FREEE_TO_SMARTHR else house.freee_injector
    return [request for request in injector.requests if "/public_api/" not in request.path]


@pytest.mark.few(3)
@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("at", list(STOPPED), ids=str)
def test_a_run_that_cannot_work_says_why_and_writes_nothing(
    open_practice: Callable[..., House], company: PracticeCompany, at: tuple[str, str, Any], direction: Direction
) -> None:
    vendor, name, position = at
    house = open_practice(only(company, "update", most=2), **{f"{vendor}_switches": {name: position}})
    run = house.run(direction)
    assert (run.state, run.error_code) == (RunState.FAILED, STOPPED[at])
    assert house.writes() == 0
    assert len(house.postbox.mails) == 1


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("at", HELD, ids=str)
def test_a_run_waits_for_a_consent_and_writes_nothing(
    open_practice: Callable[..., House], company: PracticeCompany, at: tuple[str, str, Any], direction: Direction
) -> None:
    vendor, name, position = at
    house = open_practice(only(company, "update", most=2), **{f"{vendor}_switches": {name: position}})
    run = house.start(direction)
    house.work(reconciling=False)
    assert house.seen(run).finished_at is None
    assert house.connection.needs_consent
    assert house.writes() == 0
    assert len(house.postbox.mails) == 1


@pytest.mark.parametrize("direction", list(Direction))
def test_a_run_waits_for_the_end_of_an_announced_maintenance(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction
) -> None:
    house = open_practice(only(company, "update", most=2), smarthr_switches={"maintenance": True})
    run = house.start(direction)
    house.work(reconciling=False)
    for _ in range(20):
        house.clock.turn(minutes=5)
        reconcile.reconcile_once(house.ctx)
        house.work(reconciling=False)
    assert house.seen(run).state is RunState.WAITING
    house.smarthr_injector.set_switch("maintenance", False)
    house.work()
    assert house.seen(run).state is RunState.SUCCEEDED
