"""Records the outcome of one employee's job, and what follows from it, in one transaction.

Automatic runs remember which employees keep ending badly (quarantine). When both directions are on, a job that finds
the target newer asks for the way back, an item in the other direction. So a value for which the vendor sent no webhook
still reaches the other side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.domain.completeness.unreadable import UNREADABLE_RECORD, unreadable_notes
from app.domain.employee import EmployeeRecord
from app.domain.enums import Trigger
from app.domain.errors import AwaseError, QuestionError
from app.domain.mapping import BY_KEY
from app.domain.meanwhile import MOVED
from app.domain.planning.attention import Told, partner_of
from app.domain.planning.healing import Looked
from app.domain.planning.plan import Change, Note, Plan, PlanKind, Severity
from app.domain.planning.three_way import as_target, same
from app.domain.planning.unsettled import sent_unit_of
from app.domain.reading import name_of
from app.domain.runs.run_state import BAD_ITEM_STATES, ItemState
from app.domain.settings.connection_settings import Automatic, Connection
from app.domain.snapshot import ABSENT, Snapshot
from app.domain.vendors.answer import packed
from app.storage.links.attention import Ended
from app.storage.runs.rows import ClaimedItem, RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.planning.plan_employee import fingerprint_of
from app.use_cases.planning.planned_item import new_notes, notes_of, state_without_write
from app.use_cases.shared.item_ledger import ItemLedger
from app.use_cases.shared.repeated_trouble import note_trouble

TARGET_IS_RIGHT = frozenset({"target_newer", "target_wins"})
_GOOD = frozenset({ItemState.SUCCEEDED, ItemState.UNCHANGED})


@dataclass(frozen=True)
class ItemOutcome:
    """How an item ends. `candidates`: people who may be this employee, [{"system", "id", "number", "reason"}]."""

    state: ItemState
    code: str | None = None
    plan: Plan | None = None
    notes: tuple[Note, ...] = ()
    candidates: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    who: EmployeeRecord | None = field(default=None, repr=False)
    """The employee of the source, where the job ends before it knows more of them."""
    detail: str | None = field(default=None, repr=False)
    """What a person should know besides, stored encrypted."""


def unreadable_outcome(*sides: EmployeeRecord, who: EmployeeRecord | None = None) -> ItemOutcome:
    """The outcome where a record cannot be read: nothing is concluded from what is left of it."""
    notes = tuple(note for side in sides for note in unreadable_notes(side))
    return ItemOutcome(ItemState.NEEDS_REVIEW, UNREADABLE_RECORD, notes=notes, who=who)


@dataclass(frozen=True)
class Job:
    """One attempt at one employee: the claimed item, with its run and connection. `ledger`: through it goes every
    commit of the job, so that each takes along what waits to be stored."""

    ctx: Context
    item: ClaimedItem
    run: RunRow
    connection: Connection
    ledger: ItemLedger
    sides: list[EmployeeRecord] = field(default_factory=list, repr=False)
    """Both records as the attempt has read them last; what a bad end is remembered with."""


def record_outcome(
    job: Job,
    outcome: ItemOutcome,
    *,
    number: str = "",
    name: str = "",
    target_id: str | None = None,
    detail: str | None = None,
) -> None:
    """Store the outcome of the item, unless another worker has taken it over. `number`, `name` and `target_id`: of the
    employee, as the job has read them."""
    notes = notes_of(outcome.plan, outcome.notes) if outcome.plan else outcome.notes
    ctx, item = job.ctx, job.item
    if outcome.who is not None:
        number, name = number or outcome.who.person.number, name or name_of(outcome.who)
    now = ctx.clock.now()
    with job.ledger.commit() as uow:
        ended = uow.items.record_outcome(
            item.id,
            item.attempt,
            state=outcome.state,
            error_code=outcome.code,
            notes=new_notes(notes),
            kind=outcome.plan.kind.value if outcome.plan else None,
            candidates=outcome.candidates or None,
            number=number or None,
            name=name or None,
            target_id=target_id,
            detail=detail or outcome.detail,
            now=now,
        )
        if not ended:
            return
        told = [Told(note.code, note.severity.value, note.key) for note in notes]
        target = target_id or item.target_id
        partner = partner_of(target, outcome.candidates, job.run.direction.target)
        waits = _ended(job, outcome, told, number=number, name=name, target_id=partner, now=now)
        uow.attention.ended([waits] if waits else [])
        _remember_trouble(job, uow, outcome, number=number or item.employee_number)
        if target is not None and _wants_way_back(job, notes):
            collect_events(ctx, uow, [SyncRequest(job.connection, job.run.direction.reverse, target)], now=now)


def _ended(
    job: Job,
    outcome: ItemOutcome,
    told: Sequence[Told],
    *,
    number: str,
    name: str,
    target_id: str | None,
    now: datetime,
) -> Ended | None:
    """What the list of people who wait for somebody's action is told."""
    item = job.item
    if item.source_id is None:
        return None
    ended = Ended(
        connection_id=item.connection_id,
        direction=item.direction,
        source_id=item.source_id,
        target_id=target_id,
        number=number or item.employee_number,
        state=outcome.state,
        code=outcome.code,
        notes=told,
        trigger=job.run.trigger,
        run_id=item.run_id,
        item_id=item.id,
        at=now,
        name=name or item.name,
    )
    if ended.cause is None:
        return ended
    return replace(ended, seen=Looked(job.connection, tuple(job.sides)).seen(fingerprint_of(job.ctx.keys.signing)))


