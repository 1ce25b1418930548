"""What of a plan waits for a second person, and what travels meanwhile. Pure.

It divides the plan of every run, also of one that a person has approved: that person is the first. The pieces and what
is remembered of them are those of `stopping`; a piece that two persons have approved travels as long as its two values
are the ones that they have approved.

A new employee is created without what waits, because a person without an account is better than none on the first
day; the account waits once they are there. An insurance number waits with the 標準報酬月額 of its insurance where freee
has none yet, because freee takes it only together with one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from app.domain.enums import Step, System
from app.domain.mapping import BY_KEY
from app.domain.planning.carrying import decision_unit_of
from app.domain.planning.plan import Change, Note, Plan, PlanKind, Severity
from app.domain.planning.stopping import (
    DECLINED,
    WAITS_FOR_SECOND_PERSON,
    Piece,
    Split,
    Stopped,
    StopReason,
    StopState,
    without,
)
from app.domain.planning.two_persons import INCOME
from app.domain.snapshot import is_value

NEEDS_SECOND_PERSON = "needs_second_person"
"""Code of the error catalogue: what a preview says of a change that will wait."""
_INSURANCES = frozenset({Step.HEALTH_INSURANCE, Step.PENSION_INSURANCE})


def second_split(
    plan: Plan,
    pieces: Sequence[Piece],
    *,
    known: Iterable[Stopped],
    covered: Collection[str],
    target: System,
    is_automatic: bool,
) -> Split:
    """Divide a plan. `known`: what is remembered of this employee in the run's direction; `covered`: keys of the items
    that wait under the setting of the connection; `is_automatic`: no person has asked for the run, so what was declined
    rests until one of its values moves."""
    if plan.kind is PlanKind.CREATE:
        return _created_without(plan, covered, target)
    remembered = {each.unit: each for each in known if each.reason is StopReason.SECOND_PERSON}
    codes = {
        piece.unit: code
        for piece in pieces
        if (code := _verdict(piece, remembered.get(piece.unit), covered, is_automatic=is_automatic)) is not None
    }
    waits = {unit for unit, code in codes.items() if code == WAITS_FOR_SECOND_PERSON}
    keys = {change.key for piece in pieces if piece.unit in waits for change in piece.changes}
    for key in _with_their_income(plan.changes, keys, target):
        codes.setdefault(decision_unit_of(key), WAITS_FOR_SECOND_PERSON)
    return Split(
        without(plan, pieces, codes),
        waiting=tuple(piece for piece in pieces if codes.get(piece.unit) == WAITS_FOR_SECOND_PERSON),
        removed=frozenset(change.key for piece in pieces if piece.unit in codes for change in piece.changes),
    )


def _verdict(piece: Piece, known: Stopped | None, covered: Collection[str], *, is_automatic: bool) -> str | None:
    """Why the piece does not travel; None: it does."""
    waits = any(change.key in covered for change in piece.changes)
    if known is not None and known.state is StopState.WAITING:
        return WAITS_FOR_SECOND_PERSON  # also when the setting is off by now: it stays to be decided
    if known is not None and piece.is_same(known.digest):
        if known.state is StopState.APPROVED:
            return None
        if is_automatic:
            return DECLINED
    return WAITS_FOR_SECOND_PERSON if waits else None


def _with_their_income(changes: Iterable[Change], waiting: Collection[str], target: System) -> frozenset[str]:
    """Keys of the changes that the target takes only together with an income that waits."""
    if target is not System.FREEE:
        return frozenset()
    steps = {
        BY_KEY[change.key].step
        for change in changes
        if change.key in waiting and change.key in INCOME and not is_value(change.before)
    }
    return frozenset(change.key for change in changes if BY_KEY[change.key].step in steps & _INSURANCES)


def _created_without(plan: Plan, covered: Collection[str], target: System) -> Split:
    waiting = {change.key for change in plan.changes if change.key in covered}
    waiting |= _with_their_income(plan.changes, waiting, target)
    if not waiting:
        return Split(plan)
    kept = tuple(change for change in plan.changes if change.key not in waiting)
    return Split(replace(plan, changes=kept), removed=frozenset(waiting))  # the job stops it once they are there


def with_notes(plan: Plan, keys: Collection[str], code: str, severity: Severity) -> Plan:
    """The plan with a note for each of its pieces that has one of these items."""
    told = {decision_unit_of(change.key): change.key for change in reversed(plan.changes) if change.key in keys}
    notes = tuple(Note(code, severity, key) for key in told.values())
    return replace(plan, notes=(*plan.notes, *notes))
