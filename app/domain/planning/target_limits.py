"""The limits of a target: they take out of a plan what the target would not take, or only in part.

Each limit takes changes out and puts a note for a person in their place, so that the target accepts the rest of the
plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from app.domain.enums import Direction, Step, System
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.planning.plan import Change, Conflict, Note, Severity
from app.domain.snapshot import BLANK, FieldState, Snapshot, is_value


@dataclass(frozen=True)
class Draft:
    """A plan in the making."""

    changes: tuple[Change, ...]
    conflicts: tuple[Conflict, ...]
    notes: tuple[Note, ...]

    def without(self, notes: Mapping[str, Note]) -> Draft:
        """The draft with the changes of these keys taken out and their notes put in."""
        kept = tuple(change for change in self.changes if change.key not in notes)
        return replace(self, changes=kept, notes=(*self.notes, *notes.values()))

    def after(self, key: str, target: Snapshot) -> FieldState:
        """What the target would hold once the draft is written."""
        return next((change.after for change in self.changes if change.key == key), target[key])

    def has(self, key: str) -> bool:
        return any(change.key == key for change in self.changes)


def within_limits(
    draft: Draft,
    *,
    target: Snapshot,
    direction: Direction,
    encodable: Callable[[Sequence[Change]], Mapping[str, str]] | None,
) -> Draft:
    """The draft after all limits, in an order in which none undoes another: first those of single items, then those of
    items that belong together."""
    draft = _dates_in_order(draft, target)
    if encodable is not None:
        draft = _encodable_only(draft, encodable)
    draft = _whole_bank_account(draft)
    draft = _whole_address(draft, target)
    if direction.target is System.FREEE:
        draft = with_standard_income(draft, target)
    return draft


def _dates_in_order(draft: Draft, target: Snapshot) -> Draft:
    """Vendors refuse a 退職日 before the 入社日 (E13), so the planned one of the two is left out, 退職日 first."""
    hired, resigned = draft.after("hired_on", target), draft.after("resigned_on", target)
    if not (isinstance(hired, date) and isinstance(resigned, date) and resigned < hired):
        return draft
    for key in ("resigned_on", "hired_on"):
        if draft.has(key):
            return draft.without({key: Note("E13", Severity.REVIEW, key)})
    return draft


def _encodable_only(draft: Draft, encodable: Callable[[Sequence[Change]], Mapping[str, str]]) -> Draft:
    reasons = encodable(draft.changes)
    return draft.without({key: Note(reason, Severity.REVIEW, key) for key, reason in reasons.items()})


def _whole_bank_account(draft: Draft) -> Draft:
    """All five items of the bank account or none. Another note tells already why an item is missing."""
    keys = [row.key for row in FIELDS if row.group == "bank"]
    planned = [key for key in keys if draft.has(key)]
    if planned and len(planned) < len(keys):
        return draft.without({key: Note("bank_incomplete", Severity.REVIEW, key) for key in planned})
    return draft


ADDRESSES = tuple(
    tuple(f"{place}_{part}" for part in ("zip_code", "prefecture", "address", "address_kana"))
    for place in ("home", "registered")
)


def _whole_address(draft: Draft, target: Snapshot) -> Draft:
    """Holds a whole address back when one part cannot be written, because a part of the old address would otherwise
    stay behind in the new one."""
    asked = {note.key for note in draft.notes if note.severity is Severity.REVIEW}
    asked |= {conflict.key for conflict in draft.conflicts}
    for keys in ADDRESSES:
        stays_behind = any(key in asked and target[key] is not BLANK for key in keys[:3])
        if stays_behind:
            held = [key for key in keys if draft.has(key)]
            draft = draft.without({key: Note("address_incomplete", Severity.REVIEW, key) for key in held})
    return draft


_STANDARD_INCOME = {
    Step.HEALTH_INSURANCE: "health_standard_income",
    Step.PENSION_INSURANCE: "pension_standard_income",
}


def with_standard_income(draft: Draft, target: Snapshot) -> Draft:
    """freee refuses an insurance rule without 標準報酬月額 of at least 1 yen."""
    for step, key in _STANDARD_INCOME.items():
        income = draft.after(key, target)
        if is_value(income) and isinstance(income, int) and income >= 1:
            continue
        held = [change.key for change in draft.changes if BY_KEY[change.key].step is step]
        draft = draft.without({k: Note("standard_income_missing", Severity.REVIEW, k) for k in held})
    return draft
