"""What an address asks for, read leniently: a value that is no number or no moment counts as not given."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import request

from app.domain.runs.dates import JAPAN

_MOST = 2**63 - 1
LONGEST_SEARCH = 100


def whole_number(name: str) -> int | None:
    """A number above zero that the database can hold; None for anything else."""
    given = request.values.get(name, "")
    if not given.isascii() or not given.isdecimal() or not 0 < int(given[:20]) <= _MOST:
        return None
    return int(given)


def instant(name: str) -> datetime | None:
    """A moment as <input type="datetime-local"> sends it, in Japan's time without a zone; None for anything else."""
    try:
        given = datetime.fromisoformat(request.values.get(name, ""))
    except ValueError:
        return None
    return (given if given.tzinfo else given.replace(tzinfo=JAPAN)).astimezone(UTC)
