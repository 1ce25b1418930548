"""Lists as SmartHR answers them: filters, sorting, pages, and the headers that tell about pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from app.practice.smarthr.fields import READABLE, WRITABLE

Record = Mapping[str, Any]

PER_PAGE = 10
MOST_PER_PAGE = 100
_DIGITS = 18
"""The most digits of a page's number: a longer number is larger than any a database counts with and makes no sense."""


class BadQuery(ValueError):
    """A parameter that makes no sense; `name` is the parameter."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def chosen(crews: Iterable[Record], query: Mapping[str, str]) -> list[Record]:
    """The stored crews a query asks for. Raises BadQuery for impossible dates and words."""
    tests = [_test(name, value) for name, value in query.items() if value != "" and name in _FILTERS]
    return [crew for crew in crews if all(test(crew) for test in tests)]


def asked_for(query: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """What of a query decides who is listed, and in which order; the same for all pages of a list."""
    return frozenset((name, value) for name, value in query.items() if name in _FILTERS or name == "sort")


def _test(name: str, value: str) -> Callable[[Record], bool]:
    return _FILTERS[name](value)


def _is_one_of(field: str) -> Callable[[str], Callable[[Record], bool]]:
    def make(value: str) -> Callable[[Record], bool]:
        wanted = frozenset(value.split(","))
        return lambda crew: crew.get(field) in wanted

    return make


def _holds_one_of(field: str) -> Callable[[str], Callable[[Record], bool]]:
    def make(value: str) -> Callable[[Record], bool]:
        wanted = frozenset(value.split(","))
        return lambda crew: not wanted.isdisjoint(crew.get(field) or ())

    return make


def _word(field: str) -> Callable[[str], Callable[[Record], bool]]:
    def make(value: str) -> Callable[[Record], bool]:
        if value not in WRITABLE[field]:
            raise BadQuery(field)
        return lambda crew: crew.get(field) == value

    return make


def _same(field: str) -> Callable[[str], Callable[[Record], bool]]:
    return lambda value: lambda crew: crew.get(field) == value


def _day(name: str, field: str, *, is_first: bool) -> Callable[[str], Callable[[Record], bool]]:
    def make(value: str) -> Callable[[Record], bool]:
        try:
            limit = date.fromisoformat(value).isoformat()
        except ValueError as error:
            raise BadQuery(name) from error
        if is_first:
            return lambda crew: (crew.get(field) or "") >= limit
        return lambda crew: "" < (crew.get(field) or "") <= limit

    return make


def _free_text(value: str) -> Callable[[Record], bool]:
    names = ("last_name", "first_name", "business_last_name", "business_first_name")
    return lambda crew: any(value in (crew.get(name) or "") for name in names)


_FILTERS: dict[str, Callable[[str], Callable[[Record], bool]]] = {
    "id": _is_one_of("id"),
    "emp_code": _same("emp_code"),
    "emp_status": _word("emp_status"),
    "gender": _word("gender"),
    "employment_type_id": _is_one_of("employment_type_id"),
    "department_id": _holds_one_of("department_ids"),
    "position_id": _holds_one_of("position_ids"),
    "user_id": _is_one_of("user_id"),
    "entered_at_from": _day("entered_at_from", "entered_at", is_first=True),
    "entered_at_to": _day("entered_at_to", "entered_at", is_first=False),
    "resigned_at_from": _day("resigned_at_from", "resigned_at", is_first=True),
    "resigned_at_to": _day("resigned_at_to", "resigned_at", is_first=False),
    "q": _free_text,
}


def in_order(rows: Iterable[Record], sort: str | None, *, names: Iterable[str] = READABLE) -> list[Record]:
    """The rows sorted as asked, blanks last. Without `sort` by id: no order a client could rely on."""
    result = sorted(rows, key=lambda row: str(row["id"]))
    allowed = set(names)
    for part in reversed([each for each in (sort or "").split(",") if each]):
        name = part.removeprefix("-")
        if name not in allowed:
            raise BadQuery("sort")
        filled = [row for row in result if row.get(name) is not None]
        blank = [row for row in result if row.get(name) is None]
        if not all(isinstance(row[name], str | int) for row in filled):
            raise BadQuery("sort")  # an object or a list has no order
        filled.sort(key=lambda row, name=name: row[name], reverse=part.startswith("-"))  # type: ignore[misc]
        result = filled + blank
    return result


def page_of(
    rows: Sequence[Any], query: Mapping[str, str], *, url: str, too_many_refused: bool = False
) -> tuple[list[Any], dict[str, str]]:
    """The rows of the page asked for and the headers. A page past the end has no rows. Raises BadQuery."""
    page = _count(query, "page", default=1)
    per_page = _count(query, "per_page", default=PER_PAGE)
    if per_page > MOST_PER_PAGE and too_many_refused:
        raise BadQuery("per_page")
    per_page = min(per_page, MOST_PER_PAGE)
    last = max(1, -(-len(rows) // per_page))
    pages = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
    told = {name: number for name, number in pages.items() if name in ("first", "last") or 1 <= number <= last}
    links = [f'<{_page_url(url, query, number)}>; rel="{name}"' for name, number in told.items()]
    headers = {
        "x-total-count": str(len(rows)),
        "x-page": str(page),
        "x-per-page": str(per_page),
        "Link": ", ".join(links),
    }
    return list(rows[(page - 1) * per_page : page * per_page]), headers


def _page_url(url: str, query: Mapping[str, str], page: int) -> str:
    return f"{url}?{urlencode({**query, 'page': str(page)})}"


def _count(query: Mapping[str, str], name: str, *, default: int) -> int:
    text = query.get(name, "")
    if text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS or int(text) < 1:
        raise BadQuery(name)
    return int(text)


def only(row: Mapping[str, Any], fields: str | None) -> dict[str, Any]:
    """The row with the attributes asked for; everything when none are named. Unknown names are ignored."""
    if not fields:
        return dict(row)
    wanted = fields.split(",")
    return {name: value for name, value in row.items() if name in wanted}
