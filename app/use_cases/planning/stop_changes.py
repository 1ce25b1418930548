"""Stops changes that a person has to decide on, shows them as a run of their own, and forgets them once they are gone.

What waits of one connection, direction and day stands in one *held run*: a run in the state of a preview whose items
hold nothing but the stopped changes. So people look, choose, approve and cancel as they do with every preview, while
the run that came upon the changes goes on with everything else. One mail tells of a held run, when it begins.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Protocol

import structlog

from app.domain.enums import Direction, Trigger
from app.domain.planning.carrying import decision_unit_of
from app.domain.planning.keyed import Fingerprint
from app.domain.planning.mass_change import (
    CODES,
    Effect,
    MassChangeCode,
    MassChangeReason,
    alarms,
    from_text,
    reason_as_dict,
    reason_from_dict,
)
from app.domain.planning.plan import Plan, PlanKind
from app.domain.planning.stopping import (
    CREATE,
    Piece,
    Split,
    Stopped,
    StopReason,
    StopState,
    pieces_of,
    split,
)
from app.domain.runs.queues import queue_for
from app.domain.runs.run_state import ItemState
from app.storage.enums import HistoryKind
from app.storage.runs.rows import ChangeRow, NewChange, NewItem, NewNote, NewRun, RunRow
from app.storage.runs.stopped_changes import StoppedRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finish.notices import add_held_notice
from app.use_cases.planning.stored_change import new_change

log = structlog.get_logger(__name__)


def is_asked(run: RunRow) -> bool:
    """Whether a person has said that this run may write what it plans: beforehand, or by approving its preview."""
    return run.acknowledged or run.approved_at is not None or run.undone_run_id is not None


# ── what is known ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Stops:
    """What is remembered of stopped changes, and how plans are divided by it. `closed`: effects for which the day has
    no room."""

    rows: Sequence[StoppedRow]
    direction: Direction
    today: date
    fingerprint: Fingerprint
    closed: frozenset[Effect] = frozenset()
    _by_source: Mapping[tuple[Direction, str], Sequence[StoppedRow]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found: dict[tuple[Direction, str], list[StoppedRow]] = {}
        for row in self.rows:
            found.setdefault((row.direction, row.source_id), []).append(row)
        object.__setattr__(self, "_by_source", found)

    def of(self, source_id: str, target_id: str | None) -> list[StoppedRow]:
        """All that is remembered of one pair, in both directions."""
        there = self._by_source.get((self.direction, source_id), ())
        return [*there, *self._by_source.get((self.direction.reverse, target_id or ""), ())]

    def known(self, source_id: str, target_id: str | None) -> list[Stopped]:
        """What is remembered in the run's direction."""
        return [row.stopped for row in self.of(source_id, target_id) if row.direction is self.direction]

    def split(self, plan: Plan, source_id: str, target_id: str | None) -> Split:
        pieces = pieces_of(plan, today=self.today, fingerprint=self.fingerprint)
        if not pieces:
            return Split(plan)
        rows = self.of(source_id, target_id)
        return split(
            plan,
            pieces,
            known=self.known(source_id, target_id),
            backwards={
                row.unit for row in rows if row.direction is not self.direction and row.state is StopState.WAITING
            },
            closed=self.closed,
        )


def closed_in(run: RunRow) -> frozenset[Effect]:
    """The effects for which the day had no room when the run's plans were counted together."""
    codes = {alarm["code"] for alarm in (run.stopped or {}).get("alarms", ())}
    return frozenset(effect for effect, code in CODES.items() if code.value in codes)


def alarms_of(run: RunRow) -> tuple[MassChangeReason, ...]:
    """Why the run has left something for a person."""
    return tuple(reason_from_dict(alarm) for alarm in (run.stopped or {}).get("alarms", ()))


def alarms_of_held(run: RunRow) -> tuple[MassChangeReason, ...]:
    """Why what a held run shows was stopped."""
    return tuple(reason_from_dict(alarm) for alarm in run.alarms or ())


