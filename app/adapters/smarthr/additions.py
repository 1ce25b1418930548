"""Who was added to a tenant since its crews were listed: SmartHR sorts them by `created_at`, if asked newest first.

Nobody can be added with an earlier `created_at`, so the question ends at the first crew that was there. When the newest
crew that is known is not there any more, nobody can tell whether SmartHR has sorted at all, and everybody is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from app.adapters.listing import End, Pages, moment_in
from app.adapters.records import UNREADABLE
from app.adapters.smarthr.client import Page

MOST_PAGES = 20
Row = Mapping[str, Any]


def end_of(crews: Pages) -> End | None:
    """`ids`: of the crews that came at the newest moment, when that was so short ago that others may still come at the
    same moment."""
    moments = [moment for each in crews.created if (moment := moment_in(each)) is not None]
    if not moments or len(moments) != len(crews.ids) or None in crews.ids:
        return None
    newest, began = max(moments), moment_in(crews.marks[0].get("began"))
    is_over = began is not None and newest < began
    ids = [] if is_over else [each for each, moment in zip(crews.ids, moments, strict=True) if moment == newest]
    return {"newest": newest.isoformat(), "ids": sorted(ids)}


def added_crews(end: End, newest_first: Callable[[int], Page]) -> tuple[list[Row], End] | None:
    """The crews that came after the end, and the new end. `newest_first`: that page of all crews."""
    newest, known = datetime.fromisoformat(end["newest"]), frozenset(end["ids"])
    seen: dict[str, datetime] = {}
    found: dict[str, Row] = {}
    for number in range(1, MOST_PAGES + 1):
        page = newest_first(number)
        for row in page.rows:
            moment = moment_in(row.get("created_at"))
            if UNREADABLE in row or moment is None or not row.get("id"):
                return None
            seen[row["id"]] = moment
            if moment > newest or (moment == newest and known and row["id"] not in known):
                found[row["id"]] = row
        last = min(seen.values(), default=newest)
        if not page.has_next or last < newest or (last == newest and not known):
            break
    else:
        return None
    in_order = all(one >= other for one, other in pairwise(seen.values()))
    if not in_order or not any(moment == newest for each, moment in seen.items() if each not in found):
        return None
    return list(found.values()), _moved(end, {each: seen[each] for each in found})


def _moved(end: End, added: Mapping[str, datetime]) -> End:
    newest = max(added.values(), default=None)
    if newest is None:
        return end
    ids = [each for each, moment in added.items() if moment == newest]
    if newest.isoformat() == end["newest"]:
        ids += end["ids"]
    return {"newest": newest.isoformat(), "ids": sorted(ids)}
