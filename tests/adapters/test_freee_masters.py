"""The names of 締め日支払い日 groups, read from the people who have them: all of a small company, a bounded part of a
large one."""

from __future__ import annotations

from app.adapters.freee.client import PAGE
from app.practice.staff.practice_company import GROUPS
from tests.adapters.freee_world import TODAY, freee_world

NAMES = {each["name"] for each in GROUPS}


def test_the_groups_that_somebody_has() -> None:
    with freee_world() as world:
        names, complete = world.gateway().known_pay_schedules(as_of_date=TODAY, pages=5)
    assert complete and names and names <= NAMES and "" not in names


def test_of_a_large_company_so_many_pages_and_no_more() -> None:
    with freee_world(extra=3 * PAGE) as world:
        gateway = world.gateway()
        before = gateway.calls
        names, complete = gateway.known_pay_schedules(as_of_date=TODAY, pages=2)
        assert gateway.calls - before == 2 and not complete and names <= NAMES
        assert gateway.known_pay_schedules(as_of_date=TODAY, pages=9)[1]
