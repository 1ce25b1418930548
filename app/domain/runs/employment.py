"""In which month an employee exists: freee shows a record only in the months of an employment.

A linked person takes part in every run. When the month of the run lies outside the employment, as either side states
it, the two sides exchange only what holds for all months (入社年月日, 生年月日 and the like), and when freee hides the
person there, it is read and written in the nearest month of the employment that freee knows.
"""

from __future__ import annotations

from datetime import date

from app.domain.employee import PaySchedule, Person, YearMonth
from app.domain.enums import Step
from app.domain.mapping import FIELDS
from app.domain.runs.dates import closing_month

MONTHLY_ITEMS = frozenset(row.key for row in FIELDS if not row.retroactive and row.step is not Step.EMPLOYEE)
"""Items of which freee keeps a value for each month. The others hold for all months at once."""

_FIRST_YEAR, _LAST_YEAR = 2000, 2100
"""The years that freee takes for a month."""


def is_outside(month: YearMonth, *people: Person, schedule: PaySchedule | None) -> bool:
    """Whether the month lies outside the employment that one of these people (the two sides of one employee) shows."""
    return any(nearest_month(month, person, schedule) != month for person in people)


def nearest_month(month: YearMonth, person: Person, schedule: PaySchedule | None) -> YearMonth:
    """The month itself while the person is employed in it, else the first or the last month of the employment."""
    if person.hired_on is not None and (first := closing_month(person.hired_on, schedule)) > month:
        return first
    if person.resigned_on is not None and (last := closing_month(person.resigned_on, schedule)) < month:
        return last
    return month


def months_to_look(month: YearMonth, in_freee: Person) -> list[YearMonth]:
    """Months other than this one in which freee may show the person, the likeliest first: by the pay period and by the
    calendar, because freee does not say which one counts."""
    nearest = [nearest_month(month, in_freee, schedule) for schedule in (in_freee.pay_schedule, None)]
    calendar = [_of(day) for day in (in_freee.resigned_on, in_freee.hired_on) if day is not None]
    months = dict.fromkeys([*nearest, *calendar])
    return [each for each in months if each != month and _FIRST_YEAR <= each.year <= _LAST_YEAR]


def _of(day: date) -> YearMonth:
    return closing_month(day, None)
