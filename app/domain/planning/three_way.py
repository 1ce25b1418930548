"""Compares one item on both sides with the last agreement: which side changed it, and which side therefore wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from app.domain.enums import Direction, System
from app.domain.mapping import FIELDS, FieldMapping
from app.domain.planning.keyed import Fingerprint, as_made, is_comparable, is_former
from app.domain.planning.rule_version import ROWS, UNKNOWN, is_same_form
from app.domain.settings.connection_settings import ConflictPolicy
from app.domain.snapshot import ABSENT, BLANK, FieldState, Missing, Unconvertible


@dataclass(frozen=True)
class Baseline:
    """What both sides agreed on last. Holds no values, only keyed digests: key of FIELDS → digest."""

    digests: Mapping[str, str] = field(repr=False)
    fingerprint: Fingerprint = field(repr=False)
    """(key of FIELDS, compared form) → digest; keyed, so that a birth date cannot be guessed from it."""

    def is_by_other_rules(self, key: str) -> bool:
        """Whether an older release made the item's digest, so that a difference may come from its rules alone, or
        nobody has its key any more."""
        known = self.digests.get(key, UNDONE)
        return known != UNDONE and not is_comparable(known, self.fingerprint)

    def by_present_rules(self) -> Baseline:
        """Without what an older release has agreed on: for runs in which a person decides anew."""
        kept = {key: known for key, known in self.digests.items() if not self.is_by_other_rules(key)}
        return Baseline(kept, self.fingerprint)


def brought_up(digests: Mapping[str, str], fingerprint: Fingerprint) -> dict[str, str]:
    """The baseline as it counts under the present rules. An item of which an older release knew nothing does not count
    as one on which the sides never agreed, because that would be reason enough for an automatic run to write it."""
    made = {key: known for key, known in digests.items() if key != ROWS_KEY}
    knows_all = not made or digests.get(ROWS_KEY, "") == ROWS
    if not (knows_all and all(known == UNDONE or is_comparable(known, fingerprint) for known in made.values())):
        made = {**{row.key: UNKNOWN for row in FIELDS}, **made}
    return by_these_rows(made)


def by_these_rows(digests: Mapping[str, str]) -> dict[str, str]:
    """The baseline with the mark of the present rows, as it is stored."""
    made = {key: known for key, known in digests.items() if key != ROWS_KEY}
    return {**made, ROWS_KEY: ROWS} if ROWS and made else made


ROWS_KEY = "*"
"""Where a baseline holds the mark of its rows (`rule_version`)."""
UNDONE = "undone"
"""Stands in place of a digest: an undo took our value back, so that the sides differ on purpose (`undoing.undone`)."""


class Ruling(Enum):
    """What the comparison says for items that differ."""

    WRITE = auto()
    TARGET_NEWER = auto()  # only the target changed
    TARGET_WINS = auto()  # both sides changed, and the policy prefers the target
    HOLD = auto()  # both sides changed, and a person decides
    ASK = auto()  # a write, if the last agreement were not by other rules: a person decides


def form(row: FieldMapping, state: FieldState) -> str:
    """One text per state; equal texts mean the same for both systems."""
    if isinstance(state, Unconvertible):
        return f"unconvertible:{state.reason}"
    if isinstance(state, Missing):
        return state.value
    return f"value:{row.comparable(state)}"


def same(row: FieldMapping, one: FieldState, other: FieldState) -> bool:
    if type(one) is type(other) and one == other:  # as on most sides of most people
        return True
    return form(row, one) == form(row, other)


def agreed(row: FieldMapping, state: FieldState, baseline: Baseline) -> bool:
    """Whether this is what both sides held when they last agreed on the item."""
    known = baseline.digests.get(row.key)
    return known is not None and is_same_form(known, as_made(known, baseline.fingerprint)(row.key, form(row, state)))


def renewed(row: FieldMapping, known: str, states: Iterable[FieldState], fingerprint: Fingerprint) -> str:
    """The digest of an earlier agreement under the key that is in use now. Without a side that still holds the value of
    then nobody knows that value, and the digest stays as it is."""
    if known == UNDONE or not is_former(known, fingerprint) or not is_comparable(known, fingerprint):
        return known
    under = as_made(known, fingerprint)
    found = (form(row, state) for state in states)
    return next((fingerprint(row.key, text) for text in found if under(row.key, text) == known), known)


def is_known(rows: Sequence[FieldMapping], baseline: Baseline) -> bool:
    """Whether both sides have ever agreed on all these items."""
    return all(row.key in baseline.digests for row in rows)


def rule(
    rows: Sequence[FieldMapping],
    *,
    sources: Sequence[FieldState],
    targets: Sequence[FieldState],
    baseline: Baseline,
    policy: ConflictPolicy,
    direction: Direction,
    one_way: bool = False,
) -> Ruling:
    """The ruling for items that move together (one, or the five of the bank account) and are not the same.

    Manual runs come with SOURCE_WINS: the source is right, whichever side changed. Items on which the sides never
    agreed count as changed on both sides, because Awase cannot know which side is older. An item that a person has
    taken back is held for a person under every other policy, and so is one whose last agreement an older release has
    noted by other rules: the difference may be the rules'.

    `one_way`: nothing ever carries the target's new value to the source, so a policy that names the source means that
    the target gets its old value back.
    """
    if policy is ConflictPolicy.SOURCE_WINS:
        return Ruling.WRITE
    ruling = _by_what_moved(
        rows, sources, targets, baseline=baseline, policy=policy, direction=direction, one_way=one_way
    )
    by_other_rules = any(baseline.is_by_other_rules(row.key) for row in rows)
    return Ruling.ASK if ruling is Ruling.WRITE and by_other_rules else ruling


def _by_what_moved(
    rows: Sequence[FieldMapping],
    sources: Sequence[FieldState],
    targets: Sequence[FieldState],
    *,
    baseline: Baseline,
    policy: ConflictPolicy,
    direction: Direction,
    one_way: bool,
) -> Ruling:
    winner = _WINNERS.get(policy)
    if any(baseline.digests.get(row.key) == UNDONE for row in rows):
        return Ruling.HOLD
    if is_known(rows, baseline):
        source_moved = not all(agreed(row, state, baseline) for row, state in zip(rows, sources, strict=True))
        target_moved = not all(agreed(row, state, baseline) for row, state in zip(rows, targets, strict=True))
        if not target_moved:
            return Ruling.WRITE
        if not source_moved:
            return Ruling.WRITE if one_way and winner is direction.source else Ruling.TARGET_NEWER
    if winner is None:
        return Ruling.HOLD
    return Ruling.WRITE if winner is direction.source else Ruling.TARGET_WINS


_WINNERS = {ConflictPolicy.SMARTHR_WINS: System.SMARTHR, ConflictPolicy.FREEE_WINS: System.FREEE}

_NOT_STATED = frozenset({"gender_unselected"})


def as_target(state: FieldState) -> FieldState:
    """The state as a write finds it: freee's 未選択 says "not stated", so a write may overwrite it like a blank."""
    return BLANK if isinstance(state, Unconvertible) and state.reason in _NOT_STATED else state


def says_something(state: FieldState) -> bool:
    return state is not ABSENT and as_target(state) is not BLANK
