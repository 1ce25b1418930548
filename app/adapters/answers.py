"""A vendor's answer: reads its JSON through a schema, and tells the wait for which the vendor asks.

What comes back need not come from the vendor: a proxy, a firewall or a sign-in page may stand between. So an answer
says something about the vendor only in the vendor's own form; any other is a doubt (`from_between`), whatever its
status. Headers are read in the same spirit: a number or a date that makes no sense is as good as none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from marshmallow import ValidationError

from app.adapters.records import field_paths
from app.domain.errors import TemporaryError

MAX_CLOSED_SECONDS = 3600.0
DEFAULT_CLOSED_SECONDS = 60.0
NOT_THE_VENDOR = "not_the_vendor"
_LONGEST_COUNT = 9
"""Digits of the largest count that a header may tell. int() refuses texts of some thousand digits."""
_MOST_DIGITS = 40
"""A number with more digits is none that a vendor has."""


class AnswerSchema(Protocol):
    """What reads the JSON of an answer: a schema, or records each by itself."""

    def load(self, raw: Any, /) -> Any:
        """The parsed answer. Raises ValidationError."""
        ...


@dataclass(frozen=True)
class Response:
    """An answer read to its end. `headers` compare without case; `is_read` tells whether the request only read."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    is_read: bool = True

    @property
    def text(self) -> str:
        """The body as text for people and patterns, with replacement signs where it is not UTF-8."""
        return self.content.decode("utf-8-sig", "replace")

    def json(self) -> Any:
        """The body as JSON; None when it is no JSON, because error bodies may be HTML or empty."""
        try:
            return _parse_json(self.content)
        except ValueError:
            return None


@dataclass(frozen=True)
class Answer:
    """A successful answer, parsed by the schema. `payload` is None when the caller gave no schema."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    payload: Any = field(repr=False)


def load_answer(response: Response, schema: AnswerSchema | None) -> Any:
    """The body through the schema; None without one. Raises TemporaryError: "unreadable_answer" naming fields, never
    values, or "not_the_vendor" for what no vendor sends with a success (a sign-in page, nothing where a record is due).
    """
    if schema is None:
        if response.content.strip() and response.json() is None:
            raise from_between(response)
        return None
    try:
        return schema.load(_parse_json(response.content))
    except ValidationError as error:
        detail = "fields: " + ", ".join(path or "whole answer" for path in field_paths(error))
    except ValueError:
        if not _is_damaged_json(response):
            raise from_between(response) from None
        detail = "not JSON"
    raise TemporaryError("unreadable_answer", detail, outcome_unknown=not response.is_read)


def from_between(
    response: Response, *, retry_after_at_least: float | None = None, closes_connection: bool = False
) -> TemporaryError:
    """The error for an answer that is not in the vendor's own form: it says nothing about the vendor, the token or the
    person. A write may have been carried out all the same."""
    wished = [seconds for seconds in (retry_after(response), retry_after_at_least) if seconds is not None]
    return TemporaryError(
        NOT_THE_VENDOR,
        f"status {response.status}, {_kind_of(response)}",
        retry_after=max(wished, default=None),
        closes_connection=closes_connection,
        outcome_unknown=not response.is_read,
    )


def over_limit(response: Response, seconds: float | None) -> TemporaryError:
    """The error for a 429. Neither vendor promises a form for it, but a page instead of data may come from a box that
    has let the write through."""
    strange = bool(response.content.strip()) and response.json() is None
    return TemporaryError(
        "rate_limited",
        retry_after=seconds,
        counts=False,
        closes_connection=True,
        outcome_unknown=strange and not response.is_read,
    )


def _kind_of(response: Response) -> str:
    """What kind of body it is, for people who look for the box that sent it. Nothing of the body itself."""
    body = response.content.strip()
    if not body:
        return "empty"
    if body.startswith(b"<"):
        return "HTML"
    return "another JSON" if response.json() is not None else "no JSON"


def _is_damaged_json(response: Response) -> bool:
    """Whether a body that is no JSON was meant to be: the vendor's own answer, damaged on its way."""
    body = response.content.strip()
    said = "json" in response.headers.get("Content-Type", "").lower()
    return body.startswith((b"{", b"[")) or (said and bool(body) and not body.startswith(b"<"))


def within_an_hour(seconds: float | None) -> float:
    """The wait for which a vendor asked, made sane: 1 s to 1 h, 60 s when it named none (or no number)."""
    if seconds is None or math.isnan(seconds):
        return DEFAULT_CLOSED_SECONDS
    return min(max(seconds, 1.0), MAX_CLOSED_SECONDS)


def retry_after(response: Response) -> float | None:
    """Seconds of the Retry-After header (a number or an HTTP date); the longest where the header comes repeatedly. A
    moment in the past is negative.

    None when the header is missing or says nothing sensible: an empty text, no number, a date that cannot be.
    """
    text = response.headers.get("Retry-After", "").strip()
    moment = _http_date(text)
    if moment is not None:
        return (moment - server_time(response)).total_seconds()
    return max((wait for part in text.split(", ") if (wait := number_in(part)) is not None), default=None)


def number_in(text: str) -> float | None:
    """A number of a header; None for anything else."""
    try:
        number = float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def count_in(text: str) -> int | None:
    """A count of a header; None for anything that no list can have."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_COUNT else None


def server_time(response: Response | Answer) -> datetime:
    """The vendor's own time (Date header), so that a wrong clock here shortens no wait; our time without a header."""
    return _http_date(response.headers.get("Date", "")) or datetime.now(UTC)


def _http_date(text: str) -> datetime | None:
    """An HTTP date, which is UTC where it names no zone; None for anything else."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):  # parsedate_to_datetime raises all of them
        return None


def _parse_json(content: bytes) -> Any:
    """JSON in UTF-8. Raises ValueError, also for nesting that no honest answer has.

    A value that cannot be a value (NaN, a number without bounds, a name that stands twice in an object) is read as NaN,
    which no schema takes: so it is a fault of its own field, and not of the whole answer.
    """
    try:
        return json.loads(
            content.decode("utf-8-sig"),
            parse_constant=_no_number,
            parse_float=_float,
            parse_int=_integer,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_number(_text: str) -> float:
    return math.nan


def _float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else math.nan


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _MOST_DIGITS else math.nan


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: dict[str, Any] = {}
        for name, value in pairs:
            if name in seen and (seen[name] != value or type(seen[name]) is not type(value)):
                found[name] = math.nan
            seen[name] = value
    return found