def told_alarms(run: RunRow) -> tuple[Mapping[str, int | str], ...]:
    """Why the run, or what it has left for a person, waits; in the form in which pages and programs are told."""
    return tuple(
        reason_as_dict(reason_from_dict(alarm)) for alarm in run.alarms or (run.stopped or {}).get("alarms", ())
    )


def note_stopped(uow: UnitOfWork, run: RunRow, held_run: str | None, raised: Sequence[MassChangeReason] = ()) -> None:
    """Store with the run why it leaves something for a person, and which run shows that. `run`: as it stands now."""
    told = {alarm.code: alarm for alarm in (*alarms_of(run), *raised)}
    before = (run.stopped or {}).get("run")
    alarms = [reason_as_dict(each) for each in told.values()]
    uow.runs.set_stopped(run.id, {"run": held_run or before, "alarms": alarms})


# ── stopping ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class StoppedPerson:
    """One employee with the pieces of their plan that wait."""

    source_id: str
    target_id: str | None
    pieces: tuple[Piece, ...] = field(repr=False)
    number: str = ""
    name: str = field(default="", repr=False)
    closing_month: str | None = None
    pay_month: str | None = None
    notes: tuple[NewNote, ...] = ()
    ticked: tuple[str, ...] = ()
    """Items of the pieces that replace what could not be carried, because a person has ticked them."""


class Question(Protocol):
    """What is asked about the changes of a held run that are no mass change."""

    @property
    def reason(self) -> StopReason: ...

    def open_run(self, ctx: Context, uow: UnitOfWork, cause: RunRow) -> RunRow | None:
        """The held run that takes in more of these changes."""

    def begin(self, ctx: Context, uow: UnitOfWork, run: RunRow) -> RunRow:
        """Complete a new held run. Returns it as it is then."""

    def tell(self, ctx: Context, uow: UnitOfWork, run: RunRow, keys: Collection[str]) -> None:
        """Queue the mail about a new held run. `keys`: the items that wait in it."""


def stop(
    ctx: Context,
    uow: UnitOfWork,
    run: RunRow,
    people: Sequence[StoppedPerson],
    *,
    alarms: Sequence[MassChangeReason] = (),
    question: Question | None = None,
) -> str | None:
    """Let these pieces wait for a person, inside the caller's transaction, which has taken the lock of the connection
    (`uow.stopped_changes.lock`). What waits already with the same values is left as it is.

    `run`: the run that has come upon them. `alarms`: why they wait, as the mail tells it. `question`: who has to
    decide, if it is no mass change. Returns the public id of the held run that shows them.
    """
    reason = question.reason if question else StopReason.MASS_CHANGE
    rows = {
        (row.source_id, row.unit): row
        for row in uow.stopped_changes.of_people(run.connection_id, run.direction, [each.source_id for each in people])
        if row.reason is reason
    }
    open_runs = uow.stopped_changes.open_among({row.run_id for row in rows.values()})
    new = []
    for person in people:
        known = [(piece, rows.get((person.source_id, piece.unit))) for piece in person.pieces]
        fresh = tuple(piece for piece, row in known if row is None or not _is_shown(row, piece, open_runs))
        if fresh:
            new.append(replace(person, pieces=fresh))
    if not new:
        return next(iter(uow.runs.public_ids(sorted(open_runs, reverse=True)[:1]).values()), None)
    held = _HeldRun(ctx, uow, run, question, alarms)
    before = [rows[key] for each in new for piece in each.pieces if (key := (each.source_id, piece.unit)) in rows]
    _take_out(ctx, uow, [row for row in before if row.run_id != held.run.id])
    held.show(new)
    return held.run.public_id


def _is_shown(row: StoppedRow, piece: Piece, open_runs: Collection[int]) -> bool:
    return row.state is StopState.WAITING and piece.is_same(row.digest) and row.run_id in open_runs


