"""What the lists and the settings page tell about connections beside their settings: how their runs have ended."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.names import cleaned
from app.domain.vendors.rates import limiter_keys
from app.storage.enums import ChangeState
from app.storage.repository import Repository, table_of
from app.storage.tables.models import ConnectionTable, FieldChangeTable, ItemTable, RunTable

_CONNECTIONS = table_of(ConnectionTable).c
_TENANTS = select(_CONNECTIONS.id, _CONNECTIONS.smarthr_subdomain, _CONNECTIONS.freee_company_id)


class ConnectionFactsRepository(Repository):
    """`uow.connection_facts`."""

    def last_successes(self, connection_id: int | None = None) -> dict[tuple[int, Direction], datetime]:
        """(connection, direction) → when a run in that direction last ended without a failure, for all connections or
        one. One query."""
        found: dict[tuple[int, Direction], datetime] = {}
        newest = [
            select(RunTable.finished_at)
            .where(
                RunTable.connection_id == ConnectionTable.id,
                RunTable.direction == direction,
                RunTable.state == RunState.SUCCEEDED,
            )
            .order_by(RunTable.id.desc())
            .limit(1)
            .correlate(ConnectionTable)
            .scalar_subquery()
            for direction in Direction
        ]
        query = select(ConnectionTable.id, *newest)
        if connection_id is not None:
            query = query.where(ConnectionTable.id == connection_id)
        for found_id, *moments in self._session.execute(query):
            found |= {(found_id, direction): at for direction, at in zip(Direction, moments, strict=True) if at}
        return found

    def companies(self) -> dict[int, tuple[str, str]]:
        """Connection → name and number (事業所番号) of its freee company, "" where no consent has told them yet."""
        columns = (ConnectionTable.id, ConnectionTable.freee_company_name, ConnectionTable.freee_external_cid)
        found = self._session.execute(select(*columns))
        return {each: (cleaned(name or ""), cleaned(number or "")) for each, name, number in found}

    def limiter_keys(self) -> dict[int, tuple[str, ...]]:
        """Connection → the keys under which the rate limiter knows its two tenants."""
        return {
            each: tuple(limiter_keys(subdomain, company).values())
            for each, subdomain, company in map(tuple, self._run(_TENANTS, {}))
        }

    def written_to_smarthr(self, connection_id: int, *, of_the_last: int = 300) -> frozenset[str]:
        """Keys of FIELDS that SmartHR took with one of the newest items, which proves that the token may write them."""
        items = (
            select(ItemTable.id)
            .where(
                ItemTable.connection_id == connection_id,
                ItemTable.direction == Direction.FREEE_TO_SMARTHR,
                ItemTable.state == ItemState.SUCCEEDED,
            )
            .order_by(ItemTable.id.desc())
            .limit(of_the_last)
        )
        query = select(FieldChangeTable.key).distinct()
        written = (FieldChangeTable.item_id.in_(items), FieldChangeTable.state == ChangeState.WRITTEN)
        return frozenset(self._session.scalars(query.where(*written)))
