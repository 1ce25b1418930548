"""The links of one connection, and of the other connections to the same tenant or company, found from either side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.domain.employee import Person
from app.domain.enums import System
from app.domain.matching.linking import LinkIndex
from app.storage.links.rows import LinkRow
from app.storage.unit_of_work import UnitOfWork


def link_index(uow: UnitOfWork, connection_id: int, pairs: Sequence[tuple[int, str, str]] | None = None) -> LinkIndex:
    """`pairs`: the links as `uow.links.pairs` tells them, for whoever has read them already."""
    return LinkIndex(
        [pair[1:] for pair in (uow.links.pairs(connection_id) if pairs is None else pairs)],
        broken=_pairs(uow.links.broken(connection_id)),
        different=uow.links.different(connection_id),
        elsewhere=uow.links.elsewhere(connection_id),
    )


def links_among(uow: UnitOfWork, connection_id: int, people: Sequence[Person]) -> LinkIndex:
    """The same as far as it is about these people, however many others there are."""
    ids = {system: [each.id for each in people if each.system is system] for system in System}
    live = uow.links.page(connection_id, after=None, limit=2 * len(people), people=ids)
    elsewhere = [found for each in people for found in uow.links.elsewhere(connection_id, each.id)]
    return LinkIndex(
        _pairs(live),
        broken=_pairs(uow.links.broken(connection_id)),
        different=uow.links.different(connection_id),
        elsewhere=elsewhere,
    )


def _pairs(links: Sequence[LinkRow]) -> Iterator[tuple[str, str]]:
    return ((link.smarthr_id, link.freee_id) for link in links)
