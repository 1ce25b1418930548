"""Stopped changes: what of a plan waits for a person's decision, and what travels meanwhile. Pure.

A plan is divided into pieces. A piece is what can only be decided together: a whole new employee (`create`), a bank
account, an address, else one item. A piece that a person has to decide on is *stopped*: it is remembered per employee
and direction with a digest of its two values, and no later run writes it before it is decided. The other pieces of the
same plan travel.

- waiting: not written by any run that nobody has approved, whatever started that run. When its values move on, the new
  values wait in place of the old ones.
- approved: written with just these values by whichever run comes first.
- declined: rests until one of its two values moves; then it is a new change.

While a change waits, the other direction does not write over its source either: that would carry the old value back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from app.domain.mapping import FIELDS
from app.domain.planning import planning
from app.domain.planning.carrying import decision_unit_of
from app.domain.planning.keyed import Fingerprint, as_made, is_comparable
from app.domain.planning.mass_change import Effect, effects_of_changes
from app.domain.planning.plan import Change, Note, Plan, PlanKind, Severity
from app.domain.planning.three_way import Baseline, as_target, same
from app.domain.snapshot import ABSENT, Snapshot

CREATE = "create"
"""The piece of a new employee."""
WAITS, DECLINED, WAITS_THE_OTHER_WAY = "waits_for_decision", "change_declined", "other_way_waits"
"""Codes of the error catalogue: why a piece was not written."""
WAITS_FOR_SECOND_PERSON = "waits_for_second_person"
STOPPED_CODES = frozenset({WAITS, DECLINED, WAITS_THE_OTHER_WAY, WAITS_FOR_SECOND_PERSON})


class StopReason(StrEnum):
    """Who has to decide, and why."""

    MASS_CHANGE = "mass_change"  # too many of its kind within a day
    SECOND_PERSON = "second_person"  # somebody besides whoever asked for it (`seconding`)


class StopState(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    DECLINED = "declined"


@dataclass(frozen=True)
class Stopped:
    """What is remembered of one piece that was stopped."""

    unit: str
    state: StopState
    digest: str = field(repr=False)
    reason: StopReason = StopReason.MASS_CHANGE


@dataclass(frozen=True)
class Piece:
    """Changes of one plan that are decided together. `effects`: those that have a limit per day."""

    unit: str
    changes: tuple[Change, ...] = field(repr=False)
    effects: frozenset[Effect]
    fingerprint: Fingerprint = field(repr=False, compare=False)

    @property
    def digest(self) -> str:
        return self._digest(self.fingerprint)

    def is_same(self, stored: str) -> bool:
        """Whether a remembered digest is the one of just these values, under whatever key it was made."""
        return stored == self._digest(as_made(stored, self.fingerprint))

    def is_unmoved(self, stored: str) -> bool:
        """Of a digest by other rules nobody can say whether a value has moved, so the piece goes on resting."""
        return self.is_same(stored) or not is_comparable(stored, self.fingerprint)

    def _digest(self, fingerprint: Fingerprint) -> str:
        return planning.digest(Plan(PlanKind.UPDATE, self.changes), Baseline({}, fingerprint))


@dataclass(frozen=True)
class Split:
    """`plan`: what travels, with a note for each piece that does not. `waiting`: the pieces that wait. `counted`: the
    effects of the travelling pieces that the day has to have room for. `removed`: keys that differ and do not travel.
    """

    plan: Plan
    waiting: tuple[Piece, ...] = ()
    counted: frozenset[Effect] = frozenset()
    removed: frozenset[str] = frozenset()


def pieces_of(plan: Plan, *, today: date, fingerprint: Fingerprint) -> tuple[Piece, ...]:
    if not plan.writes or not plan.changes:
        return ()
    if plan.kind is PlanKind.CREATE:
        return (Piece(CREATE, plan.changes, frozenset({Effect.CREATE}), fingerprint),)
    units: dict[str, list[Change]] = {}
    for change in plan.changes:
        units.setdefault(decision_unit_of(change.key), []).append(change)
    return tuple(
        Piece(unit, tuple(changes), effects_of_changes(changes, today=today), fingerprint)
        for unit, changes in units.items()
    )


def split(
    plan: Plan,
    pieces: Sequence[Piece],
    *,
    known: Iterable[Stopped] = (),
    backwards: Collection[str] = (),
    closed: Collection[Effect] = (),
) -> Split:
    """Divide the plan of a run that nobody has approved.

    `known`: what is remembered of this employee in the run's direction. `backwards`: units of the pair that wait in the
    other direction. `closed`: the effects for which the day has no room.
    """
    remembered: dict[str, list[Stopped]] = {}
    for each in known:
        remembered.setdefault(each.unit, []).append(each)
    verdicts = {
        piece.unit: _verdict(piece, remembered.get(piece.unit, ()), backwards=backwards, closed=closed)
        for piece in pieces
    }
    kept = [piece for piece in pieces if verdicts[piece.unit] in (None, _COUNTED)]
    stopped = {piece.unit: code for piece in pieces if (code := verdicts[piece.unit]) in STOPPED_CODES and code}
    return Split(
        without(plan, pieces, stopped),
        tuple(piece for piece in pieces if verdicts[piece.unit] == WAITS),
        frozenset(effect for piece in kept if verdicts[piece.unit] == _COUNTED for effect in piece.effects),
        frozenset(change.key for piece in pieces if piece.unit in stopped for change in piece.changes),
    )


_COUNTED = "counted"


def _verdict(
    piece: Piece, known: Sequence[Stopped], *, backwards: Collection[str], closed: Collection[Effect]
) -> str | None:
    """Why the piece does not travel; None: it travels, and _COUNTED: it does if the day has room for it."""
    if piece.unit in backwards:
        return WAITS_THE_OTHER_WAY
    for each in known:
        if each.reason is StopReason.SECOND_PERSON:  # `seconding` has taken out what waits for one
            continue
        if each.state is StopState.WAITING and piece.effects:
            return WAITS
        if each.state is StopState.DECLINED and piece.is_unmoved(each.digest):
            return DECLINED
    if not piece.effects or any(each.state is StopState.APPROVED and piece.is_same(each.digest) for each in known):
        return None
    return WAITS if piece.effects & frozenset(closed) else _COUNTED


def without(plan: Plan, pieces: Sequence[Piece], stopped: Mapping[str, str]) -> Plan:
    """The plan without the pieces of these units. `stopped`: unit → code of the note that tells it."""
    if not stopped:
        return plan
    gone = {change.key for piece in pieces if piece.unit in stopped for change in piece.changes}
    changes = tuple(change for change in plan.changes if change.key not in gone)
    told = tuple(note for note in plan.notes if note.key not in gone or note.severity is not Severity.INFO)
    notes = tuple(
        Note(stopped[piece.unit], Severity.REVIEW, _key_of(piece)) for piece in pieces if piece.unit in stopped
    )
    return replace(plan, kind=plan.kind if changes else PlanKind.NOTHING, changes=changes, notes=(*told, *notes))


def _key_of(piece: Piece) -> str | None:
    """The item that stands for the piece; None for a whole employee."""
    return None if piece.unit == CREATE else piece.changes[0].key


def only(plan: Plan, pieces: Sequence[Piece], units: Collection[str]) -> Plan:
    """The plan with nothing but the pieces of these units, and without what it says of other items."""
    keys = {change.key for piece in pieces if piece.unit in units for change in piece.changes}
    changes = tuple(change for change in plan.changes if change.key in keys)
    whole = CREATE in units
    return replace(
        plan,
        kind=plan.kind if changes or plan.stops else PlanKind.NOTHING,
        changes=changes,
        conflicts=tuple(each for each in plan.conflicts if whole or decision_unit_of(each.key) in units),
        notes=tuple(
            note for note in plan.notes if whole or (note.key is not None and decision_unit_of(note.key) in units)
        ),
        held=tuple(each for each in plan.held if whole or decision_unit_of(each.key) in units),
    )


def equal_units(units: Iterable[str], source: Snapshot, target: Snapshot | None) -> frozenset[str]:
    """The units in which the two sides no longer differ; that of a new employee once there is a target."""
    if target is None:
        return frozenset()
    return frozenset(unit for unit in units if unit == CREATE or _is_equal(unit, source, target))


def _is_equal(unit: str, source: Snapshot, target: Snapshot) -> bool:
    """Whether every item of the unit that both sides show is the same; a unit that is not shown may still differ."""
    rows = [row for row in FIELDS if decision_unit_of(row.key) == unit]
    shown = [(row, source[row.key], as_target(target[row.key])) for row in rows]
    compared = [each for each in shown if ABSENT not in each[1:]]
    return bool(compared) and all(same(*each) for each in compared)
