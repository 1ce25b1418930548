"""The people of the storm: in both practice systems, linked, then edited on one side, the other, or both; some are new.

Everything about them is a canary: names, readings, addresses and numbers that nobody else in the practice company has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.practice.staff import practice_company
from app.practice.staff.forms import Account, Place, Worker, crew_of, employee_of
from app.practice.staff.people import ordinary
from tests.chaos.house import House

FIRST_NUMBER = 60_001
SURNAME, SURNAME_KANA = "金糸雀", "キンシジャク"
GIVEN, GIVEN_KANA = "鳴子", "ナルコノコエ"
CITY, STREET, PLACE_KANA = "八重山郡与那国町", "鶯谷千鳥町鳥籠", "ヤエヤマグンヨナグニチョウトリカゴ"
MOVED_STREET = "雲雀丘翡翠通"
ZIP_CODE = "9071801"
OKINAWA = 46
WORDS = (SURNAME, SURNAME_KANA, GIVEN, GIVEN_KANA, CITY, STREET, PLACE_KANA, MOVED_STREET, "ｷﾝｼｼﾞｬｸ", "キンシジヤク")
"""The last two: how banks write the name."""
FREEE_EDIT, BOTH_EDIT, NEW = 1, 2, 9
"""Every third is edited at freee, every third on both sides, the rest in SmartHR; of ten the last is new there."""


@dataclass
class Person:
    """`worker` is how both sides have to show this person at the end."""

    worker: Worker = field(repr=False)
    kind: int = 0
    is_new: bool = False
    crew_id: str = ""
    employee_id: int = 0
    """0 for somebody freee does not know yet."""

    @property
    def number(self) -> str:
        return self.worker.number


def invent(count: int, *, turn: int = 0, after: int = 0) -> list[Person]:
    """So many people before anybody has edited them; every tenth is not in any system yet. `after`: so many have been
    invented for other companies, which have others."""
    first = FIRST_NUMBER + turn * 10_000 + after
    return [Person(_worker(first + index), index % 3, index % 10 == NEW) for index in range(count)]


def _worker(number: int) -> Worker:
    home = Place(ZIP_CODE, OKINAWA, "沖縄県", CITY, f"{STREET}{number}", "オキナワケン", PLACE_KANA)
    return replace(
        ordinary(number, practice_company.japan_today()),
        last_name=SURNAME,
        first_name=GIVEN,
        last_kana=SURNAME_KANA,
        first_kana=GIVEN_KANA,
        home=home,
        registered=home,
        phone=_phone(number, "6"),
        account=Account("0001", "011", _account(number, "91"), "キンシジヤク ナルコ"),
        employment_number=f"98761{number:06d}",
        basic_pension=f"9876{number:06d}",
        health_number=number,
        pension_number=number,
    )


def _phone(number: int, first: str) -> tuple[str, str, str]:
    return ("070", f"{first}{number // 10_000:03d}", f"{number % 10_000:04d}")


def _account(number: int, first: str) -> str:
    return f"{first}{number:05d}"


def settle(house: House, people: Iterable[Person]) -> None:
    """Those who are not new live in both systems, equal; as file imports, so that nobody is told."""
    old = [person.worker for person in people if not person.is_new]
    rows = [employee_of(worker, 0, company_id=house.tenant.company_id) for worker in old]
    house.freee.ask("POST", "employees/import", {"rows": rows})
    house.smarthr.ask("POST", "crews/import", {"created": [_crew(worker) for worker in old]})


def edit_all(house: House, people: Sequence[Person]) -> None:
    """On the screens of both vendors. What a person typed is in `worker` afterwards, and both ids are known."""
    employees = {each["num"]: each for each in house.freee.state()["employees"]}
    for person in people:
        if person.is_new:
            house.smarthr.ask("POST", "crews", _crew(person.worker))
            continue
        person.employee_id = employees[person.number]["id"]
        if person.kind != FREEE_EDIT:
            _edit_smarthr(house, person)
        if person.kind in (FREEE_EDIT, BOTH_EDIT):
            _edit_freee(house, person, max(employees[person.number]["rules"]["profile_rule"]))
    crews = {each["emp_code"]: each["id"] for each in house.smarthr.state()["crews"]}
    for person in people:
        person.crew_id = crews[person.number]


def _edit_smarthr(house: House, person: Person) -> None:
    """Three requests at freee later: 本人情報, 健保, 口座. The phone only of those whom nobody edits at freee."""
    number, worker = int(person.number), person.worker
    assert worker.home is not None and worker.account is not None
    person.worker = replace(
        worker,
        home=replace(worker.home, street=f"{MOVED_STREET}{number}"),
        account=replace(worker.account, number=_account(number, "92")),
        health_number=number + 100_000,
        phone=worker.phone if person.kind == BOTH_EDIT else _phone(number, "7"),
    )
    wanted = _crew(person.worker)
    changed = ("address", "bank_accounts", "hel_ins_insured_person_number", "tel_number")
    house.smarthr.ask("PUT", f"crews/{person.number}", {name: wanted[name] for name in changed})


def _edit_freee(house: House, person: Person, month: str) -> None:
    person.worker = replace(person.worker, phone=_phone(int(person.number), "8"))
    parts = dict(zip(("phone1", "phone2", "phone3"), person.worker.phone, strict=True))
    house.freee.ask("POST", f"employees/{person.employee_id}", {"profile_rule": parts, "pay_month": month})


def _crew(worker: Worker) -> dict[str, Any]:
    return {name: value for name, value in crew_of(worker, "").items() if name != "id"}


def numbers_of(people: Iterable[Person]) -> frozenset[str]:
    """Every number that belongs in the two systems only, digits alone: 7 digits or more."""
    found: set[str] = set()
    for person in people:
        number = int(person.number)
        found |= {"".join(_phone(number, first)) for first in "678"}
        found |= {_account(number, first) for first in ("91", "92")}
        found |= {person.worker.employment_number, person.worker.basic_pension}
    return frozenset(found)
