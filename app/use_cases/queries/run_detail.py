"""The page of one run: its 連携履歴 and progress, why employees failed and who can mend it, and each one's result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.domain.enums import System, Trigger
from app.domain.error_catalogue.catalogue import who_of
from app.domain.error_catalogue.entries import Who
from app.domain.planning.plan import PlanKind
from app.domain.runs.run_state import ItemState, RunState
from app.domain.runs.words import RunWord, states_of
from app.domain.settings.connection_settings import Connection
from app.domain.settings.recipients import Language
from app.storage.enums import HistoryKind
from app.storage.runs.preview_selection import Asked
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.planning.stop_changes import told_alarms
from app.use_cases.queries.beginnings import beginnings_in
from app.use_cases.queries.history import counts_of_runs, progress_of, run_view, with_mended, word_of
from app.use_cases.queries.person_results import PersonResult, Visibility, person_results
from app.use_cases.queries.person_tables import TableCut, TableLook, cut_table
from app.use_cases.shared.actors import Actor, known_actors
from app.use_cases.shared.name_search import sought
from app.use_cases.shared.run_lookup import find_run
from app.use_cases.shared.views import RunView

PAGE_SIZE = 30
MISSED_SHOWN = 50


@dataclass(frozen=True)
class Entry:
    """A line of the 連携履歴. `result` is the 実行結果, None at the start."""

    kind: str
    """"start" or "end"."""
    at: datetime
    result: RunWord | None


@dataclass(frozen=True)
class Cause:
    """One cause for which employees ended in a state that needs a person, how many they are, and who can mend it."""

    state: ItemState
    code: str
    who: Who
    people: int


@dataclass(frozen=True)
class RelatedRun:
    """A run that belongs to this run. `how`: "repeats", "takes_back" (this run repeats or takes back the other);
    "repeated_by", "taken_back_by" (the other run repeats or takes back this one)."""

    how: str
    id: str
    word: RunWord
    created_at: datetime


@dataclass(frozen=True)
class MissedPerson:
    """A person who had changed at `system` although no webhook had told of it. `number` "": the last listing of that
    system no longer has the person."""

    system: System
    number: str


@dataclass(frozen=True)
class RunDetail:
    run: RunView
    company: str
    entries: tuple[Entry, ...]
    causes: tuple[Cause, ...]
    """The causes of a run that is over, the most frequent first."""
    started_by: Actor
    approved_by: Actor | None
    approved_at: datetime | None
    first: tuple[Actor, ...]
    """For a run of changes that other runs have stopped: who asked for them."""
    alone: str | None = field(repr=False)
    """Why one administrator has approved alone what waits for a second person; "": the reader may not see it; None:
    nobody has."""
    alarms: tuple[Mapping[str, Any], ...]
    """Why the run, or what it has left for a person, waited: [{"code", "count", "limit", "written"}]."""
    related: tuple[RelatedRun, ...]
    missed: tuple[MissedPerson, ...] = field(repr=False)
    """The first of the people whose change no webhook has told; () for a user who may not see people."""
    gathering_until: datetime | None
    waiting_for_approval: int
    """How many people webhooks have asked for, who wait until the beginning of the automatic sync is approved; 0: the
    run waits for no approval."""
    not_listed: int
    """How many people a sweep has found equal or has left out: they are counted, but stand in no list."""

    @property
    def is_open(self) -> bool:
        return self.run.finished_at is None

    @property
    def moves_by_itself(self) -> bool:
        return self.is_open and self.run.state is not RunState.PREVIEWED

    @property
    def beside(self) -> int:
        """How many people were only looked at; they do not count."""
        return sum(self.run.looked_at.values())

    @property
    def repeatable(self) -> bool:
        """Whether a user can repeat the run: an employee failed, or the run failed before it had any items."""
        return not self.is_open and bool(
            self.run.counts.get(ItemState.FAILED) or (self.run.state is RunState.FAILED and not self.run.counts)
        )

    @property
    def undoable(self) -> bool:
        """Whether the run may have written to an employee, so that a user can take it back. An employee who failed may
        be written in part."""
        return not self.is_open and any(self.run.counts.get(state) for state in (ItemState.SUCCEEDED, ItemState.FAILED))


@dataclass(frozen=True)
class Look:
    """Which employees of the run the user looks at. `code`: their cause. `beside`: those who were only looked at,
    instead of those whom the run is about."""

    state: ItemState | None = None
    code: str | None = None
    beside: bool = False
    table: TableLook = field(default_factory=TableLook)

    @property
    def narrowed(self) -> bool:
        return self.state is not None or bool(self.code or self.table.search)


@dataclass(frozen=True)
class ResultTable:
    """One page of the results."""

    items: tuple[PersonResult, ...] = field(default=(), repr=False)
    cut: TableCut = field(default_factory=TableCut)


def run_detail(
    ctx: Context, public_id: str, *, visibility: Visibility, look: Look | None = None
) -> tuple[RunDetail, ResultTable]:
    """The page of a run; with `look` also its employees' results, once the run is over. Raises
    Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        row = find_run(uow, public_id)
        connection = uow.connections.get(row.connection_id)
        assert connection is not None  # its runs go with it
        detail = _detail(ctx, uow, row, connection, visibility)
        people = ResultTable()
        if look is not None and not detail.is_open:
            people = _people(ctx, uow, row, connection, visibility=visibility, look=look)
    return detail, people


