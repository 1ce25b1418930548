"""A list that was put in order once holds until somebody on it has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app.practice.vendor_kit.kept_lists import MOST, KeptLists


@pytest.fixture
def people() -> KeptLists[int, str]:
    return KeptLists({2: "b", 1: "a"})


def _counted(people: KeptLists[int, str]) -> tuple[Callable[[], list[str]], Iterator[int]]:
    made = iter(range(100))

    def make() -> list[str]:
        next(made)
        return [name for _, name in sorted(people.items())]

    return make, made


def test_all_pages_of_a_list_are_cut_from_one(people: KeptLists[int, str]) -> None:
    make, made = _counted(people)
    assert people.listed("all", make) is people.listed("all", make)
    assert next(made) == 1


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (lambda people: people.__setitem__(3, "c"), ["a", "b", "c"]),
        (lambda people: people.__setitem__(1, "z"), ["z", "b"]),
        (lambda people: people.__delitem__(1), ["b"]),
        (lambda people: people.pop(2), ["a"]),
    ],
)
def test_a_change_shows_on_the_next_page(
    people: KeptLists[int, str], change: Callable[[KeptLists[int, str]], object], after: list[str]
) -> None:
    make, _ = _counted(people)
    assert people.listed("all", make) == ["a", "b"]
    change(people)
    assert people.listed("all", make) == after


def test_who_is_changed_in_place_is_listed_anew(people: KeptLists[int, str]) -> None:
    make, made = _counted(people)
    people.listed("all", make)
    people.changed()
    people.listed("all", make)
    assert next(made) == 2


def test_no_more_lists_are_kept_than_are_asked_for_at_a_time(people: KeptLists[int, str]) -> None:
    make, _ = _counted(people)
    for question in range(3 * MOST):
        people.listed(question, make)
    assert len(people._lists) <= MOST
