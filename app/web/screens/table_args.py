"""How an address asks for a table of people: `sort` ("number", "-number"), `q`, `page`; read leniently."""

from __future__ import annotations

from collections.abc import Collection

from flask import request

from app.use_cases.queries.person_tables import OrderBy, PersonOrder, TableLook
from app.web.screens.query_args import LONGEST_SEARCH, whole_number

RESULTS = (OrderBy.ATTENTION, OrderBy.NUMBER, OrderBy.ITEMS, OrderBy.ENDED)
"""What the table of results can be sorted by."""
PLANS = (OrderBy.ATTENTION, OrderBy.NUMBER, OrderBy.KIND, OrderBy.ITEMS, OrderBy.MONTH)
"""What the table of a confirmation can be sorted by."""
LAST_PAGE = 100_000


def table_look(orders: Collection[OrderBy]) -> TableLook:
    """What the address asks for. A text that cannot be shown is no search."""
    typed = request.values.get("q") or request.values.get("number", "")  # as the box was called before it took names
    search = typed.strip()[:LONGEST_SEARCH]
    return TableLook(
        order=_order(request.values.get("sort", ""), orders),
        search=search if search.isprintable() else "",
        page=page_number(),
    )


def page_number() -> int:
    """Which page the address asks for, counted from 1."""
    return min(whole_number("page") or 1, LAST_PAGE)


def _order(given: str, orders: Collection[OrderBy]) -> PersonOrder:
    by = next((each for each in orders if each.value == given.removeprefix("-")), OrderBy.ATTENTION)
    return PersonOrder(by, descending=given == f"-{by.value}")
