"""Stopped changes: pieces of plans that wait for a person, and what was written unasked within the last day.

`lock` makes the transactions of one connection that decide on these wait for each other. Only what such a transaction
reads after the lock may be decided on: two workers that ask at the same moment whether the day has room for one more
account see each other's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, or_, select, update

from app.domain.enums import Direction, Trigger
from app.domain.planning.mass_change import DAY, Effect, as_text
from app.domain.planning.stopping import Piece, Stopped, StopReason, StopState
from app.domain.runs.run_state import ItemState, RunState
from app.storage.repository import Repository, as_row, columns_for, table_of
from app.storage.runs.rows import RunRow
from app.storage.tables.models import ConnectionTable, ItemTable, RunTable
from app.storage.tables.stopped_models import StoppedChangeTable, UnaskedWriteTable

T = TypeVar("T")
CHUNK = 500


@dataclass(frozen=True)
class StoppedRow:
    id: int
    connection_id: int
    direction: Direction
    source_id: str
    target_id: str | None
    unit: str
    effects: str
    reason: StopReason
    state: StopState
    digest: str = field(repr=False)
    run_id: int
    """The run that shows it to people."""
    item_id: int
    changed_at: datetime

    @property
    def stopped(self) -> Stopped:
        return Stopped(self.unit, self.state, self.digest, self.reason)


_STOPPED = table_of(StoppedChangeTable).c
_OF_PAIR = (
    select(*columns_for(StoppedRow, StoppedChangeTable))
    .where(
        _STOPPED.connection_id == bindparam("connection_"),
        or_(
            (_STOPPED.direction == bindparam("direction_")) & (_STOPPED.source_id == bindparam("source_")),
            (_STOPPED.direction == bindparam("reverse_")) & (_STOPPED.source_id == bindparam("target_")),
        ),
    )
    .order_by(_STOPPED.id)
)


class StoppedChangeRepository(Repository):
    """`uow.stopped_changes`."""

    def lock(self, connection_id: int) -> None:
        """Wait for other transactions that decide for this connection. (SQLite has one writer anyway.)"""
        query = select(ConnectionTable.id).where(ConnectionTable.id == connection_id)
        self._session.execute(query.with_for_update(key_share=True))

    def renew(self, row_id: int, digest: str, *, seen: str) -> None:
        """Replace a digest by that of the same values under another key, unless it is no longer the one seen."""
        mine = (StoppedChangeTable.id == row_id, StoppedChangeTable.digest == seen)
        self._session.execute(update(StoppedChangeTable).where(*mine).values(digest=digest))

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def of_connection(self, connection_id: int) -> list[StoppedRow]:
        return self._rows(StoppedChangeTable.connection_id == connection_id)

    def of_people(self, connection_id: int, direction: Direction, source_ids: Sequence[str]) -> list[StoppedRow]:
        mine = (StoppedChangeTable.connection_id == connection_id, StoppedChangeTable.direction == direction)
        return [
            row for some in _chunks(source_ids) for row in self._rows(*mine, StoppedChangeTable.source_id.in_(some))
        ]

    def of_pair(
        self, connection_id: int, direction: Direction, source_id: str | None, target_id: str | None
    ) -> list[StoppedRow]:
        """What is remembered of one employee, in the run's direction and, if the target is known, in the other one."""
        both = {"direction_": direction, "source_": source_id, "reverse_": direction.reverse, "target_": target_id}
        found = self._run(_OF_PAIR, {"connection_": connection_id, **both})
        return [as_row(StoppedRow, record) for record in found]

    def of_run(self, run_id: int) -> list[StoppedRow]:
        return self._rows(StoppedChangeTable.run_id == run_id)

    def of_item(self, item_id: int) -> list[StoppedRow]:
        return self._rows(StoppedChangeTable.item_id == item_id)

    def waiting_count(self, connection_id: int | None = None) -> int:
        query = select(func.count()).select_from(StoppedChangeTable)
        query = query.where(StoppedChangeTable.state == StopState.WAITING)
        if connection_id is not None:
            query = query.where(StoppedChangeTable.connection_id == connection_id)
        return self._session.scalar(query) or 0

    def waiting_items(self, run_id: int, source_ids: Sequence[str]) -> dict[str, int]:
        """Source id → the item of a held run that shows what waits of this person."""
        mine = (ItemTable.run_id == run_id, ItemTable.state == ItemState.WAITING)
        found: dict[str, int] = {}
        for some in _chunks(source_ids):
            query = select(ItemTable.source_id, ItemTable.id).where(*mine, ItemTable.source_id.in_(some))
            found |= {str(source_id): item_id for source_id, item_id in self._session.execute(query)}
        return found

    def open_run(
        self, connection_id: int, direction: Direction, reason: StopReason, *, as_of_date: date
    ) -> RunRow | None:
        """The run that shows what waits of this direction and day to people, as long as nobody has decided on it. Its
        row is locked, so that nobody decides on it while it is shown more."""
        shows = select(StoppedChangeTable.run_id).where(
            StoppedChangeTable.connection_id == connection_id,
            StoppedChangeTable.direction == direction,
            StoppedChangeTable.reason == reason,
        )
        query = select(RunTable).where(RunTable.id.in_(shows), RunTable.as_of_date == as_of_date, *_is_open())
        record = self._session.scalar(query.order_by(RunTable.id.desc()).limit(1).with_for_update())
        return None if record is None else as_row(RunRow, record)

    def open_among(self, run_ids: Collection[int]) -> frozenset[int]:
        """Those of these runs on which nobody has decided yet. Their rows are locked, as by `open_run`."""
        query = select(RunTable.id).where(RunTable.id.in_(run_ids), *_is_open()).order_by(RunTable.id)
        return frozenset(self._session.scalars(query.with_for_update()))

    # ── stopping and deciding ─────────────────────────────────────────────────────────────────────────────────────

    def put(
        self,
        pieces: Sequence[Piece],
        *,
        connection_id: int,
        direction: Direction,
        source_id: str,
        target_id: str | None,
        reason: StopReason,
        run_id: int,
        item_id: int,
        now: datetime,
    ) -> None:
        """Remember that these pieces of one employee wait, in place of what was remembered of them."""
        units = [piece.unit for piece in pieces]
        who = (
            StoppedChangeTable.connection_id == connection_id,
            StoppedChangeTable.direction == direction,
            StoppedChangeTable.source_id == source_id,
            StoppedChangeTable.reason == reason,
        )
        known = {row.unit: row for row in self._rows(*who, StoppedChangeTable.unit.in_(units))}
        for piece in pieces:
            values = {
                "target_id": target_id,
                "effects": as_text(piece.effects),
                "state": StopState.WAITING,
                "digest": piece.digest,
                "run_id": run_id,
                "item_id": item_id,
                "changed_at": now,
            }
            if piece.unit in known:
                mine = StoppedChangeTable.id == known[piece.unit].id
                self._session.execute(update(StoppedChangeTable).where(mine).values(**values))
            else:
                of_whom = {"connection_id": connection_id, "direction": direction, "source_id": source_id}
                new = {**of_whom, "unit": piece.unit, "reason": reason, "stopped_at": now, **values}
                self._session.execute(insert(StoppedChangeTable).values(**new))

    def approve(self, run_id: int, *, now: datetime) -> None:
        """Approve what the items show that are left in a run, and decline the rest: the people who were not chosen."""
        items = select(ItemTable.id).where(ItemTable.run_id == run_id, ItemTable.state == ItemState.WAITING)
        waits = (StoppedChangeTable.run_id == run_id, StoppedChangeTable.state == StopState.WAITING)
        chosen = update(StoppedChangeTable).where(*waits, StoppedChangeTable.item_id.in_(items))
        self._session.execute(chosen.values(state=StopState.APPROVED, changed_at=now))
        self.decline(run_id, now=now, among=(StopState.WAITING,))

    def decline(
        self,
        run_id: int,
        *,
        now: datetime,
        among: Sequence[StopState] = (StopState.WAITING, StopState.APPROVED),
    ) -> None:
        """Decline what a run shows and has not written."""
        mine = (StoppedChangeTable.run_id == run_id, StoppedChangeTable.state.in_(among))
        declined = update(StoppedChangeTable).where(*mine).values(state=StopState.DECLINED, changed_at=now)
        self._session.execute(declined)

    def forget(self, ids: Collection[int]) -> None:
        for some in _chunks(sorted(ids)):
            self._session.execute(delete(StoppedChangeTable).where(StoppedChangeTable.id.in_(some)))

    # ── what was written unasked ──────────────────────────────────────────────────────────────────────────────────

    def written(self, connection_id: int, now: datetime) -> dict[Effect, int]:
        """How many items of this connection have had each effect unasked within the last day."""
        table = UnaskedWriteTable
        query = select(table.effect, func.count()).where(table.connection_id == connection_id, table.at > now - DAY)
        return {Effect(effect): count for effect, count in self._session.execute(query.group_by(table.effect))}

    def counted(self, item_id: int, now: datetime) -> frozenset[Effect]:
        """The effects with which this item is counted already: its repetition is not counted again."""
        mine = (UnaskedWriteTable.item_id == item_id, UnaskedWriteTable.at > now - DAY)
        query = select(UnaskedWriteTable.effect).where(*mine)
        return frozenset(Effect(effect) for effect in self._session.scalars(query))

    def count(self, connection_id: int, item_id: int, effects: Iterable[Effect], now: datetime) -> None:
        """Count an item that is about to write unasked, and forget what is older than a day.

        An item that goes on after a pause is counted at its newest attempt, so that no day has more than its limit."""
        table = UnaskedWriteTable
        self._session.execute(delete(table).where(table.connection_id == connection_id, table.at <= now - DAY))
        before = self.counted(item_id, now)
        self._session.execute(update(table).where(table.item_id == item_id).values(at=now))
        new = [
            {"connection_id": connection_id, "item_id": item_id, "effect": effect.value, "at": now}
            for effect in sorted(frozenset(effects) - before)
        ]
        if new:
            self._session.execute(insert(table), new)

    def _rows(self, *where: ColumnElement[bool]) -> list[StoppedRow]:
        query = select(StoppedChangeTable).where(*where).order_by(StoppedChangeTable.id)
        return [as_row(StoppedRow, record) for record in self._session.scalars(query)]


def _is_open() -> tuple[ColumnElement[bool], ...]:
    return (RunTable.trigger == Trigger.HELD, RunTable.state == RunState.PREVIEWED, RunTable.ends_as.is_(None))


def _chunks(ids: Sequence[T]) -> Iterable[Sequence[T]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
