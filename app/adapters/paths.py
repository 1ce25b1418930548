"""Ids in the paths of vendor calls: what is not plainly an id never becomes part of a request.

`requests` and urllib3 take dot segments out of a path, and unquote `%2E` before: `/crews/..` would become a call of
another kind, with our token. No quoting prevents that, so odd text is refused instead.
"""

from __future__ import annotations

import re

from app.domain.errors import ItemError
from app.domain.vendors.ids import is_id

_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def segment(record_id: str | int) -> str:
    """The id as one segment of a path. Raises ItemError("E20") for text that is no id."""
    text = str(record_id)
    if not is_id(text):
        raise ItemError("E20", "not an id")
    return text


def number(record_id: str) -> int:
    """An id that is a whole number. Raises ItemError("E20") for any other text."""
    if not (is_id(record_id) and record_id.isdecimal()):
        raise ItemError("E20", "not an id")
    return int(record_id)


def check_path(path: str) -> None:
    """Raises ItemError("E20") for a path that no server gets as it stands: one with an empty or a dot segment, a query,
    a fragment, or a sign that would be quoted."""
    if not path.startswith("/") or not all(_PART.fullmatch(part) for part in path[1:].split("/")):
        raise ItemError("E20", "not a path")
