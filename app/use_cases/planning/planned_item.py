"""The result of planning one employee: the item to store, the agreement of the pair, and the state the plan leads
to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.enums import System
from app.domain.matching.linking import Candidate, LinkDecision
from app.domain.planning.attention import CONFLICT
from app.domain.planning.plan import Note, Plan, Severity
from app.domain.planning.stopping import STOPPED_CODES, Piece
from app.domain.runs.run_state import ItemState
from app.storage.runs.rows import NewChange, NewItem, NewNote
from app.use_cases.planning.plan_employee import Terms
from app.use_cases.planning.renewal import Renewal
from app.use_cases.planning.stored_change import new_change

Baseline = Mapping[str, Any]
"""Key of FIELDS → digest, as a link keeps it."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two people who are one employee, and what makes of the link's baseline the one of the pair now. `link_id` None:
    they are not linked yet. `settled`: units that Awase has written and that hold the same on both sides now.

    No baseline is kept: those of a large company do not fit into memory. `seen` tells whether the link still has the
    one that the plan was made with (`mark_of`).
    """

    smarthr_id: str
    freee_id: str
    compared: Callable[[Baseline], Baseline] = field(repr=False)
    link_id: int | None = None
    seen: int = 0
    settled: frozenset[str] = frozenset()


def mark_of(baseline: Baseline) -> int:
    """The same for the same baseline, within this process."""
    return hash(frozenset(baseline.items()))


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One planned employee. `has_item` False: a sweep only counts the employee (both sides are equal, the employee is
    left out, or left alone in quarantine), so the item gets no row. `content`: for an employee in trouble, the digest
    of both sides and of the state and code they were found with. `look`: id of the freee employee who has to be read in
    another month before the plan can be made."""

    item: NewItem
    agreement: Agreement | None = None
    has_item: bool = True
    content: str | None = None
    waiting: tuple[Piece, ...] = field(default=(), repr=False)
    """What of the plan waits for a person."""
    second: tuple[Piece, ...] = field(default=(), repr=False)
    """What of the plan waits for a second person."""
    renewal: Renewal | None = field(default=None, repr=False)
    look: str | None = None
    unchanged: tuple[int, str] | None = field(default=None, repr=False)
    """(link id, mark by which the next survey knows that there is nothing to do), where there was none."""
    trouble_key: str | None = None
    """Stands for the source id of somebody who shows none, so that a sweep tells of them once."""

    @property
    def waits(self) -> bool:
        """Whether a job would follow for this employee."""
        return self.has_item and not self.item.state.is_final


def state_of(plan: Plan, *, preview: bool = False) -> tuple[ItemState, str | None]:
    """The state an item gets from its plan alone, and the code to show. WAITING: the plan has something to write, or in
    a preview something that a person may tick."""
    if plan.stops:
        return ItemState.FAILED, plan.stops[0].code
    if plan.changes or (preview and plan.held):
        return ItemState.WAITING, None
    return state_without_write(plan)


def state_without_write(plan: Plan) -> tuple[ItemState, str | None]:
    review = next((note.code for note in plan.notes if note.severity == "review"), None)
    if stopped := next((note.code for note in plan.notes if note.code in STOPPED_CODES), None):
        return ItemState.CONFLICT, stopped
    if plan.conflicts:
        return ItemState.CONFLICT, review or CONFLICT
    if review:
        return ItemState.NEEDS_REVIEW, review
    return ItemState.UNCHANGED, None


ONLY_TARGET_CHANGED = "only_target_changed"
_LEFT_AT_THE_TARGET = frozenset({"target_newer", "target_wins", ONLY_TARGET_CHANGED})


def unchanged_code(plan: Plan, terms: Terms) -> str | None:
    """The code of an item that ends as 変更なし: whether the target alone has changed something which no run mends."""
    if terms.has_way_back:
        return None
    return ONLY_TARGET_CHANGED if any(note.code in _LEFT_AT_THE_TARGET for note in plan.notes) else None


def pair_ids(terms: Terms, source_id: str, target_id: str) -> tuple[str, str]:
    """(smarthr id, freee id) of a source and a target."""
    if terms.direction.source is System.SMARTHR:
        return source_id, target_id
    return target_id, source_id


def notes_of(plan: Plan, notes: tuple[Note, ...] = ()) -> tuple[Note, ...]:
    """The notes of an outcome, else those of its plan, and one for each item that has changed on both sides."""
    return (*(notes or plan.notes), *(Note(CONFLICT, Severity.REVIEW, each.key) for each in plan.conflicts))


def new_notes(notes: tuple[Note, ...]) -> tuple[NewNote, ...]:
    return tuple(NewNote(note.code, note.severity.value, note.key) for note in notes)


def new_changes(plan: Plan) -> tuple[NewChange, ...]:
    return tuple(map(new_change, plan.changes))


def held_changes(plan: Plan) -> tuple[NewChange, ...]:
    """The changes that a preview stores beside the planned ones, for a person to tick."""
    return tuple(new_change(each, held=True) for each in plan.held)


def candidates_of(decision: LinkDecision) -> tuple[Mapping[str, str], ...]:
    """The people whom a person should look at before deciding, in the form in which an item keeps them."""
    return tuple(_candidate(candidate) for candidate in decision.candidates)


def _candidate(candidate: Candidate) -> Mapping[str, str]:
    return {
        "system": candidate.system.value,
        "id": candidate.id,
        "number": candidate.number,
        "reason": candidate.reason.value,
    }
