"""Writes that are not settled: what was sent to a target and has not been seen there by a later reading.

The same change of the same person is written at most twice. When it is still not there then, the item rests until one
of its two values moves, because a third request would end as the first two did: the vendor ignores the value, keeps it
in another form, or somebody else writes over it.

A memory belongs to one pair and one direction. It holds no values, only keyed digests, per unit: an item, or the five
items of the bank account, which are written together. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from app.domain.mapping import BY_KEY, FIELDS, FieldMapping
from app.domain.planning.keyed import Fingerprint, as_made, is_comparable, is_former
from app.domain.planning.plan import Change
from app.domain.planning.three_way import as_target, form, same
from app.domain.snapshot import ABSENT, Snapshot

MOST_WRITES = 2
"""How often the same change is sent: once, and once more in case the first was lost or overtaken."""


class Shown(StrEnum):
    """What the target's answer to a write has shown of the unit."""

    TAKEN = "taken"  # what was written
    KEPT = "kept"  # what was there before
    ALTERED = "altered"  # a third value


REASONS: Mapping[Shown | None, str] = {
    Shown.TAKEN: "overwritten_since",
    Shown.KEPT: "kept_by_target",
    Shown.ALTERED: "stored_otherwise",
    None: "kept_by_target",  # no answer came, and the value of before is there
}
"""Why the item rests: codes of the error catalogue."""


@dataclass(frozen=True)
class Sent:
    """The last write of one unit."""

    wrote: str = field(repr=False)
    found: str = field(repr=False)
    """What the target held before the write; what it held afterwards, when the answer has shown that it is not what was
    written."""
    times: int = 1
    item: int | None = None
    """The item whose request has had no answer so far. That item may repeat its request: the repetition is no other
    write."""
    shown: Shown | None = None


Memory = Mapping[str, Sent]
"""Unit → its last write."""


def loaded(stored: Mapping[str, Any]) -> dict[str, Sent]:
    """The memory from its stored form."""
    return {
        unit: Sent(**{**each, "shown": Shown(each["shown"]) if each["shown"] else None})
        for unit, each in stored.items()
    }


def stored_form(memory: Memory) -> dict[str, Any]:
    return {
        unit: {"wrote": sent.wrote, "found": sent.found, "times": sent.times, "item": sent.item, "shown": sent.shown}
        for unit, sent in memory.items()
    }


# ── units ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def sent_unit_of(key: str) -> str:
    """What a link remembers as sent together: the group of the item ("bank"), else the item itself. Not the unit of a
    person's decision (`carrying.decision_unit_of`), which takes a whole address."""
    return BY_KEY[key].group or key


def rows_of(unit: str) -> Sequence[FieldMapping]:
    return [BY_KEY[unit]] if unit in BY_KEY else [row for row in FIELDS if row.group == unit]


def held(unit: str, side: Snapshot, fingerprint: Fingerprint) -> str:
    """Digest of what one side holds of a unit. Equal digests mean the same on both sides."""
    return fingerprint(f"held {unit}", "\0".join(form(row, as_target(side[row.key])) for row in rows_of(unit)))


def is_held(stored: str, unit: str, side: Snapshot, fingerprint: Fingerprint) -> bool:
    """Whether a remembered digest is the one of what a side holds of the unit, under whatever key it was made."""
    return stored == held(unit, side, as_made(stored, fingerprint))


@dataclass(frozen=True)
class Comparison:
    """What a plan would write, as digests of whole units."""

    target: Snapshot
    changes: Sequence[Change]
    fingerprint: Fingerprint

    def wrote(self, unit: str) -> str:
        """What the target would hold once the changes are written."""
        return held(unit, self._written(), self.fingerprint)

    def found(self, unit: str) -> str:
        return held(unit, self.target, self.fingerprint)

    def would_write(self, stored: str, unit: str) -> bool:
        return is_held(stored, unit, self._written(), self.fingerprint)

    def finds(self, stored: str, unit: str) -> bool:
        return is_held(stored, unit, self.target, self.fingerprint)

    def _written(self) -> Snapshot:
        return Snapshot({**self.target.values, **{change.key: change.after for change in self.changes}})


# ── before a write ────────────────────────────────────────────────────────────────────────────────────────────────


def resting(memory: Memory, compared: Comparison, *, item: int | None, patient: bool) -> dict[str, str]:
    """Key → reason for the changes that must not be sent again.

    `item`: the item that would write. `patient`: of a digest by other rules nobody can say whether a value has moved,
    so the item goes on resting; False in runs that a person has started.
    """
    reasons = {}
    for unit in {sent_unit_of(change.key) for change in compared.changes} & memory.keys():
        sent = memory[unit]
        if _is_used_up(sent, item) and _is_unmoved(sent, compared, unit, patient=patient):
            reasons[unit] = REASONS[sent.shown]
    return {
        change.key: reasons[sent_unit_of(change.key)]
        for change in compared.changes
        if sent_unit_of(change.key) in reasons
    }


