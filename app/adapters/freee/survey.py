"""How a survey lists all employees of freee: its cursor, the trimmed rows, and how both lists are put together. Pure.

freee has two lists: one of all employees at any time, which alone tells an employee's pay
schedule, and one per month with complete records, without people not employed in that month. The closing month depends
on the employee's schedule. So the survey reads the first list to its end, collects the closing months of all employees
in the cursor, and lists each of these months: one in most companies, two where groups close on different days.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from sys import intern
from typing import Any

from app.adapters.listing import is_mark
from app.adapters.packed import Packer, people_of
from app.adapters.records import UNREADABLE, unreadable_of
from app.domain.employee import EmployeeRecord, PaySchedule, Person, Record, Unreadable, YearMonth
from app.domain.enums import System
from app.domain.runs.dates import closing_month

NEXT_MONTH = "next_month"
"""The only documented literal of month_of_pay_day; any other value means the same month."""


DIRECTORY = "directory"
_TELLS_WHO = frozenset(
    {"", "id", "num", "birth_date", "profile_rule", "profile_rule.last_name_kana", "profile_rule.first_name_kana"}
)


@dataclass(frozen=True)
class Cursor:
    """How far a survey has come. `months`: the closing months collected so far; the month phase works them off."""

    phase: str = DIRECTORY
    offset: int = 0
    months: tuple[YearMonth, ...] = ()

    def as_text(self) -> str:
        return json.dumps({"phase": self.phase, "offset": self.offset, "months": [str(m) for m in self.months]})

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """The cursor in a text; None is the beginning. Raises ValueError or KeyError for text that is no cursor."""
        if text is None:
            return cls()
        raw = json.loads(text)
        return cls(raw["phase"], int(raw["offset"]), tuple(YearMonth.parse(month) for month in raw["months"]))

    def with_months(self, months: set[YearMonth]) -> Cursor:
        return replace(self, months=tuple(sorted(months.union(self.months))))

    def further(self, rows: int) -> Cursor:
        """The next page of the same list."""
        return replace(self, offset=self.offset + rows)

    @property
    def list_name(self) -> str:
        return self.phase if self.phase == DIRECTORY else str(self.months[0])

    def first_month(self) -> Cursor | None:
        """The first page of the first month, after the end of the directory; None when no employee needs a month."""
        return Cursor("month", 0, self.months) if self.months else None

    def next_month(self) -> Cursor | None:
        return Cursor("month", 0, self.months[1:]) if self.months[1:] else None


def months_of(rows: Iterable[Mapping[str, Any]], as_of_date: date) -> set[YearMonth]:
    """The closing months that hold the as-of date for these directory rows, without people not employed then."""
    return {month for row in rows if (month := _month_shown(row, as_of_date)) is not None}


def months_to_try(hidden: EmployeeRecord) -> list[YearMonth]:
    """Months that may show somebody whom the month of a run hides, the likeliest first: the last one of a leaver, the
    first one of a joiner, each by the pay period and by the calendar, because freee does not say which one counts."""
    person = hidden.person
    days = [day for day in (person.resigned_on, person.hired_on) if day is not None]
    months = [month for day in days for month in (closing_month(day, person.pay_schedule), closing_month(day, None))]
    return list(dict.fromkeys([*months, *([hidden.month] if hidden.month else [])]))


def directory_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": DIRECTORY, **row}


def record_row(record: Mapping[str, Any], month: YearMonth) -> dict[str, Any]:
    return {"kind": "record", "month": str(month), "employee": record}


def assemble(rows: Iterable[Mapping[str, Any]], as_of_date: date) -> Sequence[EmployeeRecord]:
    """All rows of a survey → each employee once, sorted by id, with the record of their own closing month; those whose
    id cannot be read at the end."""
    lines, details = Packer(), Packer()
    directory: dict[Any, Any] = {}
    records: dict[str, dict[Any, Any]] = {}
    nameless: list[Record] = []
    for row in rows:
        if is_mark(row):
            continue
        listed = row["kind"] == DIRECTORY
        shown = row if listed else row["employee"]
        person_id = shown.get("id")
        if person_id is None:
            nameless += [] if shown in nameless else [shown]
        elif listed:
            directory[person_id] = lines.hold(row)
        else:
            records.setdefault(row["month"], {})[person_id] = details.hold(shown)

    def made(kept: Any) -> EmployeeRecord:
        if isinstance(kept, Mapping):
            return as_employee(kept, person_of(kept, None), None)
        line, *shown = kept
        mine = {YearMonth.parse(month): details.open(held) for month, held in zip(shown[::2], shown[1::2], strict=True)}
        return _joined(lines.open(line), mine, as_of_date=as_of_date)

    def taken(person_id: Any) -> tuple[Any, ...]:
        """(line of the directory, month, record, month, record, …)"""
        months = ((month, of.pop(person_id)) for month, of in records.items() if person_id in of)
        return directory.pop(person_id, None), *chain.from_iterable(months)

    everybody = sorted(directory.keys() | {each for of in records.values() for each in of})
    return people_of([*map(taken, everybody), *nameless], made)


def as_employee(record: Record | None, person: Person, month: YearMonth | None) -> EmployeeRecord:
    """The person with the record, unless the record cannot be read."""
    odd = unreadable_of(record) if record is not None else None
    return EmployeeRecord(person, None if odd else record, month, unreadable=odd)


def as_listed(row: Mapping[str, Any]) -> EmployeeRecord:
    """The person as the list of all employees alone shows them."""
    odd = unreadable_of(row)
    return EmployeeRecord(person_of(row, None if odd else schedule_of(row)), None, unreadable=odd)


def person_of(record: Record, schedule: PaySchedule | None) -> Person:
    """The person whom a record shows. The caller gives the schedule, because a record knows only its group's name."""
    profile = record.get("profile_rule") or {}
    group = record.get("company_reference_date_rule_name")
    odd = record.get(UNREADABLE)
    return Person(
        system=System.FREEE,
        id=intern(str(record.get("id") or "")),  # else each look at a packed record makes it anew
        number=intern(record.get("num") or ""),
        last_name_kana=profile.get("last_name_kana") or "",
        first_name_kana=profile.get("first_name_kana") or "",
        birth_date=parsed_date(record.get("birth_date")),
        hired_on=parsed_date(record.get("entry_date")),
        resigned_on=parsed_date(record.get("retire_date")),
        pay_schedule=replace(schedule, name=group or schedule.name) if schedule else None,
        in_payroll=record.get("payroll_calculation") is not False,
        unreadable=odd is not None,
        unsure_who=odd is not None and not _TELLS_WHO.isdisjoint(odd),
    )


