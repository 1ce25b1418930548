"""Whether a list that comes in pages was read whole. Pure.

Pages shift while people are entered and deleted: who moves over the border of two pages is skipped or comes twice. So
each page leaves a mark with what the vendor announced and where the page begins and ends, and the marks and ids of one
reading are compared. Rows of all readings stay, so what one reading has skipped another one holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.domain.completeness.listed import Listed
from app.domain.errors import TemporaryError
from app.domain.ports import SurveyPage

MARK = "page"
INCOMPLETE = "list_incomplete"
Row = Mapping[str, Any]


@dataclass
class Pages:
    """The pages of one list within one reading. `ids` of the people in the order they came, None for one whose id
    cannot be read."""

    ids: list[Any] = field(default_factory=list)
    marks: list[Row] = field(default_factory=list)
    created: list[str] = field(default_factory=list)

    def add(self, rows: Iterable[Row], page_mark: Row) -> None:
        people = [each.get("employee", each) for each in rows]
        self.ids += [person.get("id") for person in people]
        self.created += [person["created_at"] for person in people if person.get("created_at")]
        self.marks.append(page_mark)

    @property
    def announced(self) -> int | None:
        return self.marks[-1].get("announced") if self.marks else None

    @property
    def nameless(self) -> int:
        return self.ids.count(None)

    @property
    def known(self) -> frozenset[Any]:
        return frozenset(each for each in self.ids if each is not None)

    @property
    def people(self) -> int:
        return len(self.known) + self.nameless

    @property
    def is_whole(self) -> bool:
        totals = {mark.get("announced") for mark in self.marks}
        once = self.people == len(self.ids)
        right = totals == {self.people} or totals == {None} or not totals
        return once and right and self._hangs_together and not self._grew

    @property
    def _hangs_together(self) -> bool:
        """Whether each page begins with the row that the page before it ended with, where the pages overlap."""
        pairs = zip(self.marks, self.marks[1:], strict=False)
        return all(after["begins"] == before["ends"] for before, after in pairs if "begins" in after)

    @property
    def _grew(self) -> bool:
        """Whether somebody was entered while several pages were read: then the number of people is right again although
        somebody else was deleted, and the pages may have shifted."""
        began = moment_in(self.marks[0].get("began")) if len(self.marks) > 1 else None
        return began is not None and any(moment >= began for each in self.created if (moment := moment_in(each)))


def moment_in(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def mark(name: str, *, first: bool, **seen: Any) -> dict[str, Any]:
    """The mark that a page leaves after its rows. `first`: a new reading begins with this page."""
    return {"kind": MARK, "list": name, "first": first, **seen}


def is_mark(row: Row) -> bool:
    return row.get("kind") == MARK


def by_id(rows: Iterable[Row], hold: Callable[[Row], Any] = lambda row: row) -> tuple[dict[Any, Any], list[Row]]:
    """The rows by id, of each id the newest, and those whose id cannot be read, of those alike one. `hold`: how the
    known ones are kept."""
    known: dict[Any, Any] = {}
    nameless: list[Row] = []
    for row in rows:
        if is_mark(row):
            continue
        if row.get("id") is not None:
            known[row["id"]] = hold(row)
        elif row not in nameless:
            nameless.append(row)
    return known, nameless


def readings_of(rows: Iterable[Row]) -> Iterator[dict[str, Pages]]:
    """Each reading as its lists by name."""
    lists: dict[str, Pages] = {}
    waiting: list[Row] = []
    for row in rows:
        if not is_mark(row):
            waiting.append(row)
            continue
        if row["first"] and lists:
            yield lists
            lists = {}
        lists.setdefault(row["list"], Pages()).add(waiting, row)
        waiting = []
    if lists:
        yield lists


End = Mapping[str, Any]


def listed(
    readings: Sequence[Mapping[str, Pages]], *, directory: str, end_of: Callable[[Pages], End | None] = lambda _: None
) -> Listed:
    """What the readings of a system say together. `directory`: the name of the list of everybody; nobody stands in
    another list who is not there, but for those whose id could not be read there. `end_of`: where that list ended."""
    last = readings[-1] if readings else {}
    everybody = last.get(directory, Pages())
    strangers = {each for name, pages in last.items() if name != directory for each in pages.known} - everybody.known
    whole = all(pages.is_whole for pages in last.values()) and len(strangers) <= everybody.nameless
    missing = [pages.announced - pages.people for pages in last.values() if pages.announced is not None]
    end = end_of(everybody) if whole else None
    return Listed(len(readings), whole=whole, missing=max([0, *missing]), end=end)


def read_whole(read_page: Callable[[str | None], SurveyPage], listed_of: Callable[[list[Row]], Listed]) -> list[Row]:
    """The rows of a list from its beginning to its end, read again while it shifts. Raises
    TemporaryError("list_incomplete")."""
    rows: list[Row] = []
    while True:
        cursor: str | None = None
        while True:
            page = read_page(cursor)
            rows.extend(page.kept)
            cursor = page.next_cursor
            if cursor is None:
                break
        found = listed_of(rows)
        if found.whole:
            return rows
        if found.is_final:
            raise TemporaryError(INCOMPLETE, f"missing: {found.missing}")
