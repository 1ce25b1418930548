"""Closing month, pay month, and the day in Japan."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.employee import PaySchedule, YearMonth
from app.domain.runs.dates import closing_month, pay_month, today_in_japan


def schedule(closing_day: int, *, next_month: bool = False) -> PaySchedule:
    return PaySchedule(closing_day=closing_day, pay_day=25, paid_next_month=next_month)


@pytest.mark.parametrize(
    ("as_of_date", "closing_day", "expected"),
    [
        # month end: every day belongs to its own month, in months of any length
        ("2024-01-31", 31, "2024-01"),
        ("2024-02-29", 31, "2024-02"),
        ("2023-02-28", 31, "2023-02"),
        ("2024-04-30", 31, "2024-04"),
        ("2024-12-31", 31, "2024-12"),
        # 29 and 30 in a shorter month mean its end
        ("2023-02-28", 29, "2023-02"),
        ("2023-02-28", 30, "2023-02"),
        ("2024-02-29", 29, "2024-02"),
        ("2024-02-29", 30, "2024-02"),
        ("2024-02-29", 28, "2024-03"),
        # and in a longer one the day itself
        ("2024-01-29", 29, "2024-01"),
        ("2024-01-30", 29, "2024-02"),
        ("2024-01-30", 30, "2024-01"),
        ("2024-01-31", 30, "2024-02"),
        ("2024-04-30", 30, "2024-04"),
        # the middle of a month, both sides of the closing day
        ("2024-06-14", 15, "2024-06"),
        ("2024-06-15", 15, "2024-06"),
        ("2024-06-16", 15, "2024-07"),
        ("2024-06-01", 1, "2024-06"),
        ("2024-06-02", 1, "2024-07"),
        # year end
        ("2024-12-20", 20, "2024-12"),
        ("2024-12-21", 20, "2025-01"),
        ("2025-01-01", 20, "2025-01"),
        ("2024-12-31", 30, "2025-01"),
    ],
)
@pytest.mark.parametrize("next_month", [False, True])
def test_the_closing_month_holds_the_date(as_of_date: str, closing_day: int, expected: str, next_month: bool) -> None:
    found = closing_month(date.fromisoformat(as_of_date), schedule(closing_day, next_month=next_month))
    assert str(found) == expected


def test_without_a_schedule_it_is_the_calendar_month() -> None:
    assert closing_month(date(2024, 12, 31), None) == YearMonth(2024, 12)
    assert pay_month(YearMonth(2024, 12), None) == YearMonth(2024, 12)


def test_run_in_january_takes_effect_as_documented() -> None:
    """Same-month and next-month payers, as people know them from freee's screens."""
    run_on = date(2019, 1, 10)
    for paid_next_month, effective in ((False, "2019-01"), (True, "2019-02")):
        group = schedule(31, next_month=paid_next_month)
        assert str(pay_month(closing_month(run_on, group), group)) == effective


def test_next_month_pay_crosses_the_year() -> None:
    group = schedule(20, next_month=True)
    assert pay_month(closing_month(date(2024, 12, 20), group), group) == YearMonth(2025, 1)
    assert pay_month(closing_month(date(2024, 12, 21), group), group) == YearMonth(2025, 2)


@given(st.dates(date(2000, 1, 1), date(2100, 11, 30)), st.integers(1, 31))
def test_periods_cover_every_day_once(day: date, closing_day: int) -> None:
    """The closing month never goes back, never jumps, and changes exactly on the day after a closing."""
    today, tomorrow = (closing_month(d, schedule(closing_day)) for d in (day, day + timedelta(days=1)))
    assert tomorrow in (today, today.next())
    closes = day.day == closing_day or (closing_day > day.day and (day + timedelta(days=1)).day == 1)
    assert (tomorrow != today) == closes


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("2024-03-31T14:59:59+00:00", "2024-03-31"),
        ("2024-03-31T15:00:00+00:00", "2024-04-01"),
        ("2023-12-31T15:00:00+00:00", "2024-01-01"),
        ("2024-02-28T20:00:00-05:00", "2024-02-29"),
        ("2024-04-01T00:00:00+09:00", "2024-04-01"),
    ],
)
def test_the_day_is_the_one_in_tokyo(instant: str, expected: str) -> None:
    assert today_in_japan(datetime.fromisoformat(instant)).isoformat() == expected


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        today_in_japan(datetime(2024, 4, 1, tzinfo=UTC).replace(tzinfo=None))


def test_a_month_is_read_as_it_is_written() -> None:
    for month in (YearMonth(2026, 1), YearMonth(2026, 11), YearMonth(999, 12)):
        assert YearMonth.parse(str(month)) == month
    assert str(YearMonth(999, 2)) == "0999-02"


@pytest.mark.parametrize("text", ["2026-00", "2026-13", "2026-11-22", "2026", "", "2026-x", "x-11"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a month"):
        YearMonth.parse(text)