def schedule_of(row: Mapping[str, Any]) -> PaySchedule | None:
    """締め日支払い日 of a directory row, None outside payroll."""
    if row.get("closing_day") is None or row.get("pay_day") is None:
        return None
    return PaySchedule(
        closing_day=row["closing_day"],
        pay_day=row["pay_day"],
        paid_next_month=row.get("month_of_pay_day") == NEXT_MONTH,
    )


def parsed_date(text: str | None) -> date | None:
    """`YYYY-MM-DD` → date; None for null and for a day that does not exist."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _month_shown(row: Mapping[str, Any], as_of_date: date) -> YearMonth | None:
    """The person's closing month at the as-of date, None when they had left before it or join after it."""
    schedule = schedule_of(row)
    month = closing_month(as_of_date, schedule)
    joined, left = parsed_date(row.get("entry_date")), parsed_date(row.get("retire_date"))
    if joined is not None and closing_month(joined, schedule) > month:
        return None
    if left is not None and closing_month(left, schedule) < month:
        return None
    return month


def _joined(row: Mapping[str, Any] | None, records: Mapping[YearMonth, Record], *, as_of_date: date) -> EmployeeRecord:
    """One employee from both lists. Without a directory row (the lists shifted between pages) the schedule is unknown,
    so it is unclear which month's record counts: the employee is listed, and the items stay absent."""
    if row is None:
        record = next(iter(records.values()))
        odd = unreadable_of(record)
        return EmployeeRecord(person_of(record, None), None, unreadable=odd)
    if UNREADABLE in row:
        return _unreadable(row, records)
    schedule = schedule_of(row)
    month = closing_month(as_of_date, schedule)
    record_of_month = records.get(month)
    if record_of_month is None:
        return EmployeeRecord(person_of(row, schedule), None, month)
    return as_employee(record_of_month, person_of(record_of_month, schedule), month)


def _unreadable(row: Mapping[str, Any], records: Mapping[YearMonth, Record]) -> EmployeeRecord:
    """Somebody whose row in the list of everybody cannot be read, with the name that a month may show."""
    shown = next(iter(records.values()), {})
    odd = sorted({*row[UNREADABLE], *shown.get(UNREADABLE, ())})
    legible = {**shown, **{name: value for name, value in row.items() if name != "kind"}, UNREADABLE: odd}
    return EmployeeRecord(person_of(legible, None), None, unreadable=Unreadable(tuple(odd), legible))
