"""Which employees of a preview are chosen to be written, and the queries of the people and plan pages over 50,000
items.

The database counts, searches and cuts; the pages open names, candidates and values only for the people of one page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, Text, and_, case, delete, exists, func, or_, select, type_coerce, update

from app.domain.enums import Direction, System, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.storage.enums import ChangeState
from app.storage.links.finding import Sought, in_list, is_named
from app.storage.repository import as_row
from app.storage.runs.item_reading import ItemReading, waits_in
from app.storage.runs.person_orders import PersonOrder
from app.storage.runs.rows import ItemRow, RunRow
from app.storage.tables.models import DirectoryTable, FieldChangeTable, ItemTable, RunTable, SurveyPageTable

_STATES = {state.value: state for state in ItemState}
CHUNK = 5_000
"""Positions in one statement; SQLite takes 32,766 parameters."""


@dataclass(frozen=True)
class Asked:
    """Which people of a run: `among`: state → kinds, None for all; `sought`: whom a search looks for, by the number of
    the item or the name in the list of the run's source, None for everybody. Of a run whose names were erased nobody is
    found by name."""

    run: RunRow
    among: Mapping[ItemState, Collection[str]] | None = None
    sought: Sought | None = None
    chosen: bool | None = None
    """Only those whom a person has chosen, or has not."""
    code: str | None = None
    """Only people whose state has this reason."""

    @property
    def where(self) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = [ItemTable.run_id == self.run.id]
        if self.code is not None:
            conditions.append(ItemTable.error_code == self.code)
        if self.chosen is not None:
            conditions.append(ItemTable.chosen.is_(self.chosen))
        if self.among is not None:
            conditions.append(or_(*(_is(state, kinds) for state, kinds in self.among.items())))
        if self.sought is not None:
            conditions.append(_is_found(self.run, self.sought))
        return conditions


class Outlined(NamedTuple):
    """An employee of a run, without any encrypted column. `kind`: value of `plan.PlanKind`."""

    id: int
    position: int
    state: ItemState
    kind: str
    chosen: bool


class Tally(NamedTuple):
    """How many employees of a run have these three in common."""

    state: ItemState
    kind: str
    chosen: bool
    people: int


class Listed(NamedTuple):
    """The rows of one page of a table, how many the table has, and which page it is."""

    rows: list[ItemRow]
    total: int
    page: int


class PreviewSelectionRepository(ItemReading):
    """`uow.preview_selection`."""

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def tally(self, asked: Asked) -> list[Tally]:
        query = (
            select(ItemTable.state, ItemTable.kind, ItemTable.chosen, func.count())
            .where(*asked.where)
            .group_by(ItemTable.state, ItemTable.kind, ItemTable.chosen)
        )
        return [Tally(*row) for row in self._session.execute(query)]

    def outline(self, asked: Asked) -> list[Outlined]:
        """Those whom a search has found, in the order of their positions: the names of a list are tried only once, for
        the page and for its counts. There may be thousands of rows, so it does no work per row that can be spared."""
        word = type_coerce(ItemTable.state, Text)
        query = select(ItemTable.id, ItemTable.position, word, ItemTable.kind, ItemTable.chosen)
        rows = self._session.execute(query.where(*asked.where).order_by(ItemTable.position))
        return [Outlined(item, place, _STATES[state], kind, chosen) for item, place, state, kind, chosen in rows]

    def listed(self, asked: Asked, order: PersonOrder, *, page: int, size: int, everybody: int | None = None) -> Listed:
        """One page, counted from 1, of a table that a person has sorted; behind the last one the last one. `everybody`:
        how many people the table has without a search, None: to be counted.

        The names of a list are tried only once, for the page and for the number of all.
        """
        mine, ids = tuple(asked.where), select(ItemTable.id)
        if asked.sought is not None:
            known = list(self._session.scalars(ids.where(*mine).order_by(*order.columns)))
            page = within(page, len(known), size)
            wanted = known[(page - 1) * size : page * size]
            found = {row.id: row for row in self.items(wanted)}
            return Listed([found[each] for each in wanted], len(known), page)
        counted = select(func.count()).select_from(ItemTable).where(*mine)
        total = (self._session.scalar(counted) or 0) if everybody is None else everybody
        page = within(page, total, size)
        ordered = select(ItemTable).where(*mine).order_by(*order.columns)
        rows = self._session.scalars(ordered.limit(size).offset((page - 1) * size))
        return Listed([self._row(record) for record in rows], total, page)

    def with_held(self, run_id: int, *, number: str | None = None, position: int | None = None) -> list[ItemRow]:
        """People of a run for whom something is held for a tick, with this number or at this position."""
        holds = exists().where(FieldChangeTable.item_id == ItemTable.id, FieldChangeTable.state == ChangeState.HELD)
        who = ItemTable.position == position if number is None else ItemTable.employee_number == number
        query = select(ItemTable).where(ItemTable.run_id == run_id, who, holds).order_by(ItemTable.position)
        return [self._row(record) for record in self._session.scalars(query)]

    def items(self, ids: Sequence[int]) -> list[ItemRow]:
        """These items, in the order of their positions."""
        query = select(ItemTable).where(ItemTable.id.in_(ids)).order_by(ItemTable.position)
        return [self._row(record) for record in self._session.scalars(query)]

    def keys_of(self, ids: Sequence[int]) -> dict[int, list[str]]:
        """Item id → keys of FIELDS that its plan changes; opens no value. Not among them are held changes, and values
        that the target holds already."""
        query = select(FieldChangeTable.item_id, FieldChangeTable.key).where(
            FieldChangeTable.item_id.in_(ids), FieldChangeTable.state != ChangeState.HELD, ~FieldChangeTable.same
        )
        found: dict[int, list[str]] = {item_id: [] for item_id in ids}
        for item_id, key in self._session.execute(query.order_by(FieldChangeTable.id)):
            found[item_id].append(key)
        return found

    def changes_by_key(self, run_id: int, *, kind: str) -> dict[str, int]:
        """Key of FIELDS → for how many of the chosen people of that kind the plans change it."""
        query = (
            select(FieldChangeTable.key, func.count())
            .join(ItemTable, ItemTable.id == FieldChangeTable.item_id)
            .where(ItemTable.run_id == run_id, ItemTable.kind == kind)
            .where(ItemTable.chosen, ItemTable.state == ItemState.WAITING)
            .where(FieldChangeTable.state != ChangeState.HELD, ~FieldChangeTable.same)
            .group_by(FieldChangeTable.key)
        )
        return {row[0]: row[1] for row in self._session.execute(query)}

    def planned_keys(self, run_id: int) -> frozenset[str]:
        """The items that the plans of those who wait change."""
        query = select(FieldChangeTable.key).join(ItemTable, ItemTable.id == FieldChangeTable.item_id).distinct()
        planned = FieldChangeTable.state != ChangeState.HELD
        return frozenset(self._session.scalars(query.where(waits_in(run_id), planned)))

    def plans_any_of(self, run_id: int, keys: Collection[str]) -> bool:
        """Whether the plan of somebody who waits changes one of these items, or would with a tick."""
        changes = (FieldChangeTable.item_id == ItemTable.id, FieldChangeTable.key.in_(keys))
        query = select(ItemTable.id).where(waits_in(run_id), exists().where(*changes)).limit(1)
        return self._session.scalar(query) is not None

    def chosen_count(self, run_id: int) -> int:
        query = select(func.count()).select_from(ItemTable).where(waits_in(run_id), ItemTable.chosen)
        return self._session.scalar(query) or 0

    def pages_read(self, run_id: int) -> dict[System, tuple[int, bool]]:
        """How far a survey on its way has come: system → (pages kept so far, whether the last one is there)."""
        last = func.max(case((SurveyPageTable.next_cursor.is_(None), 1), else_=0))
        query = (
            select(SurveyPageTable.system, func.count(), last)
            .where(SurveyPageTable.run_id == run_id)
            .group_by(SurveyPageTable.system)
        )
        return {system: (pages, bool(complete)) for system, pages, complete in self._session.execute(query)}

    # ── runs for the dashboard ────────────────────────────────────────────────────────────────────────────────────

    def open_runs(self, connection_id: int, *, limit: int = 50) -> list[RunRow]:
        """Runs that have not ended, the newest first, without trials of settings."""
        mine = (RunTable.connection_id == connection_id, RunTable.finished_at.is_(None), RunTable.trial.is_(None))
        query = select(RunTable).where(*mine)
        found = self._session.scalars(query.order_by(RunTable.id.desc()).limit(limit))
        return [as_row(RunRow, record) for record in found]

    def last_attempts(self, connection_id: int) -> dict[Direction, RunRow]:
        """Direction → its newest run that has ended. A preview thrown away does not count, nor a run of stopped changes
        that nobody approved."""
        thrown_away = (RunTable.state == RunState.CANCELLED) & RunTable.dry_run & RunTable.approved_at.is_(None)
        newest = [_ended(connection_id, each, ~thrown_away).scalar_subquery() for each in Direction]
        found = self._session.scalars(select(RunTable).where(RunTable.id.in_(newest)))
        return {record.direction: as_row(RunRow, record) for record in found}

    def last_success(self, connection_id: int, direction: Direction) -> RunRow | None:
        """The newest run of this direction that has ended well, with the same exceptions."""
        newest = _ended(connection_id, direction, RunTable.state == RunState.SUCCEEDED).scalar_subquery()
        record = self._session.scalar(select(RunTable).where(RunTable.id == newest))
        return None if record is None else as_row(RunRow, record)

    # ── choosing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def choose(self, asked: Asked, *, chosen: bool) -> int:
        """Tick these people, or take the ticks away. Returns how many.

        Only in a preview on which no person has decided yet, and only people who wait to be written.
        """
        return self._choose(asked.run.id, *asked.where, chosen=chosen)

    def choose_at(self, run_id: int, positions: Sequence[int], *, chosen: bool) -> int:
        """The same for the people at these positions."""
        some = (positions[start : start + CHUNK] for start in range(0, len(positions), CHUNK))
        return sum(self._choose(run_id, ItemTable.position.in_(each), chosen=chosen) for each in some)

    def _choose(self, run_id: int, *who: ColumnElement[bool], chosen: bool) -> int:
        previewed = exists().where(
            RunTable.id == ItemTable.run_id,
            RunTable.state == RunState.PREVIEWED,
            RunTable.ends_as.is_(None),
            RunTable.trial.is_(None),
        )
        return self._changed(update(ItemTable).where(waits_in(run_id), previewed, *who).values(chosen=chosen))

    def tick(self, item_id: int, run_state: RunState, *, ticked: Sequence[str], effects: str) -> bool:
        """Store which held changes of a person shall be written, with the effects that the plan then has. False: the
        person no longer waits, or the run is no longer in that state."""
        run = exists().where(RunTable.id == ItemTable.run_id, RunTable.state == run_state, RunTable.ends_as.is_(None))
        mine = (ItemTable.id == item_id, ItemTable.state == ItemState.WAITING, run)
        return bool(self._changed(update(ItemTable).where(*mine).values(ticked=list(ticked) or None, effects=effects)))

    def choose_numbers(self, run_id: int, numbers: Sequence[str]) -> list[str]:
        """Choose exactly the people with these numbers, of those who wait in a preview. Returns the numbers that none
        of them has."""
        waiting = update(ItemTable).where(waits_in(run_id))
        self._session.execute(waiting.values(chosen=False))
        found: set[str] = set()
        for start in range(0, len(numbers), CHUNK):
            named = ItemTable.employee_number.in_(numbers[start : start + CHUNK])
            chosen = waiting.where(named).values(chosen=True).returning(ItemTable.employee_number)
            found.update(self._session.scalars(chosen))
        return [number for number in numbers if number not in found]

    def unchosen(self, run_id: int) -> list[ItemRow]:
        """People who wait in a preview and are not chosen."""
        query = select(ItemTable).where(waits_in(run_id), ~ItemTable.chosen).order_by(ItemTable.position)
        return [self._row(record) for record in self._session.scalars(query)]

    def drop_unchosen(self, run_id: int) -> int:
        """Delete the items of people who wait in a preview and were not chosen: they leave the run. Says how many. From
        then on exactly those who wait are chosen."""
        ended = (ItemTable.run_id == run_id, ItemTable.state != ItemState.WAITING, ItemTable.chosen)
        self._session.execute(update(ItemTable).where(*ended).values(chosen=False))
        return self._changed(delete(ItemTable).where(waits_in(run_id), ~ItemTable.chosen))


def within(page: int, total: int, size: int) -> int:
    """The page, counted from 1; behind the last one the last one."""
    return max(1, min(page, -(-total // size)))


def _is(state: ItemState, kinds: Collection[str]) -> ColumnElement[bool]:
    return and_(ItemTable.state == state, ItemTable.kind.in_(kinds))


def _is_found(run: RunRow, sought: Sought) -> ColumnElement[bool]:
    named = select(DirectoryTable.person_id).where(in_list(run.connection_id, run.direction.source), is_named(sought))
    by_name = and_(ItemTable.name_enc.is_not(None), ItemTable.source_id.in_(named))
    if not sought.number:
        return by_name
    return or_(ItemTable.employee_number.startswith(sought.number, autoescape=True), by_name)


def _ended(connection_id: int, direction: Direction, how: ColumnElement[bool]) -> Select[int]:
    """The id of the newest run of this direction that has ended so."""
    shown_only = (RunTable.trigger == Trigger.HELD) & RunTable.approved_at.is_(None)
    mine = (RunTable.connection_id == connection_id, RunTable.direction == direction)
    ended = (RunTable.finished_at.is_not(None), ~shown_only, RunTable.trial.is_(None), how)
    return select(RunTable.id).where(*mine, *ended).order_by(RunTable.id.desc()).limit(1)
