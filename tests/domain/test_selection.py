"""Who is offered on a reference date."""

from __future__ import annotations

from datetime import date

import pytest

from app.domain.employee import Person
from app.domain.enums import System
from app.domain.matching.selection import Offer, offer

NEW_YEAR = date(2019, 1, 1)


def person(hired_on: str | None, resigned_on: str | None = None) -> Person:
    return Person(
        system=System.SMARTHR,
        id="a",
        number="0001",
        hired_on=date.fromisoformat(hired_on) if hired_on else None,
        resigned_on=date.fromisoformat(resigned_on) if resigned_on else None,
    )


@pytest.mark.parametrize(
    ("hired_on", "resigned_on", "offered"),
    [
        ("2019-01-02", None, False),  # the documented example: joins tomorrow
        ("2010-04-01", "2018-12-31", False),  # the documented example: left yesterday
        ("2019-01-01", None, True),
        ("2018-12-31", None, True),
        ("2010-04-01", "2019-01-01", True),
        ("2010-04-01", "2019-01-02", True),
        ("2019-01-01", "2019-01-01", True),
        ("2019-01-02", "2019-01-31", False),
        ("2019-01-02", "2018-12-31", False),
    ],
)
def test_boundary_days(hired_on: str, resigned_on: str | None, offered: bool) -> None:
    assert offer(person(hired_on, resigned_on), NEW_YEAR) == Offer(offered=offered, warning=None)


def test_without_a_hiring_date_offered_with_a_warning() -> None:
    assert offer(person(None), NEW_YEAR) == Offer(offered=True, warning="E1")
    assert offer(person(None, "2019-01-01"), NEW_YEAR) == Offer(offered=True, warning="E1")


def test_a_leaver_without_a_hiring_date_is_not_offered() -> None:
    assert offer(person(None, "2018-12-31"), NEW_YEAR) == Offer(offered=False)


def test_both_systems_follow_the_same_rule() -> None:
    freee = Person(system=System.FREEE, id="1", number="0001", hired_on=date(2019, 1, 2), in_payroll=False)
    assert not offer(freee, NEW_YEAR).offered
    assert offer(freee, date(2019, 1, 2)).offered
