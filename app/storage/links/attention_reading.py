"""Reading who waits for somebody's action: counted by cause, and page by page, the oldest first.

Runs of both directions may find one matter of one pair: a conflict, a broken link. It is one entry, of the direction
towards freee; the row of the other direction is its twin and is not shown.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, and_, exists, func, or_, select

from app.domain.enums import Direction, System, Trigger
from app.storage.links.rows import AttentionRow
from app.storage.repository import Repository, as_row, columns_for, table_of
from app.storage.tables.attention_models import AttentionTable
from app.storage.tables.automatic_models import TroubleTable
from app.storage.tables.models import RunTable

BROKEN = ("E20", "source_deleted")
"""One broken pair, as the two directions tell of it."""
TABLE = table_of(AttentionTable)
ROW = TABLE.c


@dataclass(frozen=True)
class Sought:
    """Whose rows: None for all. `waived`: only those that somebody has left for now, or only the others."""

    today: date
    connections: Collection[int] | None = None
    direction: Direction | None = None
    code: str | None = None
    waived: bool = False

    @property
    def where(self) -> list[ColumnElement[bool]]:
        left = and_(ROW.waived_until.is_not(None), ROW.waived_until > self.today)
        found = [~_is_twin(), left if self.waived else ~left]
        found += [] if self.connections is None else [ROW.connection_id.in_(self.connections)]
        found += [] if self.direction is None else [ROW.direction == self.direction]
        return found + ([] if self.code is None else [ROW.code == self.code])


class CauseCount(NamedTuple):
    """How many people wait for one cause. `of_undo`: what an undo could not put back."""

    connection_id: int
    direction: Direction
    code: str
    of_undo: bool
    people: int
    since: datetime


class Listed(NamedTuple):
    """A row with the public id of the run where its outcome stands (None: it was deleted), and since when automatic
    runs have left the person alone."""

    row: AttentionRow
    run: str | None
    left_alone_since: datetime | None


class AttentionReading(Repository):
    """The queries of `uow.attention`."""

    def of_person(self, connection_id: int, system: System, person_id: str) -> list[AttentionRow]:
        """What waits of one person, whichever side of a direction they are on."""
        (outward,) = (each for each in Direction if each.source is system)
        is_source = and_(ROW.direction == outward, ROW.source_id == person_id)
        is_target = and_(ROW.direction == outward.reverse, ROW.target_id == person_id)
        return self._rows(ROW.connection_id == connection_id, or_(is_source, is_target))

    def of_connection(self, connection_id: int, direction: Direction | None = None) -> list[AttentionRow]:
        """Everybody who waits, twins included, the oldest first."""
        only = () if direction is None else (ROW.direction == direction,)
        return self._rows(ROW.connection_id == connection_id, *only)

    def get(self, row_id: int) -> AttentionRow | None:
        found = self._rows(ROW.id == row_id)
        return found[0] if found else None

    def twins_of(self, row: AttentionRow) -> list[AttentionRow]:
        """The row of the other direction that tells of the same matter."""
        if row.target_id is None:
            return []
        codes = BROKEN if row.code in BROKEN else (row.code,)
        mine = (ROW.connection_id == row.connection_id, ROW.direction == row.direction.reverse)
        return self._rows(*mine, ROW.source_id == row.target_id, ROW.code.in_(codes))

    def causes(self, sought: Sought) -> list[CauseCount]:
        """Who waits, counted by cause, the cause that waits longest at the beginning."""
        of_undo, since = (ROW.trigger == Trigger.UNDO).label("of_undo"), func.min(ROW.since).label("since")
        by = (ROW.connection_id, ROW.direction, ROW.code, of_undo)
        query = select(*by, func.count().label("people"), since).where(*sought.where).group_by(*by).order_by(since)
        return [
            CauseCount(each.connection_id, each.direction, each.code, bool(each.of_undo), each.people, each.since)
            for each in self._session.execute(query)
        ]

    def waived(self, today: date, connections: Collection[int] | None = None) -> int:
        """How many somebody has left for now."""
        sought = Sought(today, connections, waived=True)
        return self._session.scalar(select(func.count()).select_from(TABLE).where(*sought.where)) or 0

    def page(self, sought: Sought, *, after: int | None, limit: int) -> list[Listed]:
        """Who waits, in the order in which they began to wait, from the row behind `after`."""
        query = _LISTED.where(*sought.where, ROW.id > (after or 0))
        return [self._listed(record) for record in self._session.execute(query.order_by(ROW.id).limit(limit))]

    def first_of_each(self, sought: Sought, *, most: int) -> list[Listed]:
        """Of each cause and direction the people who wait longest, so many at most."""
        nth = func.row_number().over(partition_by=(ROW.code, ROW.direction), order_by=ROW.id)
        ranked = select(ROW.id, nth.label("nth")).where(*sought.where).subquery()
        query = _LISTED.where(ROW.id.in_(select(ranked.c.id).where(ranked.c.nth <= most)))
        return [self._listed(record) for record in self._session.execute(query.order_by(ROW.id))]

    def repeatable(self, sought: Sought, *, most: int) -> list[AttentionRow]:
        """Those whom a run over just them can try again: who have a number, and of whom nothing was taken back."""
        query = select(*columns_for(AttentionRow, AttentionTable, "name_enc", "waived_reason_enc"))
        query = query.where(*sought.where, ROW.employee_number != "", ROW.trigger != Trigger.UNDO)
        query = query.where(~ROW.source_id.startswith("?")).order_by(ROW.employee_number, ROW.id).limit(most)
        return [self._row(record) for record in self._session.execute(query)]

    def _rows(self, *where: ColumnElement[bool]) -> list[AttentionRow]:
        query = select(*columns_for(AttentionRow, AttentionTable, "name_enc", "waived_reason_enc"))
        found: Sequence[Row[Any]] = self._session.execute(query.where(*where).order_by(ROW.id)).all()
        return [self._row(record) for record in found]

    def _listed(self, record: Row[Any]) -> Listed:
        return Listed(self._row(record), record.public_id, record.quarantined_at)

    def _row(self, record: Row[Any]) -> AttentionRow:
        name, reason = self._shown(record.name_enc) or "", self._shown(record.waived_reason_enc)
        return as_row(
            AttentionRow,
            record,
            name=name,
            waived_reason=reason,
            item_keys=tuple(record.item_keys),
            mended=tuple(record.mended or ()),
        )


def _is_twin() -> ColumnElement[bool]:
    """The row of the direction towards freee tells of the same matter of the same pair."""
    other = TABLE.alias().c
    same = or_(other.code == ROW.code, and_(other.code.in_(BROKEN), ROW.code.in_(BROKEN)))
    return and_(
        ROW.direction == Direction.FREEE_TO_SMARTHR,
        exists().where(
            other.connection_id == ROW.connection_id,
            other.direction == Direction.SMARTHR_TO_FREEE,
            other.source_id == ROW.target_id,
            same,
        ),
    )


_LISTED = (
    select(*columns_for(AttentionRow, AttentionTable, "name_enc", "waived_reason_enc"))
    .add_columns(RunTable.public_id, TroubleTable.quarantined_at)
    .outerjoin(RunTable, RunTable.id == ROW.run_id)
    .outerjoin(
        TroubleTable,
        and_(
            TroubleTable.connection_id == ROW.connection_id,
            TroubleTable.direction == ROW.direction,
            TroubleTable.source_id == ROW.source_id,
        ),
    )
)
