"""Reading items: one, a page, counts; and the runs whose items workers may take at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, String, and_, bindparam, cast, exists, func, or_, select

from app.domain.enums import Direction, Step
from app.domain.runs.run_state import ItemState, RunState
from app.storage.enums import ChangeState, StepState
from app.storage.repository import Repository, as_row, columns_for, table_of
from app.storage.runs.rows import ItemRow, RunRow
from app.storage.tables.models import ConnectionTable, FieldChangeTable, ItemStepTable, ItemTable, RunTable

OPEN_STATES = (ItemState.WAITING, ItemState.RUNNING)

_ITEMS = table_of(ItemTable).c
_ITEM = select(*columns_for(ItemRow, ItemTable, "detail_enc", "candidates_enc", "name_enc")).where(
    _ITEMS.id == bindparam("item_")
)
HELD = (
    _ITEMS.id == bindparam("item_"),
    _ITEMS.attempt == bindparam("attempt_"),
    _ITEMS.state == ItemState.RUNNING,
)
"""The item is being worked on by the attempt with this number."""
_IS_HELD = select(_ITEMS.id).where(*HELD)


@dataclass(frozen=True)
class WrittenCounts:
    """How many people a run has written.

    `people`: those who were there before. `by_key`: key of FIELDS → how many of them. `created`: new people.
    """

    people: int
    by_key: Mapping[str, int]
    created: int


class ItemReading(Repository):
    """The queries about items, for `uow.items` and for the pages."""

    def get(self, item_id: int) -> ItemRow | None:
        record = self._first(_ITEM, {"item_": item_id})
        return None if record is None else self._row(record)

    def is_held(self, item_id: int, attempt: int) -> bool:
        """Whether the worker with this attempt still holds the item."""
        return self._first(_IS_HELD, {"item_": item_id, "attempt_": attempt}) is not None

    def page(
        self,
        run_id: int,
        *,
        after: int,
        limit: int,
        state: ItemState | None = None,
        chosen: bool | None = None,
    ) -> list[ItemRow]:
        """Items of a run in their order, from the position behind `after` (start with -1). `chosen`: only items that a
        person has chosen, or has not."""
        query = select(ItemTable).where(ItemTable.run_id == run_id, ItemTable.position > after, *_choice(chosen))
        if state is not None:
            query = query.where(ItemTable.state == state)
        return [self._row(record) for record in self._session.scalars(query.order_by(ItemTable.position).limit(limit))]

    def noted(
        self, run_id: int, codes: Sequence[str], *, limit: int, chosen: bool | None = None
    ) -> tuple[list[ItemRow], int]:
        """The first items with a note of one of these codes that is not the reason of their state, and how many there
        are."""
        notes, reason = cast(ItemTable.notes, String), ItemTable.error_code
        has_one = or_(*(and_(notes.contains(f'"{code}"'), reason.is_distinct_from(code)) for code in codes))
        query = select(ItemTable).where(ItemTable.run_id == run_id, has_one, *_choice(chosen))
        total = self._session.scalar(select(func.count()).select_from(query.subquery())) or 0
        rows = self._session.scalars(query.order_by(ItemTable.position).limit(limit)) if total else ()
        return [self._row(record) for record in rows], total

    def counts(self, run_id: int) -> dict[ItemState, int]:
        return self.counts_of([run_id])[run_id]

    def counts_of(self, run_ids: Sequence[int]) -> dict[int, dict[ItemState, int]]:
        """Run id → {state: employees}, without states that have none. Employees whom a sweep found equal, or has left
        out, count without an item; who was only looked at does not count."""
        query = (
            select(ItemTable.run_id, ItemTable.state, func.count())
            .where(ItemTable.run_id.in_(run_ids))
            .group_by(ItemTable.run_id, ItemTable.state)
        )
        found: dict[int, dict[ItemState, int]] = {run_id: {} for run_id in run_ids}
        for run_id, state, count in self._session.execute(query):
            found[run_id][state] = count
        columns = (RunTable.id, RunTable.equal, RunTable.left_out, RunTable.looked_at)
        for run_id, equal, left_out, looked_at in self._session.execute(
            select(*columns).where(RunTable.id.in_(run_ids))
        ):
            everybody = Counter(found[run_id])
            everybody[ItemState.UNCHANGED] += equal
            everybody[ItemState.LEFT_OUT] += sum((left_out or {}).values())
            found[run_id] = dict(everybody - Counter(_ended_in(looked_at)))
        return found

    def left_out(self, run: RunRow) -> dict[str, int]:
        """Catalogue code → people whom the run has left out, the most frequent reason first."""
        mine = (ItemTable.run_id == run.id, ItemTable.state == ItemState.LEFT_OUT)
        query = select(ItemTable.error_code, func.count()).where(*mine).group_by(ItemTable.error_code)
        return run.reasons_left_out({str(code): people for code, people in self._session.execute(query)})

    def only_target_changed(self, run_id: int) -> int:
        """How many people of the run who had nothing to write differ by what only the target has changed."""
        everybody_counts = exists().where(RunTable.id == ItemTable.run_id, RunTable.looked_at.is_(None))
        mine = (ItemTable.run_id == run_id, ItemTable.state == ItemState.UNCHANGED)
        query = select(func.count()).select_from(ItemTable).where(*mine, ItemTable.error_code == "only_target_changed")
        return self._session.scalar(query.where(or_(ItemTable.chosen, everybody_counts))) or 0

    def news(self, run_id: int, *, chosen: bool | None = None) -> dict[ItemState, int]:
        """{state: items} without the items that ended as they did the time before, which are no news."""
        query = (
            select(ItemTable.state, func.count().label("items"))
            .where(ItemTable.run_id == run_id, ~ItemTable.known, *_choice(chosen))
            .group_by(ItemTable.state)
        )
        return {row.state: row.items for row in self._session.execute(query)}

    def worked_since(self, run_id: int, moment: datetime) -> tuple[int, datetime | None]:
        """How many items workers have ended since then, and when a worker began the first one of the run. Items that
        the survey itself ended do not count, because they say nothing about the workers' pace."""
        worked = (ItemTable.run_id == run_id, ItemTable.started_at.is_not(None))
        ended = select(func.count()).select_from(ItemTable).where(*worked, ItemTable.finished_at >= moment)
        began = select(ItemTable.started_at).where(*worked).order_by(ItemTable.started_at).limit(1)
        return self._session.scalar(ended) or 0, self._session.scalar(began)

    def numbers(self, run_id: int, states: Sequence[ItemState], *, chosen: bool | None = None) -> list[str]:
        query = select(ItemTable.employee_number).where(ItemTable.run_id == run_id, ItemTable.state.in_(states))
        return list(self._session.scalars(query.where(*_choice(chosen)).order_by(ItemTable.position)))

    def waiting_for(self, connection_id: int, direction: Direction, source_ids: Sequence[str]) -> dict[str, int]:
        """Source id → a waiting item of this employee that will read both sides anew, so that a further event can join
        it. An approved item is left out, because it writes what was approved and nothing else."""
        found: dict[str, int] = {}
        for start in range(0, len(source_ids), 500):
            query = (
                select(ItemTable.source_id, ItemTable.id)
                .join(RunTable, RunTable.id == ItemTable.run_id)
                .where(
                    ItemTable.connection_id == connection_id,
                    ItemTable.direction == direction,
                    ItemTable.source_id.in_(source_ids[start : start + 500]),
                    ItemTable.state == ItemState.WAITING,
                    ItemTable.approved_digest.is_(None),
                    RunTable.ends_as.is_(None),
                    _works_or_gathers(),
                )
                .order_by(ItemTable.id.desc())
            )
            found.update({str(source_id): item_id for source_id, item_id in self._session.execute(query)})
        return found

    def is_under_way(self, connection_id: int, direction: Direction, source_id: str) -> bool:
        """Whether an item of this employee, of a run that works or gathers, has not ended yet."""
        query = (
            select(ItemTable.id)
            .join(RunTable, RunTable.id == ItemTable.run_id)
            .where(
                ItemTable.connection_id == connection_id,
                ItemTable.direction == direction,
                ItemTable.source_id == source_id,
                ItemTable.state.in_(OPEN_STATES),
                RunTable.ends_as.is_(None),
                _works_or_gathers(),
            )
        )
        return self._session.scalar(query.limit(1)) is not None

    def counts_of_open_runs(self) -> dict[ItemState, int]:
        open_runs = select(RunTable.id).where(RunTable.finished_at.is_(None))  # with a join SQLite walks all items
        query = (
            select(ItemTable.state, func.count().label("items"))
            .where(ItemTable.run_id.in_(open_runs))
            .group_by(ItemTable.state)
        )
        return {row.state: row.items for row in self._session.execute(query)}

    def at(self, run_id: int, position: int) -> ItemRow | None:
        query = select(ItemTable).where(ItemTable.run_id == run_id, ItemTable.position == position)
        record = self._session.scalar(query)
        return None if record is None else self._row(record)

    def written(self, run_id: int, *, after: int, limit: int) -> list[ItemRow]:
        """Items that have written something, or may have, in their order from the position behind `after`."""
        sent = exists().where(ItemStepTable.item_id == ItemTable.id, ItemStepTable.state != StepState.FAILED)
        wrote = exists().where(FieldChangeTable.item_id == ItemTable.id, FieldChangeTable.state == ChangeState.WRITTEN)
        query = select(ItemTable).where(ItemTable.run_id == run_id, ItemTable.position > after, or_(sent, wrote))
        return [self._row(record) for record in self._session.scalars(query.order_by(ItemTable.position).limit(limit))]

    def written_counts(self, run_id: int) -> WrittenCounts:
        """How many people the run has written, or may have: those who were there before, and those it created."""
        mine = ItemTable.run_id == run_id
        created = _may_have_created()
        wrote = exists().where(FieldChangeTable.item_id == ItemTable.id, FieldChangeTable.state == ChangeState.WRITTEN)
        sent = exists().where(ItemStepTable.item_id == ItemTable.id, ItemStepTable.state != StepState.FAILED)
        by_key = (
            select(FieldChangeTable.key, func.count().label("items"))
            .join(ItemTable, ItemTable.id == FieldChangeTable.item_id)
            .where(mine, ~created, FieldChangeTable.state == ChangeState.WRITTEN)
            .group_by(FieldChangeTable.key)
        )
        people = select(func.count()).select_from(ItemTable).where(mine, ~created, or_(wrote, sent))
        return WrittenCounts(
            people=self._session.scalar(people) or 0,
            by_key={row.key: row.items for row in self._session.execute(by_key)},
            created=self._session.scalar(select(func.count()).select_from(ItemTable).where(mine, created)) or 0,
        )

    def created(self, run_id: int, *, limit: int) -> list[ItemRow]:
        """Items whose employee the run has created, or may have created, in their order."""
        query = select(ItemTable).where(ItemTable.run_id == run_id, _may_have_created())
        return [self._row(record) for record in self._session.scalars(query.order_by(ItemTable.position).limit(limit))]

    def effects(self, run_id: int) -> dict[str, int]:
        """Effects that count for a mass change → how many of the waiting and chosen people have exactly these."""
        query = (
            select(ItemTable.effects, func.count().label("items"))
            .where(waits_in(run_id), ItemTable.chosen)
            .group_by(ItemTable.effects)
        )
        return {row.effects: row.items for row in self._session.execute(query)}

    def causes(self, run_id: int, *, chosen: bool | None = None) -> list[tuple[ItemState, str, int]]:
        """(state, error code, number of items) of ended items that a person has to look at, the most frequent first."""
        number = func.count().label("items")
        query = (
            select(ItemTable.state, ItemTable.error_code, number)
            .where(ItemTable.run_id == run_id, ItemTable.error_code.is_not(None), ItemTable.finished_at.is_not(None))
            .where(*_choice(chosen))
            .group_by(ItemTable.state, ItemTable.error_code)
            .order_by(number.desc(), ItemTable.error_code)
        )
        return [(row.state, row.error_code, row.items) for row in self._session.execute(query)]

    def _row(self, record: ItemTable | Row[Any]) -> ItemRow:
        sealed = record.candidates_enc
        candidates = tuple(self._vault.decrypt_json(sealed)) if sealed else ()
        return as_row(
            ItemRow,
            record,
            detail=self._shown(record.detail_enc),
            candidates=candidates,
            name=self._shown(record.name_enc) or "",
        )


