"""A value that could not be carried to the other side is not overwritten from there, unless a person ticks it. Pure.

A value of the target "could not be carried" when the product cannot read it into its plain form (a telephone number
with an extension, kanji in a reading), or when the source has no place for it (a name of 300 characters). Such a value
exists only where it stands, so nothing that the source holds may replace it by itself. What belongs together (the five
items of a bank account, the parts of an address) is held and ticked together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from app.domain.mapping import BY_KEY, FIELDS
from app.domain.planning.plan import Change, Note, Severity
from app.domain.planning.target_limits import Draft
from app.domain.planning.three_way import Baseline, agreed, as_target
from app.domain.snapshot import Snapshot, Unconvertible, is_value

NOT_CARRIED = "target_not_carried"

Carried = Callable[[str, Snapshot], str | None]
"""(key of FIELDS, the target's items) → why the source has no place for this one; None when it has one."""


def decision_unit_of(key: str) -> str:
    """What a person decides on together: "bank", "home", "registered", else the item itself."""
    if BY_KEY[key].group == "bank":
        return "bank"
    place = key.partition("_")[0]
    return place if place in ("home", "registered") else key


def whole_units(keys: Iterable[str]) -> frozenset[str]:
    """The keys with all others that are ticked together with them."""
    units = {decision_unit_of(key) for key in keys if key in BY_KEY}
    return frozenset(row.key for row in FIELDS if decision_unit_of(row.key) in units)


def hold_uncarried(
    draft: Draft, target: Snapshot, *, baseline: Baseline, carried: Carried, ticked: Collection[str]
) -> tuple[Draft, tuple[Change, ...]]:
    """The draft without the changes that would replace a value which could not be carried, with a note for each of
    these values; and those changes. A change whose unit is ticked stays in the draft."""
    lost = [change.key for change in draft.changes if _could_not_be_carried(change.key, target, baseline, carried)]
    units = {decision_unit_of(key) for key in lost} - {decision_unit_of(key) for key in ticked if key in BY_KEY}
    held = tuple(change for change in draft.changes if decision_unit_of(change.key) in units)
    if not held:
        return draft, ()
    notes = {key: Note(NOT_CARRIED, Severity.REVIEW, key) for key in lost if decision_unit_of(key) in units}
    beside = {c.key for c in held if c.key not in notes and decision_unit_of(c.key) != "bank"}
    notes |= {key: Note("address_incomplete", Severity.REVIEW, key) for key in beside}
    kept = tuple(change for change in draft.changes if change not in held)
    return Draft(kept, draft.conflicts, (*draft.notes, *notes.values())), held


def _could_not_be_carried(key: str, target: Snapshot, baseline: Baseline, carried: Carried) -> bool:
    """A value on which both sides once agreed was on both sides, so it is no loss here."""
    state = as_target(target[key])
    if isinstance(state, Unconvertible):
        return True
    return is_value(state) and not agreed(BY_KEY[key], state, baseline) and carried(key, target) is not None
