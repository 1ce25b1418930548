"""What to write to take one employee's changes back: takes what a run wrote and what the target holds, returns a Plan.

Pure. The plan puts an item back only where the target still holds what the run wrote, compared in the form in which
both systems' writings of a value are equal. A value that was changed in the target since then stays as it is, and a
note for a person says so. The five items of a bank account go back together or not at all; an address is not left half
new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.domain.enums import Direction
from app.domain.mapping import BY_KEY, FIELDS, FieldMapping
from app.domain.planning import target_limits
from app.domain.planning.plan import Change, Note, Plan, PlanKind, Severity
from app.domain.planning.three_way import UNDONE, same
from app.domain.snapshot import ABSENT, BLANK, FieldState, Snapshot, Unconvertible, is_value

CHANGED_SINCE = "changed_since"
CANNOT_RESTORE = "cannot_restore"
CREATED = "created_not_deleted"


@dataclass(frozen=True)
class Written:
    """One item as a run wrote it, or may have written it: what the target held before, and what the run wrote."""

    key: str
    before: FieldState = field(repr=False)
    after: FieldState = field(repr=False)


def plan_undo(
    written: Iterable[Written],
    target: Snapshot,
    *,
    direction: Direction,
    encodable: Callable[[Sequence[Change]], Mapping[str, str]],
) -> Plan:
    """The plan that puts the written items back. An item that already holds its old value needs nothing.

    `direction`: of the run that is taken back; its target is written again. Every note that keeps an item from going
    back asks for a person (要再確認).
    """
    known = [each for each in written if each.key in BY_KEY]
    bank = [each for each in known if BY_KEY[each.key].group == "bank"]
    singles = [each for each in known if BY_KEY[each.key].group != "bank"]
    findings = [found for each in singles if (found := _single(each, target, direction)) is not None]
    findings += _bank(bank, target, direction)
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


def _single(each: Written, target: Snapshot, direction: Direction) -> Change | Note | None:
    row, now = BY_KEY[each.key], target[each.key]
    if now is ABSENT:
        return _left(row, "not_readable")
    if same(row, now, each.before):
        return None
    if not same(row, now, each.after):
        return _left(row, CHANGED_SINCE)
    why = _cannot_hold(row, each.before, direction)
    return _left(row, why) if why else Change(row.key, now, each.before)


def _cannot_hold(row: FieldMapping, before: FieldState, direction: Direction) -> str | None:
    """Why this value cannot be written back; None when it can. A value without counterpart was never kept."""
    if before is ABSENT or isinstance(before, Unconvertible):
        return CANNOT_RESTORE
    if before is BLANK and direction.target in row.unclearable_in:
        return "cannot_clear"
    return None


def _bank(account: Sequence[Written], target: Snapshot, direction: Direction) -> list[Change | Note]:
    """The five items back, or one note. An account of which one part is not as the run wrote it is another account, so
    the undo does not touch it."""
    if not account:
        return []
    first = BY_KEY[account[0].key]
    held = [(each, BY_KEY[each.key], target[each.key]) for each in account]
    if any(now is ABSENT for _, _, now in held):
        return [_left(first, "not_readable")]
    if all(same(row, now, each.before) for each, row, now in held):
        return []
    if not all(same(row, now, each.after) for each, row, now in held):
        return [_left(first, CHANGED_SINCE)]
    if why := next((why for each, row, _ in held if (why := _cannot_hold(row, each.before, direction))), None):
        return [_left(first, why)]
    return [*_whole_account(account, target)]


def _whole_account(account: Sequence[Written], target: Snapshot) -> Iterable[Change]:
    """Changes for all five items; an item that the run did not write stays as it is.

    Such an item without a value leaves the account incomplete, and `target_limits` then takes the account out.
    """
    before = {each.key: each.before for each in account}
    for row in FIELDS:
        if row.group == "bank":
            now = target[row.key]
            wanted = before.get(row.key, now)
            if is_value(wanted) or row.key in before:
                yield Change(row.key, now, wanted)


def _left(row: FieldMapping, code: str) -> Note:
    return Note(code, Severity.REVIEW, row.key)
