"""Reads somebody whom freee hides in the month of a run, in a month of their employment."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from app.domain.employee import EmployeeRecord, Person
from app.domain.errors import ItemError
from app.domain.ports import EmployeeGateway
from app.domain.runs.dates import closing_month
from app.domain.runs.employment import is_outside, months_to_look


def read_in_employment(gateway: EmployeeGateway, hidden: EmployeeRecord, as_of_date: date) -> EmployeeRecord:
    """The person as freee shows them in the nearest month of the employment; `hidden` itself when no month does. The
    pay schedule is that of the list, because a single record has none."""
    person = hidden.person
    for month in months_to_look(closing_month(as_of_date, person.pay_schedule), person):
        try:
            found = gateway.read(person.id, month=month)
        except ItemError:
            continue  # freee refuses this month; another one may show the person
        if found is not None and found.record is not None:
            group = found.record.get("company_reference_date_rule_name")
            schedule = person.pay_schedule and replace(person.pay_schedule, name=group or person.pay_schedule.name)
            return replace(found, person=replace(found.person, pay_schedule=schedule))
    return hidden


def with_mark(source: Person, in_freee: EmployeeRecord, as_of_date: date) -> EmployeeRecord:
    """freee's record, marked when the run's month lies outside the employment that the source or freee states."""
    schedule = in_freee.person.pay_schedule
    outside = is_outside(closing_month(as_of_date, schedule), source, in_freee.person, schedule=schedule)
    return in_freee if in_freee.once_only is outside else replace(in_freee, once_only=outside)
