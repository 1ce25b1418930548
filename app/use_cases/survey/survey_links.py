"""The links of a connection as a survey needs them: the agreements of a large company take ten times the memory of its
people, so they are read in portions, in the order in which the people are planned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from app.domain.matching.linking import LinkIndex
from app.storage.links.rows import LinkRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.link_index import link_index
from app.use_cases.survey.portions import PORTION

Fetch = Callable[[Sequence[int]], Iterable[LinkRow]]


class SurveyLinks:
    def __init__(self, pairs: Iterable[tuple[int, str, str]], fetch: Fetch) -> None:
        """`pairs`: (id, smarthr id, freee id) of each link; `fetch`: the links with these ids."""
        self._ids = {smarthr_id: link_id for link_id, smarthr_id, _ in pairs}
        self._order, self._next = list(self._ids.values()), 0
        self._fetch = fetch
        self._open: dict[int, LinkRow] = {}

    def __iter__(self) -> Iterator[str]:
        """The SmartHR ids of all linked people."""
        return iter(self._ids)

    def in_order_of(self, smarthr_ids: Iterable[str | None]) -> None:
        """From now on these are asked for in this order."""
        self._order = [link_id for each in smarthr_ids if each and (link_id := self._ids.get(each)) is not None]
        self._next = 0

    def of(self, smarthr_id: str) -> LinkRow | None:
        link_id = self._ids.get(smarthr_id)
        if link_id is None:
            return None
        if link_id not in self._open:
            self._open = {link.id: link for link in self._fetch(self._portion(link_id))}
        return self._open.get(link_id)  # None: it went with its connection a moment ago

    def _portion(self, link_id: int) -> Sequence[int]:
        """This link and those that will be asked for after it."""
        start = self._place(link_id)
        if start is None:
            return [link_id]
        self._next = start + PORTION
        return self._order[start : self._next]

    def _place(self, link_id: int) -> int | None:
        if self._next < len(self._order) and self._order[self._next] == link_id:
            return self._next
        return self._order.index(link_id) if link_id in self._order else None


def all_links(ctx: Context, uow: UnitOfWork, connection_id: int) -> tuple[SurveyLinks, LinkIndex]:
    pairs = uow.links.pairs(connection_id)
    return SurveyLinks(pairs, lambda ids: _fetched(ctx, ids)), link_index(uow, connection_id, pairs)


def _fetched(ctx: Context, link_ids: Sequence[int]) -> list[LinkRow]:
    with ctx.unit_of_work().reading() as uow:
        return uow.links.of_ids(link_ids)
