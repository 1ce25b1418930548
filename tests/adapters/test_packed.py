"""Many people in little memory: what is packed opens to the same people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count

from app.adapters.packed import FEW, PackedPeople
from app.domain.employee import EmployeeRecord
from app.domain.ports import EmployeeGateway
from tests.adapters.freee_world import TODAY, freee_world
from tests.adapters.smarthr_world import open_world


def people_of(gateway: EmployeeGateway, rows: Sequence[dict[str, object]]) -> Sequence[EmployeeRecord]:
    return gateway.assemble(json.loads(json.dumps(rows)), as_of_date=TODAY)


def kept(gateway: EmployeeGateway) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    cursor = None
    for _ in count():
        page = gateway.survey_page(cursor, as_of_date=TODAY)
        rows += [dict(each) for each in page.kept]
        cursor = page.next_cursor
        if cursor is None:
            return rows
    raise AssertionError


def check(gateway: EmployeeGateway, rows: list[dict[str, object]], *, parts: int) -> None:
    """What is made of all rows at once, most of them packed, is what is made of the same people few at a time."""
    many = people_of(gateway, rows)
    assert isinstance(many, PackedPeople)
    assert len(many) > FEW
    by_id = {each.person.id: each for each in many}
    assert len(by_id) == len(many)
    few: dict[str, EmployeeRecord] = {}
    for part in range(parts):
        mine = [row for row in rows if row.get("kind") == "page" or hash_of(row) % parts == part]
        alone = people_of(gateway, mine)
        assert not isinstance(alone, PackedPeople)
        few |= {each.person.id: each for each in alone}
    assert few == by_id
    assert many[-1] == list(many)[-1] == many[len(many) - 1 :][0]


def hash_of(row: dict[str, object]) -> int:
    person = row.get("employee", row)
    assert isinstance(person, dict)
    return sum(str(person["id"]).encode())


def test_crews_are_the_same_packed() -> None:
    world = open_world(extra=1_000)
    try:
        gateway = world.gateway()
        check(gateway, kept(gateway), parts=4)
    finally:
        world.server.stop()


def test_employees_are_the_same_packed() -> None:
    with freee_world(extra=1_000) as world:
        gateway = world.gateway()
        check(gateway, kept(gateway), parts=4)
