"""Months and days: which closing month a date belongs to, when it is paid, and what day it is in Japan."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from app.domain.employee import PaySchedule, YearMonth

JAPAN = timezone(timedelta(hours=9), "Asia/Tokyo")
"""Fixed offset: Japan has had no summer time since 1951, and a slim machine may have no time zone tables."""


def closing_month(as_of_date: date, schedule: PaySchedule | None) -> YearMonth:
    """The month in which the payroll period holding this date closes: what freee's API wants as year and month.

    A month that is too short for the closing day closes on its last day, which no date of that month can be after.
    Without a schedule (outside payroll, not known yet) it is the calendar month.
    """
    month = YearMonth(as_of_date.year, as_of_date.month)
    if schedule is None:
        return month
    return month if as_of_date.day <= schedule.closing_day else month.next()


def pay_month(closing: YearMonth, schedule: PaySchedule | None) -> YearMonth:
    """The month in which that period is paid: what people see on freee's screens."""
    if schedule is not None and schedule.paid_next_month:
        return closing.next()
    return closing


def today_in_japan(now: datetime) -> date:
    """The calendar date in Asia/Tokyo at this instant. Raises ValueError for a naive `now`."""
    if now.tzinfo is None:
        raise ValueError("an aware datetime is needed")
    return now.astimezone(JAPAN).date()
