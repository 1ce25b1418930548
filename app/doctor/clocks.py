"""Whether another machine's clock agrees with ours: leases, tokens and time limits are compared across machines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from app.safety.findings import Finding, bad, notice, ok

NOTICED_SECONDS = 5.0
"""A Date header counts whole seconds and an answer is on its way for a while."""
BAD_SECONDS = 60.0
CLOCK_REMEDY = "時刻の同期(NTP)を両方のマシンで確かめてください。"


def compare(name: str, label: str, theirs: datetime | None, *, bad_from: float = BAD_SECONDS) -> Iterator[Finding]:
    """One finding about their clock, read just now; none when they tell no time."""
    if theirs is None:
        return
    off = (theirs - datetime.now(UTC)).total_seconds()
    told = f"{label}の時計は、このマシンより {abs(off):.0f} 秒{'進んで' if off > 0 else '遅れて'}います。"
    if abs(off) >= bad_from:
        yield bad(f"{name}_clock", told, CLOCK_REMEDY)
    elif abs(off) >= NOTICED_SECONDS:
        yield notice(f"{name}_clock", told, CLOCK_REMEDY)
    else:
        yield ok(f"{name}_clock_ok", f"{label}の時計は合っています。")


def of_header(date: str | None) -> datetime | None:
    """The moment of a Date header; None without one, or for one that is no date."""
    try:
        found = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
