"""What to write to take one employee's changes back: takes what a run wrote and what the target holds, returns a Plan.

Pure. What stood there before is known in the vendor's own form and goes back character for character (`exact`); runs of
versions that kept only the plain form get that one back. The plan puts an item back only where the target still holds
what the run wrote, compared in the form in which both systems' writings of a value are equal. A value that was changed
in the target since then stays as it is, and a note for a person says so. The five items of a bank account go back
together or not at all; an address is not left half new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.domain.employee import Record
from app.domain.enums import Direction, System
from app.domain.mapping import BY_KEY, FIELDS, FieldMapping
from app.domain.planning import exact, target_limits
from app.domain.planning.plan import Change, Note, Plan, PlanKind, Severity
from app.domain.planning.three_way import UNDONE, same
from app.domain.snapshot import ABSENT, BLANK, FieldState, Snapshot, Unconvertible, is_value

CHANGED_SINCE = "changed_since"
CANNOT_RESTORE = "cannot_restore"
CREATED = "created_not_deleted"
RESTORED_OTHERWISE = "restored_otherwise"
"""The value means what it meant before, but the vendor does not take the old writing of it back."""


@dataclass(frozen=True)
class Written:
    """One item as a run wrote it, or may have written it: what the target held before, and what the run wrote."""

    key: str
    before: FieldState = field(repr=False)
    after: FieldState = field(repr=False)
    raw: exact.Values | None = field(default=None, repr=False)
    """What the target held before in its own form; None: not kept."""


def plan_undo(
    written: Iterable[Written],
    target: Snapshot,
    *,
    direction: Direction,
    encodable: Callable[[Sequence[Change]], Mapping[str, str]],
    record: Record | None = None,
) -> Plan:
    """The plan that puts the written items back. An item that already holds its old value needs nothing.

    `direction`: of the run that is taken back; its target is written again. `record`: the target as its vendor shows
    it. Every note that keeps an item from going back asks for a person (要確認).
    """
    known = [each for each in written if each.key in BY_KEY]
    bank = [each for each in known if BY_KEY[each.key].group == "bank"]
    singles = [each for each in known if BY_KEY[each.key].group != "bank"]
    now = _Now(target, direction.target, record)
    findings = [found for each in singles if (found := _single(each, now)) is not None]
    findings += _bank(bank, now)
    draft = target_limits.Draft(
        changes=tuple(found for found in findings if isinstance(found, Change)),
        conflicts=(),
        notes=tuple(found for found in findings if isinstance(found, Note)),
    )
    draft = target_limits.within_limits(draft, target=target, direction=direction, encodable=encodable)
    return Plan(PlanKind.UPDATE if draft.changes else PlanKind.NOTHING, draft.changes, notes=draft.notes)


def undone(digests: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """The baseline of a pair whose target gets these items back.

    Source and target differ on purpose from now on, but a comparison would take that for a change made in one of them:
    it would write our value again, or carry the old one over to the source. So an undone item counts as changed on both
    sides, and a person decides what follows, under every policy of the connection (`three_way.rule`). The mark goes
    when both sides hold the same again, or with a run that a person starts: there the source is right.
    """
    return {**digests, **dict.fromkeys(keys, UNDONE)}


@dataclass(frozen=True)
class _Now:
    """The target as it is when the undo is planned."""

    items: Snapshot
    system: System
    record: Record | None = field(repr=False)

    def holds(self, each: Written) -> bool:
        """Whether the item is as it was before the run. What has no plain form is compared in the vendor's own."""
        row = BY_KEY[each.key]
        if not isinstance(each.before, Unconvertible):
            return same(row, self.items[each.key], each.before)
        return each.raw is not None and exact.is_back(self.system, row, each.raw, self.raw(each.key))

    def is_ours(self, each: Written) -> bool:
        """Whether the item is still as the run wrote it. A title that a rank has put behind another one is."""
        row = BY_KEY[each.key]
        if same(row, self.items[each.key], each.after):
            return True
        if row.key != "title" or self.system is not System.SMARTHR or each.raw is None:
            return False
        return is_value(each.after) and exact.is_retitled(each.raw, str(each.after), self.raw(each.key))

    def raw(self, key: str) -> exact.Values:
        return exact.raw_of(self.system, BY_KEY[key], self.record)

    def cannot_hold(self, each: Written) -> str | None:
        """Why this value cannot be written back; None when it can."""
        row = BY_KEY[each.key]
        if each.before is ABSENT or (isinstance(each.before, Unconvertible) and each.raw is None):
            return CANNOT_RESTORE
        if each.before is not BLANK:
            return None
        if each.raw is not None:
            return None if exact.may_empty(self.system, row, each.raw) else "cannot_clear"
        return "cannot_clear" if self.system in row.unclearable_in else None

    def change_back(self, each: Written) -> Change:
        now = self.items[each.key]
        return Change(each.key, now, each.before, raw=self.raw(each.key), exact=each.raw)


def _single(each: Written, now: _Now) -> Change | Note | None:
    row = BY_KEY[each.key]
    if now.items[each.key] is ABSENT:
        return _left(row, "not_readable")
    if now.holds(each):
        return None
    if not now.is_ours(each):
        return _left(row, CHANGED_SINCE)
    why = now.cannot_hold(each)
    return _left(row, why) if why else now.change_back(each)


def _bank(account: Sequence[Written], now: _Now) -> list[Change | Note]:
    """The five items back, or one note. An account of which one part is not as the run wrote it is another account, so
    the undo does not touch it."""
    if not account:
        return []
    first = BY_KEY[account[0].key]
    if any(now.items[each.key] is ABSENT for each in account):
        return [_left(first, "not_readable")]
    if all(map(now.holds, account)):
        return []
    if not all(map(now.is_ours, account)):
        return [_left(first, CHANGED_SINCE)]
    if why := next((why for each in account if (why := now.cannot_hold(each))), None):
        return [_left(first, why)]
    return [*_whole_account(account, now)]


def _whole_account(account: Sequence[Written], now: _Now) -> Iterable[Change]:
    """Changes for all five items; an item that the run did not write stays as it is.

    Such an item without a value leaves the account incomplete, and `target_limits` then takes the account out.
    """
    before = {each.key: each for each in account}
    for row in FIELDS:
        if row.group != "bank":
            continue
        if row.key in before:
            yield now.change_back(before[row.key])
        elif is_value(held := now.items[row.key]):
            yield Change(row.key, held, held)


def _left(row: FieldMapping, code: str) -> Note:
    return Note(code, Severity.REVIEW, row.key)