def _choice(chosen: bool | None) -> tuple[ColumnElement[bool], ...]:
    return () if chosen is None else (ItemTable.chosen.is_(chosen),)


def _ended_in(looked_at: Mapping[str, int] | None) -> dict[ItemState, int]:
    """State → people who were only looked at and have an item, or are counted without one."""
    found = {ItemState(state): people for state, people in (looked_at or {}).items()}
    return {state: people for state, people in found.items() if state.is_final}


def _may_have_created() -> ColumnElement[bool]:
    """Awase has sent a create for this item and the target has not refused it."""
    return exists().where(
        ItemStepTable.item_id == ItemTable.id,
        ItemStepTable.step == Step.CREATE,
        ItemStepTable.state != StepState.FAILED,
    )


def waits_in(run_id: int) -> ColumnElement[bool]:
    """The item belongs to this run and is WAITING: no worker has begun with it and none has ended it."""
    return and_(ItemTable.run_id == run_id, ItemTable.state == ItemState.WAITING)


def running_runs() -> Select[int]:
    """Ids of the runs whose items workers may take: running, not ending, and the connection takes work."""
    works = (~ConnectionTable.paused, ~ConnectionTable.needs_consent)
    return (
        select(RunTable.id)
        .join(ConnectionTable, ConnectionTable.id == RunTable.connection_id)
        .where(RunTable.state == RunState.RUNNING, RunTable.ends_as.is_(None), *works)
    )


def _works_or_gathers() -> ColumnElement[bool]:
    gathers = and_(RunTable.state == RunState.WAITING, RunTable.gather_until.is_not(None))
    return or_(RunTable.state == RunState.RUNNING, gathers)