def reverting(other: Memory, compared: Comparison) -> dict[str, str]:
    """Key → reason for the changes that would carry back what our own write in the other direction was to replace.

    `other`: the memory of the other direction. Its target is this source. When it still holds (or holds again) what was
    there before our write, and this target still holds what we wrote, the difference is our write that did not stay,
    and not news from the other side.
    """
    return {
        change.key: REASONS[sent.shown]
        for change in compared.changes
        if (sent := other.get(unit := sent_unit_of(change.key))) is not None
        and compared.finds(sent.wrote, unit)
        and compared.would_write(sent.found, unit)
    }


def not_there(memory: Memory, keys: Iterable[str], source: Snapshot, compared: Comparison) -> dict[str, str]:
    """Key → reason for the items of which the source still holds what we wrote, and the target what it held before."""
    return {
        key: REASONS[sent.shown]
        for key in keys
        if (sent := memory.get(unit := sent_unit_of(key))) is not None
        and is_held(sent.wrote, unit, source, compared.fingerprint)
        and compared.finds(sent.found, unit)
    }


def settled(units: Iterable[str], source: Snapshot, target: Snapshot) -> frozenset[str]:
    """The units of which both sides now hold the same."""
    return frozenset(unit for unit in units if all(_is_same(row, source, target) for row in rows_of(unit)))


def _is_same(row: FieldMapping, source: Snapshot, target: Snapshot) -> bool:
    return source[row.key] is not ABSENT and same(row, source[row.key], as_target(target[row.key]))


def _is_used_up(sent: Sent, item: int | None) -> bool:
    return sent.times >= MOST_WRITES and (sent.item is None or sent.item != item)


def _is_unmoved(sent: Sent, compared: Comparison, unit: str, *, patient: bool) -> bool:
    if not is_comparable(sent.wrote, compared.fingerprint):
        return patient
    return compared.would_write(sent.wrote, unit) and compared.finds(sent.found, unit)


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────


def sending(memory: Memory, units: Iterable[str], compared: Comparison, *, item: int) -> dict[str, Sent]:
    """The memory when a request with these units is about to leave."""
    return {**memory, **{unit: _counted(memory.get(unit), compared, unit, item=item) for unit in units}}


def _counted(before: Sent | None, compared: Comparison, unit: str, *, item: int) -> Sent:
    wrote, found = compared.wrote(unit), compared.found(unit)
    if before is None or not compared.would_write(before.wrote, unit):
        return Sent(wrote, found, item=item)
    if before.item == item:
        return replace(before, wrote=wrote, found=found)
    if before.times >= MOST_WRITES:  # only the target has moved since: once more, because it may have moved by itself
        return Sent(wrote, found, MOST_WRITES, item=item)
    return Sent(
        wrote, found, before.times + 1, item=item, shown=before.shown if compared.finds(before.found, unit) else None
    )


def answered(memory: Memory, units: Iterable[str], *, refused: bool) -> dict[str, Sent]:
    """The memory after the answer to a request. What the target has refused was not written."""
    after = dict(memory)
    for unit in memory.keys() & set(units):
        sent = replace(memory[unit], item=None)
        after[unit] = replace(sent, times=sent.times - 1) if refused else sent
    return {unit: sent for unit, sent in after.items() if sent.times > 0}


def shown(memory: Memory, changes: Sequence[Change], after: Snapshot, fingerprint: Fingerprint) -> dict[str, Sent]:
    """The memory with what the answers of the writes show of their units."""
    units = {sent_unit_of(change.key) for change in changes} & memory.keys()
    now = {unit: _as_shown(memory[unit], unit, after, fingerprint) for unit in units}
    return {**memory, **now}


def _as_shown(sent: Sent, unit: str, after: Snapshot, fingerprint: Fingerprint) -> Sent:
    if is_held(sent.wrote, unit, after, fingerprint):
        return replace(sent, shown=Shown.TAKEN)
    if is_held(
        sent.found, unit, after, fingerprint
    ):  # what an earlier write of the same value has made of it, or what was there before any
        return replace(sent, shown=sent.shown if sent.shown is Shown.ALTERED else Shown.KEPT)
    return replace(sent, shown=Shown.ALTERED, found=held(unit, after, fingerprint))


def once_more(memory: Memory) -> dict[str, Sent]:
    """The memory after a person has asked for one further try, or has given the product other rights."""
    return {unit: replace(sent, times=min(sent.times, MOST_WRITES - 1)) for unit, sent in memory.items()}


def renewed(memory: Memory, source: Snapshot, target: Snapshot, fingerprint: Fingerprint) -> dict[str, Sent]:
    """The memory under the key in use now, as far as one of the sides still holds what a digest stands for."""

    def again(stored: str, unit: str) -> str:
        if not is_former(stored, fingerprint) or not is_comparable(stored, fingerprint):
            return stored
        sides = (side for side in (source, target) if is_held(stored, unit, side, fingerprint))
        return next((held(unit, side, fingerprint) for side in sides), stored)

    return {
        unit: replace(sent, wrote=again(sent.wrote, unit), found=again(sent.found, unit))
        for unit, sent in memory.items()
    }


def altered(memory: Memory) -> frozenset[str]:
    """The units of which the target has made a third value."""
    return frozenset(unit for unit, sent in memory.items() if sent.shown is Shown.ALTERED)
