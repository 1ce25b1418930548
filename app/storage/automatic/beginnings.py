"""Beginnings: the directions whose automatic sync begins with a preview, and what was not chosen when it began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, select

from app.domain.enums import Direction, Trigger
from app.domain.planning.beginning import BeginReason
from app.domain.runs.run_state import ItemState, RunState
from app.storage.automatic.rows import BeginningRow
from app.storage.repository import Repository, as_row, columns_for, table_of
from app.storage.tables.automatic_models import BeginningTable, DeclinedTable
from app.storage.tables.models import ConnectionTable, ItemTable, RunTable


class Waiting(NamedTuple):
    """`preview`: public id of the preview that waits for a person, None while there is none. `gathered`: how many
    people webhooks have asked for meanwhile."""

    mark: BeginningRow
    preview: str | None
    gathered: int


_MARKS, _NOT_CHOSEN = table_of(BeginningTable), table_of(DeclinedTable)
_MARK = select(*columns_for(BeginningRow, BeginningTable)).where(
    _MARKS.c.connection_id == bindparam("connection_"), _MARKS.c.direction == bindparam("direction_")
)
_MINE = (
    _NOT_CHOSEN.c.connection_id == bindparam("connection_"),
    _NOT_CHOSEN.c.direction == bindparam("direction_"),
)
_DECLINED = select(_NOT_CHOSEN.c.changes).where(*_MINE, _NOT_CHOSEN.c.source_id == bindparam("person_"))
_FORGET = delete(_NOT_CHOSEN).where(*_MINE, _NOT_CHOSEN.c.source_id.in_(bindparam("people_", expanding=True)))


class BeginningRepository(Repository):
    """`uow.beginnings`."""

    def lock(self, connection_id: int) -> None:
        """Let one transaction at a time decide about the beginnings of a connection. Everybody takes this lock before
        the rows of marks and runs. (SQLite has one writer anyway.)"""
        row = select(ConnectionTable.id).where(ConnectionTable.id == connection_id).with_for_update()
        self._session.execute(row)

    def get(self, connection_id: int, direction: Direction) -> BeginningRow | None:
        record = self._first(_MARK, {"connection_": connection_id, "direction_": direction})
        return None if record is None else as_row(BeginningRow, record)

    def all(self, connection_id: int | None = None) -> list[BeginningRow]:
        """Of one connection, or of all."""
        query = select(BeginningTable).order_by(BeginningTable.connection_id, BeginningTable.direction)
        if connection_id is not None:
            query = query.where(BeginningTable.connection_id == connection_id)
        return [as_row(BeginningRow, record) for record in self._session.scalars(query)]

    def mark(self, connection_id: int, direction: Direction, reason: BeginReason, *, now: datetime) -> None:
        """The next comparison of this direction is a preview. A mark that stands gets the new reason and moment."""
        record = self._session.get(BeginningTable, (connection_id, direction), populate_existing=True)
        if record is None:
            record = BeginningTable(connection_id=connection_id, direction=direction, since=now)
            self._session.add(record)
        record.reason, record.changed_at = reason, now
        self._session.flush()

    def remove(self, connection_id: int, direction: Direction, *, begun_at: datetime | None = None) -> bool:
        """Take the mark away. `begun_at`: when the preview began that a person approved; a mark set later stays. False:
        there is none (any more)."""
        mine = [BeginningTable.connection_id == connection_id, BeginningTable.direction == direction]
        if begun_at is not None:
            mine.append(BeginningTable.changed_at <= begun_at)
        return self._changed(delete(BeginningTable).where(*mine)) == 1

    # ── previews ──────────────────────────────────────────────────────────────────────────────────────────────────

    def undecided(self, connection_id: int, direction: Direction) -> list[int]:
        """The comparisons of this direction that have not ended and that no person has approved."""
        query = select(RunTable.id).where(
            RunTable.connection_id == connection_id,
            RunTable.direction == direction,
            RunTable.trigger == Trigger.SCHEDULE,
            RunTable.finished_at.is_(None),
            RunTable.ends_as.is_(None),
            RunTable.approved_at.is_(None),
        )
        return list(self._session.scalars(query))

    def overview(self, connection_id: int | None = None) -> list[Waiting]:
        """What waits for an approval, of one connection or of all. One query."""
        mine = (RunTable.connection_id == BeginningTable.connection_id, RunTable.direction == BeginningTable.direction)
        previewed = (RunTable.trigger == Trigger.SCHEDULE, RunTable.dry_run, RunTable.state == RunState.PREVIEWED)
        preview = select(func.max(RunTable.public_id)).where(*mine, *previewed, RunTable.ends_as.is_(None))
        gathering = (RunTable.state == RunState.WAITING, RunTable.gather_until.is_not(None), RunTable.ends_as.is_(None))
        gathered = (
            select(func.count(ItemTable.source_id.distinct()))
            .join(RunTable, RunTable.id == ItemTable.run_id)
            .where(*mine, *gathering, ItemTable.state == ItemState.WAITING)
        )
        query = select(
            BeginningTable, *(each.correlate(BeginningTable).scalar_subquery() for each in (preview, gathered))
        )
        if connection_id is not None:
            query = query.where(BeginningTable.connection_id == connection_id)
        ordered = query.order_by(BeginningTable.connection_id, BeginningTable.direction)
        return [Waiting(as_row(BeginningRow, row[0]), row[1], row[2]) for row in self._session.execute(ordered)]

    # ── what was not chosen ───────────────────────────────────────────────────────────────────────────────────────

    def decline(
        self, connection_id: int, direction: Direction, people: Mapping[str, Mapping[str, str]], *, now: datetime
    ) -> None:
        """Remember of each person (by the source's id) what was not chosen (`domain.planning.declined`)."""
        for source_id, changes in people.items():
            key = (connection_id, direction, source_id)
            record = self._session.get(DeclinedTable, key, populate_existing=True)
            if record is None:
                record = DeclinedTable(connection_id=connection_id, direction=direction, source_id=source_id)
                self._session.add(record)
            record.changes, record.at = {**(record.changes or {}), **changes}, now
        self._session.flush()

    def renew_declined(
        self, connection_id: int, direction: Direction, source_id: str, changes: Mapping[str, str]
    ) -> None:
        """Replace digests of what rests by those of the same values under another key."""
        record = self._session.get(DeclinedTable, (connection_id, direction, source_id), populate_existing=True)
        if record is not None:
            record.changes = {**record.changes, **{key: made for key, made in changes.items() if key in record.changes}}
            self._session.flush()

    def declined(self, connection_id: int, direction: Direction) -> dict[str, dict[str, str]]:
        """Source id → what was not chosen for this person."""
        query = select(DeclinedTable.source_id, DeclinedTable.changes).where(
            DeclinedTable.connection_id == connection_id, DeclinedTable.direction == direction
        )
        return {source_id: dict(changes) for source_id, changes in self._session.execute(query)}

    def declined_of(self, connection_id: int, direction: Direction, source_id: str) -> dict[str, str]:
        of_whom = {"connection_": connection_id, "direction_": direction, "person_": source_id}
        record = self._first(_DECLINED, of_whom)
        return {} if record is None else dict(record.changes)

    def forget_declined(self, connection_id: int, direction: Direction, source_ids: Sequence[str]) -> None:
        """These people are equal on both sides by now, or a person has chosen them."""
        for start in range(0, len(source_ids), 500):
            people = {"people_": list(source_ids[start : start + 500])}
            self._run(_FORGET, {"connection_": connection_id, "direction_": direction, **people})