class _HeldRun:
    """The held run of this connection, direction and day; it is made when there is none."""

    def __init__(
        self,
        ctx: Context,
        uow: UnitOfWork,
        cause: RunRow,
        question: Question | None,
        raised: Sequence[MassChangeReason],
    ) -> None:
        self._ctx, self._uow, self._cause, self._question, self._raised = ctx, uow, cause, question, raised
        self._reason = question.reason if question else StopReason.MASS_CHANGE
        self._now = ctx.clock.now()
        found = question.open_run(ctx, uow, cause) if question else self._open()
        self._is_new = found is None
        self.run = found or self._made()

    def _open(self) -> RunRow | None:
        cause, stopped = self._cause, self._uow.stopped_changes
        return stopped.open_run(cause.connection_id, cause.direction, self._reason, as_of_date=cause.as_of_date)

    def _made(self) -> RunRow:
        cause = self._cause
        new = NewRun(
            public_id=str(uuid.uuid4()),
            connection_id=cause.connection_id,
            direction=cause.direction,
            trigger=Trigger.HELD,
            as_of_date=cause.as_of_date,
            dry_run=False,
            scope=None,
            queue=queue_for(0, bulk_from=self._ctx.settings.bulk_from),
            started_by=cause.started_by,
            created_at=self._now,
            deadline_at=self._now + timedelta(hours=self._ctx.settings.run_deadline_hours),
        )
        run = self._uow.runs.add(new)
        self._uow.history.add(run.id, HistoryKind.START, at=self._now)
        return self._question.begin(self._ctx, self._uow, run) if self._question else run

    def show(self, people: Sequence[StoppedPerson]) -> None:
        uow, run = self._uow, self.run
        shown = uow.stopped_changes.waiting_items(run.id, [person.source_id for person in people])
        added = [person for person in people if person.source_id not in shown]
        ids = uow.items.add_many([self._item(each, (run.total or 0) + nth) for nth, each in enumerate(added)])
        shown |= {person.source_id: item_id for person, item_id in zip(added, ids, strict=True)}
        for person in people:
            self._put(person, shown[person.source_id])
        total = (run.total or 0) + len(added)
        told = self._alarms()
        uow.runs.show_stopped(run.id, total=total, alarms=told, now=self._now)
        if self._is_new and self._question:
            keys = {change.key for person in people for piece in person.pieces for change in piece.changes}
            self._question.tell(self._ctx, uow, run, keys)
        elif self._is_new:
            add_held_notice(self._ctx, uow, run, [reason_from_dict(each) for each in told])
        log.warning("changes_stopped", run_id=self._cause.id, held_run_id=run.id, people=len(people))

    def _item(self, person: StoppedPerson, position: int) -> NewItem:
        kind = PlanKind.CREATE if person.pieces[0].unit == CREATE else PlanKind.UPDATE
        return NewItem(
            run_id=self.run.id,
            connection_id=self.run.connection_id,
            direction=self.run.direction,
            position=position,
            employee_number=person.number,
            source_id=person.source_id,
            target_id=person.target_id,
            kind=kind.value,
            queue=self.run.queue,
            state=ItemState.WAITING,
            created_at=self._now,
            closing_month=person.closing_month,
            pay_month=person.pay_month,
            approved_digest=person.pieces[0].digest,
            name=person.name,
            chosen=True,
            notes=person.notes,
        )

    def _put(self, person: StoppedPerson, item_id: int) -> None:
        """Remember the pieces, and let the item show them beside those it shows already."""
        uow = self._uow
        uow.stopped_changes.put(
            person.pieces,
            connection_id=self.run.connection_id,
            direction=self.run.direction,
            source_id=person.source_id,
            target_id=person.target_id,
            reason=self._reason,
            run_id=self.run.id,
            item_id=item_id,
            now=self._now,
        )
        if person.ticked:
            uow.items.keep_ticks(item_id, person.ticked)
        _show(uow, item_id, [new_change(change) for piece in person.pieces for change in piece.changes])

    def _alarms(self) -> list[Mapping[str, int | str]]:
        """Why the run waits, with the highest number that was told of each kind."""
        rows = [row for row in self._uow.stopped_changes.of_run(self.run.id) if row.state is StopState.WAITING]
        counted = waiting_effects(rows)
        linked = self._uow.links.count(self.run.connection_id)
        written = self._uow.stopped_changes.written(self.run.connection_id, self._now)
        now = alarms(counted, linked=linked, written=written)
        before = [reason_from_dict(each) for each in self.run.alarms or ()]
        told: dict[MassChangeCode, MassChangeReason] = {}
        for each in (*before, *self._raised, *now):
            known = told.get(each.code)
            told[each.code] = each if known is None or each.count >= known.count else known
        return [reason_as_dict(each) for each in told.values()]


