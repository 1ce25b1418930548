"""What of one employee's plan a job may write: before its first write, a job divides its plan into what travels and
what has to wait for a person.

A run that a person has approved writes its whole plan. A held run writes the pieces that it has shown to people, as far
as these still are what was shown. Every other run writes neither what waits nor more than the day has room for; whether
it has, is asked and noted in one transaction under the lock of the connection, so that two workers at the same moment
never both take the last place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from app.domain.enums import Trigger
from app.domain.mapping import BY_KEY
from app.domain.planning.carrying import decision_unit_of
from app.domain.planning.keyed import Fingerprint
from app.domain.planning.mass_change import CODES, Effect, as_text
from app.domain.planning.plan import Change, Plan, PlanKind
from app.domain.planning.stopping import CREATE, Piece, Split, only, pieces_of, without
from app.domain.planning.three_way import same
from app.domain.runs.dates import today_in_japan
from app.storage.enums import MassChangeCheck
from app.storage.runs.rows import ChangeRow
from app.storage.runs.stopped_changes import StoppedRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.employee.outcome import Job
from app.use_cases.planning.mass_change import more_than_a_day_may
from app.use_cases.planning.planned_item import new_notes
from app.use_cases.planning.second_person import wait_for_second
from app.use_cases.planning.stop_changes import (
    StoppedPerson,
    Stops,
    alarms_of,
    closed_in,
    forget,
    is_asked,
    note_stopped,
    stop,
)

MOVED_ON = "approved_plan_changed"


@dataclass(frozen=True)
class Known:
    """What the job knows of its employee so far."""

    number: str
    name: str = field(repr=False)
    target_id: str | None


class Parked(Exception):
    """The job ends before its first write: its plan waits until the plans of the run's other employees are known."""

    def __init__(self, plan: Plan, *, digest: str, effects: str, known: Known) -> None:
        super().__init__("parked")
        self.plan, self.digest, self.effects, self.known = plan, digest, effects, known


