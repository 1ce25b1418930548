"""The storm's judge finds what it is there to find, and people in both vendors' forms are the same to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.practice.staff import practice_company
from app.practice.staff.forms import crew_of, employee_of
from tests.chaos.evidence import Mail
from tests.storm.judge import (
    Stored,
    Verdict,
    judge_deliveries,
    judge_people,
    judge_runs,
    of_freee,
    of_smarthr,
    of_worker,
)
from tests.storm.people import BOTH_EDIT, FREEE_EDIT, Person, invent, numbers_of

ANSWERED = [(0, 202, 11), (0, 202, 11), (1, 202, 12)]
STORED = Stored({11: "accepted", 12: "accepted"}, {11: ["succeeded"], 12: ["unchanged", "cancelled"]})


def employee(person: Person, **changes: Any) -> dict[str, Any]:
    """As freee's state shows somebody: rules by month."""
    made = employee_of(person.worker, 7, company_id=practice_company.FREEE_COMPANY_ID) | changes
    kinds = ("profile_rule", "health_insurance_rule", "welfare_pension_insurance_rule", "bank_account_rule")
    return {**made, "rules": {kind: {"2026-10": {}, "2026-11": made[kind]} for kind in kinds}}


def test_people_are_of_every_kind_and_nobody_has_anothers_numbers() -> None:
    crowd = invent(60)
    assert len({person.number for person in crowd}) == 60
    assert {person.kind for person in crowd if not person.is_new} == {0, FREEE_EDIT, BOTH_EDIT}
    assert sum(person.is_new for person in crowd) == 6
    assert len(numbers_of(crowd)) == 60 * 7
    assert not numbers_of(crowd) & numbers_of(invent(9, turn=1))
    assert min(map(len, numbers_of(crowd))) == 7


def test_both_forms_of_one_person_are_equal() -> None:
    (person,) = invent(1)
    typed = of_worker(person.worker)
    assert of_smarthr(crew_of(person.worker, "c")) == typed == of_freee(employee(person))
    assert all(typed.values()), "everything the judge compares is filled"


def test_equal_people_pass() -> None:
    people = invent(3)
    state = (
        {"crews": [crew_of(each.worker, "c") for each in people]},
        {"employees": [employee(each) for each in people]},
    )
    assert judge_people([each.worker for each in people], *state).passed


@pytest.mark.parametrize(
    ("name", "about", "change"),
    [
        ("lost", "60001 is not in freee", lambda crews, employees: employees.pop(0)),
        ("lost", "60002 is not in SmartHR", lambda crews, employees: crews.pop(1)),
        ("doubled", "60001 is in SmartHR 2 times", lambda crews, employees: crews.append(crews[0])),
        ("doubled", "60002 is in freee 2 times", lambda crews, employees: employees.append(employees[1])),
        ("unequal", "60001: phone differ", lambda crews, employees: crews[0].update(tel_number="070-0000-0000")),
        ("unequal", "60001: address differ", lambda crews, employees: crews[0]["address"].update(street="別")),
    ],
)
def test_somebody_missing_doubled_or_different_is_found(
    name: str, about: str, change: Callable[[list[Any], list[Any]], object]
) -> None:
    people = invent(2)
    crews, employees = [crew_of(each.worker, "c") for each in people], [employee(each) for each in people]
    change(crews, employees)
    found = judge_people([each.worker for each in people], {"crews": crews}, {"employees": employees})
    assert vars(found) == {**vars(Verdict()), name: [about]}


def test_equal_but_not_what_was_typed_is_found() -> None:
    person, other = invent(2)
    other.worker = person.worker.__class__(**{**vars(person.worker), "phone": ("070", "0000", "0000")})
    crew, there = crew_of(person.worker, "c"), employee(person)
    found = judge_people([other.worker], {"crews": [crew]}, {"employees": [there]})
    assert found.unequal == [f"{person.number}: phone equal, but not what was typed"]


def test_deliveries_with_one_row_and_items_pass() -> None:
    assert judge_deliveries(2, ANSWERED, STORED).passed


@pytest.mark.parametrize(
    ("answered", "stored", "name", "about"),
    [
        (ANSWERED[:2], STORED, "lost", "delivery 1 was never accepted"),
        ([*ANSWERED, (1, 500, 0)], STORED, "lost", "delivery 1: a copy was answered 500"),
        ([*ANSWERED, (1, 0, 0)], STORED, "lost", "delivery 1: a copy was answered never"),
        (ANSWERED, Stored({11: "accepted"}, STORED.items), "lost", "delivery 1: row 12 is not there"),
        (ANSWERED, Stored({11: "accepted", 12: "ignored"}, {}), "lost", "delivery 1: row 12 is ignored"),
        (ANSWERED, Stored(STORED.states, {11: ["failed"]}), "lost", "delivery 1: row 12 has no items"),
        ([*ANSWERED[1:], (0, 202, 12)], STORED, "lost", "delivery 1 was taken for another one"),
        ([*ANSWERED, (0, 202, 12)], STORED, "doubled", "delivery 0 has 2 rows"),
        (
            ANSWERED,
            Stored(STORED.states, {11: ["running"], 12: ["failed"]}),
            "open",
            "delivery 0: an item has not ended",
        ),
    ],
)
def test_a_delivery_lost_or_doubled_is_found(
    answered: list[tuple[int, int, int]], stored: Stored, name: str, about: str
) -> None:
    assert about in getattr(judge_deliveries(2, answered, stored), name)


def test_runs_end_and_have_one_mail_each() -> None:
    mails = [Mail("a", "<1>"), Mail("a", "<1>"), Mail("b", "<2>"), Mail("", "<3>"), Mail("", "<4>")]
    assert judge_runs([{"id": "a", "state": "succeeded"}, {"id": "b", "state": "failed"}], mails).passed
    found = judge_runs([{"id": "a", "state": "running"}], [*mails, Mail("b", "<5>")])
    assert (found.open, found.doubled) == (["run a is running"], ["run b has 2 different mails"])