def waiting_effects(rows: Iterable[StoppedRow]) -> dict[Effect, int]:
    """How many people wait with each effect."""
    people = {(effect, row.source_id) for row in rows for effect in from_text(row.effects)}
    return {effect: sum(found is effect for found, _ in people) for effect in Effect}


def _kept(change: ChangeRow) -> NewChange:
    assert change.before is not None and change.after is not None
    return NewChange(change.key, change.before, change.after, raw=change.raw, trace=change.trace)


# ── what is shown to people ───────────────────────────────────────────────────────────────────────────────────────


def _show(uow: UnitOfWork, item_id: int, fresh: Sequence[NewChange]) -> None:
    """Let the item show these changes in place of what it showed of their units."""
    item = uow.items.get(item_id)
    assert item is not None
    units = {decision_unit_of(change.key) for change in fresh}
    before = [each for each in uow.changes.of_items([item_id])[item_id] if decision_unit_of(each.key) not in units]
    rows = uow.stopped_changes.of_item(item_id)
    whole = any(row.unit == CREATE for row in rows)
    uow.changes.replace(item_id, [*([] if whole else map(_kept, before)), *fresh])
    effects = frozenset(effect for row in rows for effect in from_text(row.effects))
    kind = PlanKind.CREATE if whole else PlanKind.UPDATE
    notes = tuple(NewNote(note["code"], note["severity"], note["key"]) for note in item.notes)
    uow.items.show_stopped(item_id, effects=" ".join(sorted(effects)), kind=kind.value, notes=notes)


def _take_out(ctx: Context, uow: UnitOfWork, rows: Sequence[StoppedRow], *, gone: bool = False) -> list[int]:
    """Take these pieces out of the items that show them. `gone`: they are no difference any more; otherwise they wait
    elsewhere now. Returns the held runs in which nobody waits any more."""
    now, ended = ctx.clock.now(), []
    for run_id in sorted(uow.stopped_changes.open_among({row.run_id for row in rows})):
        mine = [row for row in rows if row.run_id == run_id]
        for item_id in sorted({row.item_id for row in mine}):
            _take_out_of(uow, item_id, [row for row in mine if row.item_id == item_id], gone=gone, now=now)
        if uow.runs.end_shown(run_id):
            ended.append(run_id)
    return ended


def _take_out_of(uow: UnitOfWork, item_id: int, rows: Sequence[StoppedRow], *, gone: bool, now: datetime) -> None:
    units = {row.unit for row in rows}
    changes = uow.changes.of_items([item_id])[item_id]
    left = [] if CREATE in units else [each for each in changes if decision_unit_of(each.key) not in units]
    if left:
        uow.changes.replace(item_id, [_kept(each) for each in left])
    elif gone:
        uow.items.end_shown(item_id, now=now, state=ItemState.UNCHANGED)
    else:
        uow.items.end_shown(item_id, now=now, state=ItemState.NEEDS_REVIEW, code="approved_plan_changed")


def forget(ctx: Context, uow: UnitOfWork, rows: Sequence[StoppedRow]) -> list[int]:
    """Forget pieces that are no difference any more. Returns the held runs in which nobody waits any more: the caller
    asks for their close after its commit."""
    if not rows:
        return []
    ended = _take_out(ctx, uow, rows, gone=True)
    uow.stopped_changes.forget([row.id for row in rows])
    return ended
