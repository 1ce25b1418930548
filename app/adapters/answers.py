"""A vendor's answer: reads its JSON through a schema, and tells the wait for which the vendor asks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from marshmallow import Schema, ValidationError

from app.domain.errors import TemporaryError

MAX_CLOSED_SECONDS = 3600.0
DEFAULT_CLOSED_SECONDS = 60.0


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


def load_answer(response: Response, schema: Schema | None) -> Any:
    """The body through the schema. Raises TemporaryError("unreadable_answer") naming fields, never values."""
    if schema is None:
        return None
    try:
        return schema.load(_parse_json(response.content))
    except ValidationError as error:
        detail = "fields: " + ", ".join(sorted(_field_paths(error.messages_dict))[:10])
    except ValueError:
        detail = "not JSON"
    raise TemporaryError("unreadable_answer", detail, outcome_unknown=not response.is_read)


def within_an_hour(seconds: float | None) -> float:
    """The wait for which a vendor asked, made sane: 1 s to 1 h, 60 s when it named none (or no number)."""
    if seconds is None or math.isnan(seconds):
        return DEFAULT_CLOSED_SECONDS
    return min(max(seconds, 1.0), MAX_CLOSED_SECONDS)


def retry_after(response: Response) -> float | None:
    """Seconds of the Retry-After header (a number or an HTTP date). A moment in the past is negative.

    None when the header is missing or says nothing sensible: an empty text, no number, a date that cannot be.
    """
    text = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return None if math.isnan(seconds) else seconds
    moment = _http_date(text)
    return (moment - server_time(response)).total_seconds() if moment else None


def server_time(response: Response) -> datetime:
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
    """JSON in UTF-8 as the standard says (no NaN). Raises ValueError, also for nesting that no honest answer has."""
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _field_paths(messages: Mapping[Any, Any], prefix: str = "") -> set[str]:
    """`{3: {"address": {"city": […]}}}` → {"address.city"}: positions in lists are left out."""
    found = set()
    for name, inner in messages.items():
        path = prefix if isinstance(name, int) else f"{prefix}.{name}".lstrip(".")
        found |= _field_paths(inner, path) if isinstance(inner, Mapping) else {path}
    return found
