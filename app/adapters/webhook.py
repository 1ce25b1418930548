"""What the webhooks of both vendors have in common: a shared secret in a header, and a JSON body to be careful with.

Neither vendor signs its body. So the secret decides whether Awase listens,
and Awase takes nothing of the body but ids: a job reads the employee anew.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from app.domain.vendors.ids import LONGEST_ID, is_id

LONGEST_NAME = 64
MOST_PEOPLE = 20_000
"""How many people one notification may name: enough for an import of all employees of a large company."""


class BadBody(ValueError):
    """The body is no JSON object: it was cut off on the way, or does not come from the vendor at all."""


def secret_matches(given: str | None, secrets: Iterable[str]) -> bool:
    """Whether the header holds one of the secrets. Compares with every one, in constant time; False without secrets."""
    offered = (given or "").encode("utf-8", "surrogateescape")
    found = False
    for secret in secrets:
        same = hmac.compare_digest(offered, secret.encode())
        found = found or (same and bool(secret))
    return found


def json_object(body: bytes) -> Mapping[str, Any]:
    """The body as an object. Raises BadBody."""
    try:
        found = json.loads(body.decode("utf-8-sig"))  # json.loads would read plain bytes as UTF-16 as well
    except (ValueError, RecursionError):  # ValueError: no JSON, no UTF-8
        raise BadBody from None
    if not isinstance(found, dict):
        raise BadBody
    return found


def name_of(value: object) -> str:
    """An event's name in a form that Awase may show: short, visible ASCII; "?" for anything else."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        return "?"
    return value[:LONGEST_NAME] or "?"


def moment_of(value: object) -> datetime | None:
    """An ISO 8601 instant with its zone, else None."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def ids_of(values: Iterable[object]) -> tuple[str, ...]:
    """Each id once, as text. Leaves out values that are no id of a record (`app.domain.vendors.ids`)."""
    found: dict[str, None] = {}
    for value in values:
        text = _text_of(value)
        if is_id(text):
            found[text] = None
        if len(found) >= MOST_PEOPLE:
            break
    return tuple(found)


def delivery_id_of(value: object) -> str | None:
    """The vendor's own id of a delivery, which is only ever compared: any short text of visible ASCII."""
    text = _text_of(value)
    return text if 0 < len(text) <= LONGEST_ID and text.isascii() and text.isprintable() else None


def _text_of(value: object) -> str:
    """Text as it is, a whole number as text, "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18 else ""
