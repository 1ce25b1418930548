"""Months as freee人事労務 keeps them: closing month in, pay month inside, values carried forward.

The API's year and month are the closing month; the data lie by the month of payment, and a value holds until a later
month has its own. Top-level attributes and, by default, the gender exist once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

NEXT_MONTH = "next_month"
SAME_MONTH = "same_month"  # freee does not document the literal; any text but next_month means the same month


class Month(NamedTuple):
    """A calendar month."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"

    @classmethod
    def parse(cls, text: str) -> Month:
        """`YYYY-MM`. Raises ValueError."""
        first = date.fromisoformat(f"{text}-01")
        return cls(first.year, first.month)

    @property
    def following(self) -> Month:
        return self.later(1)

    def later(self, months: int) -> Month:
        """So many months later, earlier when negative."""
        count = self.year * 12 + self.number - 1 + months
        return Month(count // 12, count % 12 + 1)


@dataclass(frozen=True)
class PayGroup:
    """締め日支払い日グループ. `closing_day` 31 means month end; `month_of_pay_day` "next_month" or anything else."""

    name: str
    closing_day: int
    pay_day: int
    month_of_pay_day: str

    def pay_month(self, closing: Month) -> Month:
        return closing.following if self.month_of_pay_day == NEXT_MONTH else closing

    def closing_of(self, pay: Month) -> Month:
        """The closing month that is paid in this month."""
        return pay.later(-1) if self.month_of_pay_day == NEXT_MONTH else pay

    def closing_month(self, day: date) -> Month:
        """The month in which the pay period that holds this day closes."""
        month = Month(day.year, day.month)
        return month if day.day <= self.closing_day else month.following


OUTSIDE_PAYROLL = PayGroup("", 31, 31, SAME_MONTH)
"""People outside payroll have no group; their months are calendar months."""


class Carried:
    """The values of one kind of rule by pay month; each holds until the next own value."""

    def __init__(self) -> None:
        self._own: dict[Month, Any] = {}

    def put(self, month: Month, value: Any) -> None:
        self._own[month] = _copied(value)

    def at(self, month: Month) -> Any:
        """The value in force in that month as a copy; None when there never was one.

        Before the first own value the first one shows, so that an entry date moved back leaves no month without values.
        """
        if not self._own:
            return None
        earlier = [each for each in self._own if each <= month]
        return _copied(self._own[max(earlier) if earlier else min(self._own)])

    def dump(self) -> dict[str, Any]:
        return {str(month): _copied(self._own[month]) for month in sorted(self._own)}

    @classmethod
    def restored(cls, dumped: Mapping[str, Any]) -> Carried:
        """The values that `dump` returned. Raises ValueError, TypeError, AttributeError."""
        carried = cls()
        for month, value in dumped.items():
            carried.put(Month.parse(month), value)
        return carried


def _copied(value: Any) -> Any:
    """A copy of a flat object or a list of flat ones: ten times faster than deepcopy; every page makes 500 copies."""
    return dict(value) if isinstance(value, dict) else [dict(each) for each in value]


@dataclass
class Employee:
    """One person. `top` holds the attributes that exist once; `rules` the monthly ones by kind.

    `gender` is the value of all months while the switch gender_month is global.
    """

    id: int
    group: PayGroup
    top: dict[str, Any] = field(repr=False)
    working_hours: str | None = None
    gender: str = field(default="unselected", repr=False)
    rules: dict[str, Carried] = field(default_factory=dict, repr=False)

    @property
    def in_payroll(self) -> bool:
        return bool(self.top["payroll_calculation"])

    def pay_month(self, closing: Month) -> Month:
        return self.group.pay_month(closing)

    @property
    def first_closing_month(self) -> Month:
        return self.group.closing_month(date.fromisoformat(self.top["entry_date"]))

    @property
    def first_pay_month(self) -> Month:
        return self.pay_month(self.first_closing_month)

    def employed_in(self, month: Month, *, by_period: bool) -> bool:
        """Whether the person shows in that closing month. Hidden: retired before it, not yet hired in it.

        `by_period`: the month is the pay period that closes in it; otherwise the calendar month of that name.
        """
        group = self.group if by_period else OUTSIDE_PAYROLL
        hired, retired = self.top["entry_date"], self.top["retire_date"]
        if group.closing_month(date.fromisoformat(hired)) > month:
            return False
        return retired is None or group.closing_month(date.fromisoformat(retired)) >= month

    def rule(self, kind: str, closing: Month) -> Any:
        carried = self.rules.get(kind)
        return carried.at(self.pay_month(closing)) if carried else None

    def put_rule(self, kind: str, pay_month: Month, *, value: Any) -> None:
        self.rules.setdefault(kind, Carried()).put(pay_month, value)

    def dump(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "group": self.group.name or None,
            "working_hours_system_name": self.working_hours,
            "gender": self.gender,
            **self.top,
            "rules": {kind: carried.dump() for kind, carried in sorted(self.rules.items())},
        }

    @classmethod
    def restored(cls, dumped: Mapping[str, Any], groups: Mapping[str, PayGroup]) -> Employee:
        """The person that `dump` returned.

        Raises KeyError (also for an unknown group), ValueError, TypeError, AttributeError.
        """
        told = dict(dumped)
        number, group = told.pop("id"), told.pop("group")
        hours, gender, rules = told.pop("working_hours_system_name"), told.pop("gender"), told.pop("rules")
        carried = {kind: Carried.restored(each) for kind, each in rules.items()}
        restored = cls(number, groups[group] if group else OUTSIDE_PAYROLL, told, hours, gender, carried)
        date.fromisoformat(restored.top["entry_date"])
        return restored
