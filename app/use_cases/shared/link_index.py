"""The links of one connection, and of the other connections to the same tenant or company, found from either side."""

from __future__ import annotations

from app.domain.matching.linking import LinkIndex
from app.storage.unit_of_work import UnitOfWork


def link_index(uow: UnitOfWork, connection_id: int) -> LinkIndex:
    return LinkIndex(
        [(link.smarthr_id, link.freee_id) for link in uow.links.for_connection(connection_id)],
        broken=[(link.smarthr_id, link.freee_id) for link in uow.links.broken(connection_id)],
        different=uow.links.different(connection_id),
        elsewhere=uow.links.elsewhere(connection_id),
    )
