"""What of an outcome waits for a person (要対応), and why. Pure.

An outcome of a run ends with a state, a code and notes. Here is decided whether the employee needs somebody's action
from then on, and what the action is about. Changes that wait for an approval are no such cause: the run that shows them
stands on the list by itself. What a person has declined is no cause either, because that is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.domain.enums import System
from app.domain.error_catalogue.blames import Blames, blames_of
from app.domain.planning.declined import CHANGE_DECLINED, CREATION_DECLINED
from app.domain.planning.plan import Severity
from app.domain.planning.stopping import STOPPED_CODES
from app.domain.runs.run_state import BAD_ITEM_STATES, ItemState

ONLY_TARGET_CHANGED = "only_target_changed"
STANDS_ELSEWHERE = STOPPED_CODES | {
    CHANGE_DECLINED,
    CREATION_DECLINED,
    "second_person_declined",
    "second_person_expired",
}
"""Codes of outcomes that wait in a run of their own, or that a person has decided."""
CONFLICT = "conflict"
_UNEXPECTED = "unexpected"
_TELLING = frozenset({Severity.STOP.value, Severity.REVIEW.value})


class Told(NamedTuple):
    """A note of an outcome: code of the catalogue, value of `Severity`, key of FIELDS."""

    code: str
    severity: str
    key: str | None = None


@dataclass(frozen=True)
class Cause:
    """Why an employee waits for a person. `keys`: the items that the outcome names."""

    code: str
    keys: tuple[str, ...] = ()

    @property
    def blames(self) -> Blames:
        return blames_of(self.code, self.keys)

    @property
    def text(self) -> str:
        """The same for the same cause: a decision to leave it for now holds as long as this stays."""
        return " ".join((self.code, *self.keys))


def partner_of(target_id: str | None, candidates: Sequence[Mapping[str, str]], system: System) -> str | None:
    """Who of the target a person waits with: the target's employee, else the one candidate of that system."""
    of_target = [each["id"] for each in candidates if each["system"] == system.value]
    return target_id or (of_target[0] if len(of_target) == 1 else None)


def cause_of_end(state: ItemState, code: str | None, notes: Iterable[Told] = ()) -> Cause | None:
    """Why an employee who ends like this waits for a person. None: nobody has to do anything."""
    told = [note for note in notes if note.severity in _TELLING and note.code not in STANDS_ELSEWHERE]
    if state is ItemState.UNCHANGED and code == ONLY_TARGET_CHANGED:
        return Cause(code, _keys(notes))
    if state not in BAD_ITEM_STATES:
        return None
    if code not in STANDS_ELSEWHERE:
        return Cause(code or _UNEXPECTED, _keys(told))
    conflict = any(note.code == CONFLICT for note in told)
    return Cause(CONFLICT if conflict else told[0].code, _keys(told)) if told else None


def _keys(notes: Iterable[Told]) -> tuple[str, ...]:
    return tuple(sorted({note.key for note in notes if note.key}))