class Passing:
    def __init__(self, job: Job, fingerprint: Fingerprint) -> None:
        self._job, self._ctx, self._item, self._run = job, job.ctx, job.item, job.run
        self._fingerprint = fingerprint
        self.rows: Sequence[StoppedRow] = ()
        """What was remembered of this employee when the job began."""

    def remembered(self, known: Known) -> Sequence[StoppedRow]:
        """What is remembered of this employee now."""
        with self._ctx.unit_of_work().reading() as uow:
            return self._remembered(uow, known)

    def split(self, plan: Plan, known: Known, remembered: Sequence[StoppedRow]) -> Split:
        """Divide the plan. What has to wait is remembered and shown to people from here on. Raises Parked."""
        self.rows = remembered
        if self._run.trigger is Trigger.HELD:
            return self._as_shown(plan, known)
        if is_asked(self._run):
            return Split(plan)
        pieces = self._pieces(plan)
        if not self.rows and not any(piece.effects for piece in pieces):
            return Split(plan)
        with self._job.ledger.commit() as uow:
            uow.stopped_changes.lock(self._run.connection_id)
            return self._unasked(uow, plan, known)

    def forget(self, equal: Collection[str]) -> list[int]:
        """Forget what is remembered of these units, in which both sides are equal now. Returns the held runs in which
        nobody waits any more."""
        gone = [row for row in self.rows if row.unit in equal]
        if not gone:
            return []
        with self._ctx.unit_of_work() as uow:
            uow.stopped_changes.lock(self._run.connection_id)
            return forget(self._ctx, uow, gone)

    # ── a run that nobody has approved ────────────────────────────────────────────────────────────────────────────

    def _unasked(self, uow: UnitOfWork, plan: Plan, known: Known) -> Split:
        now = self._ctx.clock.now()
        counted = uow.stopped_changes.counted(self._item.id, now)
        if Effect.CREATE in counted:  # the rest of a new employee, who is counted as a whole
            return Split(plan)
        run = uow.runs.get(self._run.id) or self._run
        stops = replace(self._stops(self._remembered(uow, known)), closed=closed_in(run) - counted)
        found = stops.split(plan, self._source_id, known.target_id)
        fresh = found.counted - counted
        if fresh and run.gate is MassChangeCheck.CLOSED:
            digest = " ".join(piece.digest for piece in self._pieces(plan))
            raise Parked(plan, digest=digest, effects=as_text(fresh), known=known)
        raised = more_than_a_day_may(self._ctx, uow, run.connection_id, dict.fromkeys(fresh, 1))
        if raised:
            full = {effect for effect, code in CODES.items() if code in {alarm.code for alarm in raised}}
            found = replace(stops, closed=stops.closed | full).split(plan, self._source_id, known.target_id)
        if found.waiting:
            told = raised or alarms_of(run)
            shown = stop(self._ctx, uow, run, [stopped_person(uow, self._job, plan, known, found.waiting)], alarms=told)
            if shown is not None:
                note_stopped(uow, run, shown, raised)
        if found.counted:
            uow.stopped_changes.count(run.connection_id, self._item.id, found.counted, now)
        return found

    # ── a run that shows what was stopped ─────────────────────────────────────────────────────────────────────────

    def _as_shown(self, plan: Plan, known: Known) -> Split:
        """The pieces that the item has shown, if they still are what was shown. Those that have moved on wait anew."""
        with self._ctx.unit_of_work().reading() as uow:
            shown = uow.changes.of_items([self._item.id])[self._item.id]
            begun = uow.steps.any_done(self._item.id)
        units = _units(self._item.kind, shown, plan, begun=begun)
        pieces = self._pieces(plan)
        other = self._is_other_target(known)
        moved = [
            piece
            for piece in pieces
            if piece.unit in units and (other or not self._is_as_shown(piece, shown, begun=begun))
        ]
        if moved:
            with self._job.ledger.commit() as uow:
                uow.stopped_changes.lock(self._run.connection_id)
                self._stop_anew(uow, stopped_person(uow, self._job, plan, known, tuple(moved)))
        narrowed = without(only(plan, pieces, units), pieces, {piece.unit: MOVED_ON for piece in moved})
        left = {change.key for change in narrowed.changes}
        return Split(narrowed, removed=frozenset(change.key for change in plan.changes if change.key not in left))

    def _is_other_target(self, known: Known) -> bool:
        """Whether the employee was linked to somebody else since: a second person has approved an account for one
        person of the target, not for another one who happens to hold the same values."""
        return self._run.decide_until is not None and self._item.target_id not in (None, known.target_id)

    def _stop_anew(self, uow: UnitOfWork, person: StoppedPerson) -> None:
        if self._run.decide_until is None:
            stop(self._ctx, uow, self._run, [person])
        else:
            wait_for_second(self._ctx, uow, self._run, self._job.connection, [person])

    def _is_as_shown(self, piece: Piece, shown: Sequence[ChangeRow], *, begun: bool) -> bool:
        """Whether a person has seen just these two values; of an item that has begun to write, just these new values,
        because what is left of it has less to do."""
        seen = {each.key: each for each in shown if each.before is not None and each.after is not None}
        mine = [seen.get(change.key) for change in piece.changes]
        if begun:
            return all(
                each is not None and each.after is not None and same(BY_KEY[each.key], change.after, each.after)
                for each, change in zip(mine, piece.changes, strict=True)
            )
        before = [Change(e.key, e.before, e.after) for e in seen.values()]  # type: ignore[arg-type]
        kind = PlanKind.CREATE if piece.unit == CREATE else PlanKind.UPDATE
        digests = {each.unit: each.digest for each in self._pieces(Plan(kind, tuple(before)))}
        return digests.get(piece.unit) == piece.digest

    # ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _source_id(self) -> str:
        return self._item.source_id or ""

    def _remembered(self, uow: UnitOfWork, known: Known) -> list[StoppedRow]:
        run = self._run
        return uow.stopped_changes.of_pair(run.connection_id, run.direction, self._source_id, known.target_id)

    def _stops(self, rows: Sequence[StoppedRow]) -> Stops:
        today = today_in_japan(self._ctx.clock.now())
        return Stops(rows, self._run.direction, today, self._fingerprint)

    def _pieces(self, plan: Plan) -> tuple[Piece, ...]:
        return pieces_of(plan, today=today_in_japan(self._ctx.clock.now()), fingerprint=self._fingerprint)


def stopped_person(uow: UnitOfWork, job: Job, plan: Plan, known: Known, pieces: tuple[Piece, ...]) -> StoppedPerson:
    """The employee of a job with these pieces of the plan."""
    item = uow.items.get(job.item.id) or job.item
    keys = {change.key for piece in pieces for change in piece.changes}
    return StoppedPerson(
        job.item.source_id or "",
        known.target_id,
        pieces,
        number=known.number,
        name=known.name,
        closing_month=item.closing_month,
        pay_month=item.pay_month,
        notes=new_notes(tuple(note for note in plan.notes if note.key in keys)),
        ticked=tuple(key for key in job.item.ticked or () if key in keys),
    )


def _units(kind: str, shown: Sequence[ChangeRow], plan: Plan, *, begun: bool) -> frozenset[str]:
    """The units of the plan that the item has shown. Somebody who was to be created and is there already has nothing
    that was shown, unless this item has created them."""
    if kind == PlanKind.CREATE:
        if plan.kind is PlanKind.CREATE:
            return frozenset({CREATE})
        return frozenset(decision_unit_of(change.key) for change in plan.changes) if begun else frozenset()
    return frozenset(decision_unit_of(each.key) for each in shown)
