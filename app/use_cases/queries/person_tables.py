"""Tables of a run's people that a person sorts, searches and turns page by page: the results and the confirmation."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.domain.enums import System
from app.storage.links.finding import Sought
from app.storage.runs.person_orders import OrderBy, PersonOrder
from app.storage.runs.preview_selection import Asked, Listed
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork

__all__ = ["OrderBy", "PersonOrder", "TableCut", "TableLook", "cut_table", "is_by_name"]


@dataclass(frozen=True)
class TableLook:
    """How the user looks at a table. `search`: how number, name or kana begins; `page`: from 1."""

    order: PersonOrder = field(default_factory=PersonOrder)
    search: str = field(default="", repr=False)
    page: int = 1


@dataclass(frozen=True)
class TableCut:
    """Which part of a table a page shows. `by_name` False: the search cannot know the names of all, so it may have
    missed somebody."""

    total: int = 0
    page: int = 1
    size: int = 1
    by_name: bool = True

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        return (self.page - 1) * self.size + 1

    @property
    def last(self) -> int:
        return min(self.total, self.page * self.size)


def cut_table(
    uow: UnitOfWork, asked: Asked, look: TableLook, *, size: int, everybody: int | None = None
) -> tuple[Listed, TableCut]:
    """The rows of one page. A page behind the last one is the last one. `everybody`: how many people the table has
    without a search, where the caller knows."""
    found = uow.preview_selection.listed(asked, look.order, page=look.page, size=size, everybody=everybody)
    return found, TableCut(found.total, found.page, size, is_by_name(uow, asked.run, asked.sought))


def is_by_name(uow: UnitOfWork, run: RunRow, wanted: Sought | None) -> bool:
    """Whether a search for these people knows the names of everybody in the list of the run's source."""
    source: list[System] = [run.direction.source]
    return wanted is None or uow.links.is_nobody_nameless(run.connection_id, source, wanted)