def _remember_trouble(job: Job, uow: UnitOfWork, outcome: ItemOutcome, *, number: str) -> None:
    item = job.item
    if item.source_id is None or job.run.undone_run_id is not None:  # an undo does not bring the employee into line
        return
    if outcome.state in _GOOD:
        if outcome.plan is not None:  # both sides were compared
            uow.beginnings.forget_declined(item.connection_id, item.direction, [item.source_id])
        uow.troubles.resolve(item.connection_id, item.direction, [item.source_id])
    elif outcome.state in BAD_ITEM_STATES and job.run.trigger.is_automatic:
        note_trouble(job.ctx, uow, item, item.id, number=number, code=outcome.code)


def _wants_way_back(job: Job, notes: tuple[Note, ...]) -> bool:
    """Whether the job asks for the way back. Only the jobs of webhook runs do: a sweep compares both directions
    anyway."""
    two_way = job.connection.automatic is Automatic.BOTH and job.run.trigger is Trigger.WEBHOOK
    return two_way and any(note.code in TARGET_IS_RIGHT for note in notes)


def outcome_with_write(
    plan: Plan, left: Plan, shown: Snapshot, altered: Collection[str] = (), moved: Collection[str | None] = ()
) -> ItemOutcome:
    """The outcome of an item after its writes. `left`: the plan made once more with the answers of the writes, for what
    a write has brought about elsewhere; `shown`: what the answers show of the target; `altered`: units of which the
    target has made another value in an earlier run; `moved`: items that somebody else changed while we wrote.

    That the target shows another value than the one it was sent is told as just that. It is no evidence of missing
    rights: a vendor that refuses a write for want of them says so itself (403).
    """
    reasons = {change.key: MOVED if change.key in moved else "stored_otherwise" for change in left.changes}
    reasons |= _not_taken_over(plan.changes, shown, altered)
    return outcome_of_write(plan, plan.notes + tuple(Note(why, Severity.REVIEW, key) for key, why in reasons.items()))


def ended_by(job: Job, error: AwaseError, notes: Iterable[Note] = ()) -> ItemOutcome:
    """Store that an error ends the item. `notes`: what the requests before it have shown."""
    state = ItemState.NEEDS_REVIEW if isinstance(error, QuestionError) else ItemState.FAILED
    of_items = (Note(error.code, Severity.STOP, key) for key in error.keys)
    outcome = ItemOutcome(state, error.code, notes=tuple(dict.fromkeys([*of_items, *notes])))
    record_outcome(job, outcome, detail=packed(error.answers) or error.detail or None)
    return outcome


def with_notes(outcome: ItemOutcome, notes: Iterable[Note]) -> ItemOutcome:
    """The outcome with these notes besides its own."""
    own = outcome.notes or (outcome.plan.notes if outcome.plan else ())
    told = {(note.code, note.key) for note in own}
    more = dict.fromkeys(note for note in notes if (note.code, note.key) not in told)
    return replace(outcome, notes=(*own, *more)) if more else outcome


def outcome_of_write(plan: Plan, notes: tuple[Note, ...]) -> ItemOutcome:
    """The outcome of an item that was written with these notes."""
    state, code = state_without_write(Plan(PlanKind.UPDATE, (), plan.conflicts, notes))
    return ItemOutcome(ItemState.SUCCEEDED if state is ItemState.UNCHANGED else state, code, plan, notes)


def _not_taken_over(changes: Iterable[Change], shown: Snapshot, altered: Collection[str]) -> dict[str, str]:
    """Key → reason for the changes that the target's answer does not show. What it does not show at all is not known
    to be another value."""
    reasons = {}
    for change in changes:
        row, now = BY_KEY[change.key], as_target(shown[change.key])
        if now is not ABSENT and not same(row, now, change.after):
            kept = same(row, now, change.before) and sent_unit_of(change.key) not in altered
            reasons[change.key] = "kept_by_target" if kept else "stored_otherwise"
    return reasons
