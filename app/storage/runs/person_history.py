"""What runs have done with one person, whichever system was the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import and_, or_, select

from app.domain.enums import Direction, System, Trigger
from app.storage.runs.item_reading import ItemReading
from app.storage.runs.rows import ItemRow
from app.storage.tables.models import ItemTable, RunTable


@dataclass(frozen=True)
class PastRow:
    """An item with the public id and the trigger of its run."""

    item: ItemRow
    run: str
    trigger: Trigger


class PersonHistoryRepository(ItemReading):
    """`uow.history_of_people`."""

    def of_person(
        self, connection_id: int, ids: Mapping[System, str], *, before: int | None, limit: int
    ) -> list[PastRow]:
        """The newest items first, older than the item `before`. `ids`: the person's id in each system, "" for none."""
        known = {direction: ids.get(direction.source, "") for direction in Direction}
        theirs = [
            and_(ItemTable.direction == direction, ItemTable.source_id == each)
            for direction, each in known.items()
            if each
        ]
        if not theirs:
            return []
        query = (
            select(ItemTable, RunTable.public_id, RunTable.trigger)
            .join(RunTable, RunTable.id == ItemTable.run_id)
            .where(
                ItemTable.connection_id == connection_id,
                ItemTable.source_id.in_([each for each in known.values() if each]),  # for the index
                or_(*theirs),
            )
        )
        if before is not None:
            query = query.where(ItemTable.id < before)
        rows = self._session.execute(query.order_by(ItemTable.id.desc()).limit(limit))
        return [PastRow(self._row(record), run, trigger) for record, run, trigger in rows]
