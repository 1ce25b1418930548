"""Who was added to a list of everybody since it ended: one question, and no answer where the list does not tell."""

from __future__ import annotations

from typing import Any

import pytest

from app.adapters.freee import additions as freee
from app.adapters.listing import End, Pages, mark
from app.adapters.records import UNREADABLE
from app.adapters.smarthr import additions as smarthr
from app.adapters.smarthr.client import Page
from app.domain.ports import EmployeeGateway
from tests.adapters.freee_world import TODAY, freee_world
from tests.adapters.smarthr_world import open_world

PAGE = 5


def listed(rows: list[dict[str, Any]], **seen: Any) -> Pages:
    pages = Pages()
    pages.add(rows, mark("everybody", first=True, **seen))
    return pages


# ── freee: the list grows at its end ──────────────────────────────────────────────────────────────────────────────


def employees(*ids: Any) -> list[dict[str, Any]]:
    return [{"id": each} for each in ids]


def asked(end: End | None, now: list[dict[str, Any]]) -> tuple[list[Any] | None, int]:
    """(ids of those who were added, calls)"""
    assert end is not None
    calls: list[int] = []

    def page_at(offset: int) -> list[dict[str, Any]]:
        calls.append(offset)
        return now[offset : offset + PAGE]

    found = freee.added_rows(end, page_at, page=PAGE)
    return (None if found is None else [row["id"] for row in found[0]]), len(calls)


@pytest.mark.parametrize("more", [(), (11,), (11, 12, 13), tuple(range(11, 30))])
def test_whoever_stands_behind_the_end_was_added(more: tuple[int, ...]) -> None:
    end = freee.end_of(listed(employees(1, 2, 10)))
    assert asked(end, employees(1, 2, 10, *more)) == (list(more), len(more) // (PAGE - 1) + 1)


def test_the_new_end_lies_behind_those_who_were_added() -> None:
    end = freee.end_of(listed(employees(1, 2)))
    assert end is not None
    now = employees(1, 2, 3, 4)
    found = freee.added_rows(end, lambda offset: now[offset : offset + PAGE], page=PAGE)
    assert found is not None
    assert asked(found[1], employees(1, 2, 3, 4, 9)) == ([9], 1)


MOVED = {
    "somebody was deleted": employees(1, 10, 11),
    "the last one was deleted": employees(1, 2),
    "somebody was deleted and another one added": employees(1, 10, 12, 13),
    "the new ones come in no order": employees(1, 2, 10, 30, 20),
    "somebody new cannot be read": [*employees(1, 2, 10), {UNREADABLE: ["num"], "id": 11}],
    "somebody new has no id": [*employees(1, 2, 10), {"id": None}],
    "too many are new": employees(1, 2, 10, *range(11, 200)),
}


@pytest.mark.parametrize("now", list(MOVED.values()), ids=list(MOVED))
def test_a_list_that_has_moved_tells_nothing(now: list[dict[str, Any]]) -> None:
    assert asked(freee.end_of(listed(employees(1, 2, 10))), now)[0] is None


@pytest.mark.parametrize("rows", [[], employees(3, 2, 1), employees(1, None, 3), employees(1, 1)])
def test_a_list_in_no_order_has_no_end(rows: list[dict[str, Any]]) -> None:
    assert freee.end_of(listed(rows)) is None


# ── SmartHR: the newest first ─────────────────────────────────────────────────────────────────────────────────────


def crews(**minutes: int) -> list[dict[str, Any]]:
    return [{"id": each, "created_at": f"2026-11-01T10:{minute:02d}:00.000Z"} for each, minute in minutes.items()]


def told(end: End | None, now: list[dict[str, Any]], *, sorts: bool = True) -> list[str] | None:
    assert end is not None
    rows = sorted(now, key=lambda row: str(row.get("created_at")), reverse=True) if sorts else now

    def newest_first(number: int) -> Page:
        return Page(rows[(number - 1) * PAGE : number * PAGE], has_next=number * PAGE < len(rows))

    found = smarthr.added_crews(end, newest_first)
    return None if found is None else sorted(row["id"] for row in found[0])


BEFORE = {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize(
    "more", [{}, {"d": 3}, {"in-the-same-minute": 2}, {f"n{each}": 10 + each for each in range(40)}], ids=len
)
def test_whoever_came_later_was_added(more: dict[str, int]) -> None:
    end = smarthr.end_of(listed(crews(**BEFORE)))
    assert told(end, crews(**BEFORE, **more)) == sorted(more)


def test_of_thousands_who_came_at_one_moment_long_ago_one_page_is_enough() -> None:
    imported = {f"i{each}": 2 for each in range(1000)}
    end = smarthr.end_of(listed(crews(**imported), began="2026-11-01T11:00:00+00:00"))
    assert end is not None
    assert end["ids"] == []
    assert told(end, crews(**imported)) == []
    assert told(end, crews(**imported, d=3)) == ["d"]


def test_whoever_is_found_is_not_found_again() -> None:
    end = smarthr.end_of(listed(crews(**BEFORE)))
    assert end is not None
    rows = [*reversed(crews(**BEFORE, d=3)), *crews(e=3)]
    found = smarthr.added_crews(end, lambda _: Page(sorted(rows, key=lambda row: row["created_at"])[::-1], False))
    assert found is not None
    assert told(found[1], crews(**BEFORE, d=3, e=3, f=3)) == ["f"]


def test_a_deletion_hides_nobody_who_came() -> None:
    end = smarthr.end_of(listed(crews(**BEFORE)))
    assert told(end, crews(b=2, d=3)) == ["d"]


def test_without_the_newest_known_crew_nobody_can_tell() -> None:
    end = smarthr.end_of(listed(crews(**BEFORE)))
    assert told(end, crews(a=1)) is None


def test_a_list_that_is_not_sorted_tells_nothing() -> None:
    end = smarthr.end_of(listed(crews(**BEFORE)))
    assert told(end, crews(**BEFORE, d=3), sorts=False) is None


def test_somebody_without_a_time_has_no_place_in_the_list() -> None:
    assert smarthr.end_of(listed([{"id": "a"}, *crews(b=1)])) is None
    end = smarthr.end_of(listed(crews(**BEFORE)))
    assert told(end, [*crews(**BEFORE), {"id": "d", "created_at": None}]) is None


# ── over the wire ─────────────────────────────────────────────────────────────────────────────────────────────────


def end_at(gateway: EmployeeGateway) -> End:
    rows, cursor = [], None
    while True:
        page = gateway.survey_page(cursor, as_of_date=TODAY)
        rows += page.kept
        cursor = page.next_cursor
        if cursor is None:
            break
    end = gateway.listed(rows).end
    assert end is not None
    return end


def test_freee_is_asked_one_page() -> None:
    with freee_world() as world:
        gateway = world.gateway()
        end, before = end_at(gateway), gateway.calls
        somebody = world.freee.add({"num": "Z-1", "birth_date": "1990-01-01", "entry_date": "2026-11-01"})
        added = gateway.added(end)
        assert added is not None
        assert [(each.person.id, each.person.number) for each in added.people] == [(str(somebody), "Z-1")]
        assert gateway.calls == before + 1


def test_smarthr_is_asked_one_page() -> None:
    world = open_world()
    try:
        gateway = world.gateway()
        end, before = end_at(gateway), gateway.calls
        somebody = world.tenant.add({"emp_code": "Z-1", "last_name": "新", "first_name": "人"})
        added = gateway.added(end)
        assert added is not None
        assert [(each.person.id, each.person.number) for each in added.people] == [(somebody, "Z-1")]
        assert gateway.calls == before + 1
    finally:
        world.server.stop()