def _detail(ctx: Context, uow: UnitOfWork, row: RunRow, connection: Connection, visibility: Visibility) -> RunDetail:
    over = row.finished_at is not None
    others = uow.runs.related(row) if over or _has_origin(row) else []
    words = [row.started_by, *([row.approved_by] if row.approved_by else []), *(row.first_by or ())]
    actors = known_actors(uow, words)
    alone = uow.second_persons.reason(row.id) if row.decide_until else None
    causes = uow.items.causes(row.id, chosen=row.only_chosen) if over else []
    left_out = {code: people for state, code, people in causes if state is ItemState.LEFT_OUT}
    return RunDetail(
        run=_view(ctx, uow, row, connection, others, row.reasons_left_out(left_out) if over else {}),
        company=connection.name,
        entries=_entries(uow, row),
        causes=tuple(
            Cause(state, code, who_of(code, row), people)
            for state, code, people in causes
            if state is not ItemState.LEFT_OUT
        ),
        started_by=actors[row.started_by],
        approved_by=actors[row.approved_by] if row.approved_by else None,
        approved_at=row.approved_at,
        first=tuple(actors[each] for each in row.first_by or ()),
        alone=alone if alone is None or visibility.people else "",
        alarms=told_alarms(row),
        related=tuple(_related(row, other) for other in others),
        missed=_missed(uow, row) if visibility.people and row.missed else (),
        gathering_until=row.gather_until if row.state is RunState.WAITING else None,
        waiting_for_approval=_waiting(uow, row),
        not_listed=row.equal + sum((row.left_out or {}).values()),
    )


def _waiting(uow: UnitOfWork, row: RunRow) -> int:
    if row.state is not RunState.WAITING or row.gather_until is None:
        return 0
    return sum(each.gathered for each in beginnings_in(uow, row.connection_id) if each.direction is row.direction)


def _view(
    ctx: Context,
    uow: UnitOfWork,
    row: RunRow,
    connection: Connection,
    others: Sequence[RunRow],
    left_out: Mapping[str, int],
) -> RunView:
    counts = counts_of_runs(uow, [row])[row.id]
    view = run_view(
        row,
        say=ctx.wording(Language.JAPANESE),
        connection=connection,
        counts=counts,
        progress=progress_of(ctx, uow, row, connection, counts=counts),
        mail=None,  # has a page of its own
        retried=next((other.public_id for other in others if other.id == row.retried_run_id), None),
        left_out=left_out,
    )
    return with_mended(uow, view)


def _entries(uow: UnitOfWork, row: RunRow) -> tuple[Entry, ...]:
    return tuple(
        Entry("start" if line.kind is HistoryKind.START else "end", line.at, word_of(row) if line.result else None)
        for line in uow.history.of_run(row.id)
    )


def _has_origin(row: RunRow) -> bool:
    return row.retried_run_id is not None or row.undone_run_id is not None


def _related(row: RunRow, other: RunRow) -> RelatedRun:
    if other.id == row.retried_run_id:
        how = "repeats"
    elif other.id == row.undone_run_id:
        how = "takes_back"
    else:
        how = "taken_back_by" if other.trigger is Trigger.UNDO else "repeated_by"
    return RelatedRun(how, other.public_id, word_of(other), other.created_at)


def _missed(uow: UnitOfWork, row: RunRow) -> tuple[MissedPerson, ...]:
    """The people of the run whose change no webhook has told, up to MISSED_SHOWN, with their employee numbers."""
    named = [(System(each["system"]), str(each["id"])) for each in (row.missed or ())[:MISSED_SHOWN]]
    found: dict[tuple[System, str], str] = {}
    for system in dict.fromkeys(system for system, _ in named):
        people = [person for of, person in named if of is system]
        entries = uow.directory.entries(row.connection_id, system, people)
        found |= {(system, person): entry.employee_number for person, entry in entries.items()}
    return tuple(MissedPerson(system, found.get((system, person), "")) for system, person in named)


def _people(
    ctx: Context, uow: UnitOfWork, row: RunRow, connection: Connection, *, visibility: Visibility, look: Look
) -> ResultTable:
    table = look.table if visibility.people else replace(look.table, search="")
    kinds = [kind.value for kind in PlanKind]
    among = None if look.state is None else dict.fromkeys(states_of(look.state), kinds)
    chosen = None if row.looked_at is None else not look.beside
    asked = Asked(row, among, sought(table.search, ctx.keys.signing), code=look.code, chosen=chosen)
    found, cut = cut_table(uow, asked, table, size=PAGE_SIZE)
    results = person_results(uow, found.rows, visibility, settings=ctx.settings, connection=connection)
    return ResultTable(tuple(results), cut)
