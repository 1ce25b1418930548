"""Who was added to freee's list of all employees since it was read to its end. freee documents no order of that list,
so this counts only where the list came in the order of ids, which grow.

The question begins with the last row that is known: when another one stands there, somebody was deleted, and when it
does, nobody was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from app.adapters.listing import End, Pages
from app.adapters.records import UNREADABLE

MOST_PAGES = 20
Row = Mapping[str, Any]


def end_of(directory: Pages) -> End | None:
    ids = directory.ids
    return {"rows": len(ids), "last": ids[-1]} if ids and _grow(ids) else None


def added_rows(end: End, page_at: Callable[[int], Sequence[Row]], *, page: int) -> tuple[list[Row], End] | None:
    """The rows behind the end, and the new end. `page_at`: the page at this offset; `page`: how long a full one is."""
    found: list[Row] = []
    rows, last = int(end["rows"]), end["last"]
    for _ in range(MOST_PAGES):
        shown = page_at(rows - 1)
        if not shown or any(UNREADABLE in row for row in shown):
            return None
        ids = [row.get("id") for row in shown]
        if ids[0] != last or not _grow(ids):
            return None
        found += shown[1:]
        rows, last = rows + len(shown) - 1, ids[-1]
        if len(shown) < page:
            return found, {"rows": rows, "last": last}
    return None


def _grow(ids: Sequence[Any]) -> bool:
    return all(isinstance(each, int) for each in ids) and all(one < other for one, other in pairwise(ids))
