"""An employee as one system lists them: what linking, selection and months need to know, and the vendor's record."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, TypeVar, overload

from app.domain.enums import System

T = TypeVar("T")

Record = Mapping[str, Any]
"""A vendor's record, parsed by the adapter's schema, in the vendor's own field names."""


class YearMonth(NamedTuple):
    """A calendar month. Text form `YYYY-MM`."""

    year: int
    month: int

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @classmethod
    def parse(cls, text: str) -> YearMonth:
        """`YYYY-MM` → YearMonth. Raises ValueError."""
        found = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", text)
        if found is None:
            raise ValueError(f"not a month: {text}")
        return cls(int(found[1]), int(found[2]))

    def next(self) -> YearMonth:
        return YearMonth(self.year + self.month // 12, self.month % 12 + 1)


class OnDemand(Sequence[T]):
    """A sequence whose elements are made when somebody looks at them, because all at once take too much memory."""

    @abstractmethod
    def at(self, place: int) -> T:
        """The element at this place, counted from 0."""

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        places = range(len(self))[place]
        return self.at(places) if isinstance(places, int) else [self.at(each) for each in places]


@dataclass(frozen=True)
class PaySchedule:
    """締め日支払い日 of a person. `closing_day` 31 means month end."""

    closing_day: int
    pay_day: int
    paid_next_month: bool
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """One row of a system's directory. `id` is the vendor's id as text; `number` is "" when blank."""

    system: System
    id: str
    number: str
    last_name_kana: str = field(default="", repr=False)
    first_name_kana: str = field(default="", repr=False)
    birth_date: date | None = field(default=None, repr=False)
    hired_on: date | None = None
    resigned_on: date | None = None
    pay_schedule: PaySchedule | None = None
    """freee only; None outside payroll and in SmartHR."""
    in_payroll: bool = True
    unreadable: bool = False
    """The system's record of this person cannot be read: nobody is matched with them by what is left of it."""
    unsure_who: bool = False
    """Part of what tells people apart (id, number, kana, birth date) is among what cannot be read."""


@dataclass(frozen=True)
class Unreadable:
    """What of a record could not be read. `fields`: paths in the vendor's names, "" for the whole record; `legible`:
    the fields that tell who the person is, as far as they could be read."""

    fields: tuple[str, ...] = field(repr=False)  # a vendor may send anything as the name of a field
    legible: Record = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class EmployeeRecord:
    """A person with the vendor's record. `month` is the closing month freee was read at (None for SmartHR).

    `record` is None when the system lists the person but does not show the record for that month
    (freee: not yet hired, or already left): the person's items are then ABSENT, not blank. It is None as well when the
    record cannot be read (`unreadable`): then nothing is concluded or written. Such a person may lack an id ("").
    """

    person: Person
    record: Record | None = field(repr=False)
    month: YearMonth | None = None
    once_only: bool = False
    """The run's month lies outside the employment, so only items count that hold for all months."""
    unreadable: Unreadable | None = None
    read: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What `domain.reading` has made of the record: a survey takes several snapshots of one reading."""
