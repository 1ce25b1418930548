"""What to write for one employee: takes both sides and the last agreement, and returns a Plan. Pure.

Three states decide: an item that is ABSENT on either side is left alone, a BLANK source erases only
where the item's policy says so, a value is written when the comparison with the last agreement says so (`three_way`).
`target_limits` takes those changes out again that the target could not take as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.enums import Direction, System
from app.domain.mapping import BY_KEY, FIELDS, FieldMapping
from app.domain.planning import target_limits
from app.domain.planning.carrying import Carried, hold_uncarried
from app.domain.planning.plan import Change, Conflict, Note, Plan, PlanKind, Severity
from app.domain.planning.three_way import (
    Baseline,
    Ruling,
    agreed,
    as_target,
    form,
    is_known,
    rule,
    same,
    says_something,
)
from app.domain.settings.connection_settings import BlankPolicy, ConflictPolicy, MappingOptions
from app.domain.snapshot import ABSENT, BLANK, FieldState, Snapshot, Unconvertible, is_value

__all__ = ["Baseline", "Encodable", "digest", "is_decisive", "plan", "shared_digests"]

Encodable = Callable[[Sequence[Change]], Mapping[str, str]]
"""Tries `writing.encode` with the target's present record: key → reason for every change that cannot be encoded."""

_BANK = tuple(row for row in FIELDS if row.group == "bank")

Finding = Change | Conflict | Note


@dataclass(frozen=True)
class _Case:
    """What stays the same for all items of one employee."""

    direction: Direction
    baseline: Baseline
    policy: ConflictPolicy
    policies: Mapping[str, ConflictPolicy]
    options: MappingOptions
    one_way: bool

    def ruling(self, rows: Sequence[FieldMapping], source: Snapshot, target: Snapshot) -> Ruling:
        return rule(
            rows,
            sources=[source[row.key] for row in rows],
            targets=[as_target(target[row.key]) for row in rows],
            baseline=self.baseline,
            policy=self.policies.get(rows[0].group or rows[0].key, self.policy),
            direction=self.direction,
            one_way=self.one_way,
        )


def plan(
    source: Snapshot,
    target: Snapshot | None,
    *,
    direction: Direction,
    baseline: Baseline,
    policy: ConflictPolicy,
    options: MappingOptions,
    policies: Mapping[str, ConflictPolicy] | None = None,
    target_in_payroll: bool = True,
    source_in_payroll: bool = True,
    encodable: Encodable | None = None,
    carried: Carried = lambda key, target: None,
    ticked: Collection[str] = (),
    unreadable: Collection[str] = (),
    one_way: bool = False,
) -> Plan:
    """The plan for one employee. `target` None: the target does not have the employee yet, so the plan creates them.

    `policy` SOURCE_WINS stands for a manual run; `policies` are other policies for single items (key of FIELDS, or the
    group). `target_in_payroll`, `source_in_payroll`: False when that side is freee and keeps the employee outside
    payroll (給与計算対象外). Give `encodable` whenever the plan will be written or approved; without it an unwritable
    value may show only when it is sent. `carried`: whether the source has a place for a value of the target. `ticked`:
    keys of held changes (`Plan.held`) that a person wants to be written. `unreadable`: items that a new employee may
    have and the token cannot read. `one_way`: the run is automatic and no other run carries values the other way.
    """
    if target is None:
        return _creation(source, direction=direction, encodable=encodable, unreadable=unreadable)
    if not (_readable(source) and _readable(target)):
        return Plan(PlanKind.NOTHING, notes=(Note("record_hidden", Severity.REVIEW),))
    case = _Case(direction, baseline, policy, policies or {}, options, one_way)
    rows = [row for row in FIELDS if not _outside_payroll(row, source, source_in_payroll)]
    rows = [row for row in rows if not _outside_payroll(row, target, target_in_payroll)]
    compared = {row.key for row in rows}
    findings = list(_single_items(case, rows, source=source, target=target))
    if _BANK[0].key in compared:
        findings += _bank(case, source, target)
    if any(says_something(side[row.key]) for row in FIELDS if row.key not in compared for side in (source, target)):
        findings.append(Note("E14", Severity.INFO))  # once for the employee, not for each of some thirty items
    draft = target_limits.Draft(
        changes=tuple(finding for finding in findings if isinstance(finding, Change)),
        conflicts=tuple(finding for finding in findings if isinstance(finding, Conflict)),
        notes=tuple(finding for finding in findings if isinstance(finding, Note)),
    )
    draft = target_limits.within_limits(draft, target=target, direction=direction, encodable=encodable)
    draft, held = hold_uncarried(draft, target, baseline=baseline, carried=carried, ticked=ticked)
    if held and direction.target is System.FREEE:
        draft = target_limits.with_standard_income(draft, target)
    kind = PlanKind.UPDATE if draft.changes else PlanKind.NOTHING
    return Plan(kind, draft.changes, draft.conflicts, draft.notes, held)


def shared_digests(source: Snapshot, target: Snapshot, baseline: Baseline) -> dict[str, str]:
    """Key → digest for every item of which both sides now hold the same value; the next baseline takes these over."""
    digests = {}
    for row in FIELDS:
        state = source[row.key]
        if (is_value(state) or state is BLANK) and same(row, state, target[row.key]):
            digests[row.key] = baseline.fingerprint(row.key, form(row, state))
    return digests


def digest(decided: Plan, baseline: Baseline) -> str:
    """A digest of what a plan would write and what it holds back, without the notes. Keyed, not reversible. Of a held
    change it covers the vendor's own value as well, because that is what a person sees who ticks it."""
    changes = [(c.key, form(BY_KEY[c.key], c.before), form(BY_KEY[c.key], c.after)) for c in decided.changes]
    conflicts = [(c.key, form(BY_KEY[c.key], c.source), form(BY_KEY[c.key], c.target)) for c in decided.conflicts]
    parts: list[Any] = [decided.kind.value, sorted(changes), sorted(conflicts)]
    if decided.held:  # else the digest is that of versions which held nothing
        parts.append(sorted((c.key, form(BY_KEY[c.key], c.after), json.dumps(c.raw)) for c in decided.held))
    text = json.dumps(parts, ensure_ascii=False)
    return baseline.fingerprint("plan", text)


# ── creating ──────────────────────────────────────────────────────────────────────────────────────────────────────


UNREADABLE = "new_person_unreadable"
_DECISIVE = frozenset({"employee_number", "resigned_on"})
"""Items that decide a creation beside the required ones: Awase creates no employee without the number they have, and
none as employed who has left."""


def is_decisive(row: FieldMapping, target: System) -> bool:
    """Whether no employee is created without this item, if they have it."""
    return target in row.required_by or row.key in _DECISIVE


def _creation(
    source: Snapshot, *, direction: Direction, encodable: Encodable | None, unreadable: Collection[str]
) -> Plan:
    """The plan that creates an employee with every item the source holds.

    A missing required item stops the plan. A decisive item that cannot be read, or that has a value but cannot be
    converted or written, becomes a question for a person instead, and nothing is created.
    """
    hidden = [row.key for row in FIELDS if row.key in unreadable and is_decisive(row, direction.target)]
    if hidden:
        return Plan(PlanKind.NOTHING, notes=tuple(Note(UNREADABLE, Severity.REVIEW, key) for key in hidden))
    nobody = Snapshot({row.key: BLANK for row in FIELDS})
    notes = [note for row in FIELDS for note in _missing(row, source[row.key], direction.target)]
    singles = [row for row in FIELDS if row.group != "bank" and is_value(source[row.key])]
    changes = [Change(row.key, BLANK, source[row.key]) for row in singles]
    notes += [Note(reason, Severity.REVIEW, key) for key, reason in _unconvertible(source)]
    if _bank_complete(source):
        changes += [Change(row.key, BLANK, source[row.key]) for row in _BANK]
    elif any(is_value(source[row.key]) for row in _BANK):
        notes.append(Note("bank_incomplete", Severity.REVIEW, _BANK[0].key))
    draft = target_limits.Draft(tuple(changes), (), tuple(notes))
    draft = target_limits.within_limits(draft, target=nobody, direction=direction, encodable=encodable)
    created = Plan(PlanKind.CREATE, draft.changes, notes=draft.notes)
    asked = {note.key for note in draft.notes if note.severity is Severity.REVIEW}
    decisive = {row.key for row in FIELDS if is_decisive(row, direction.target)}
    if asked & decisive and not created.stops:
        return Plan(PlanKind.NOTHING, notes=tuple(note for note in draft.notes if note.severity is not Severity.INFO))
    return created


def _missing(row: FieldMapping, state: FieldState, target: System) -> Iterable[Note]:
    if target in row.required_by and state in (ABSENT, BLANK):
        yield Note("E1" if row.key == "hired_on" else "E2", Severity.STOP, row.key)


def _unconvertible(source: Snapshot) -> Iterable[tuple[str, str]]:
    for row in FIELDS:
        state = source[row.key]
        if isinstance(state, Unconvertible):
            yield row.key, state.reason


def _bank_complete(source: Snapshot) -> bool:
    return all(is_value(source[row.key]) for row in _BANK)


# ── updating ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _readable(side: Snapshot) -> bool:
    return any(side[row.key] is not ABSENT for row in FIELDS)


def _outside_payroll(row: FieldMapping, side: Snapshot, in_payroll: bool) -> bool:
    """Whether freee has no place for the item because it keeps the employee outside payroll."""
    return not in_payroll and side[row.key] is ABSENT


def _single_items(
    case: _Case, rows: Sequence[FieldMapping], *, source: Snapshot, target: Snapshot
) -> Iterable[Finding]:
    for row in rows:
        finding = _single_item(case, row, source=source, target=target) if row.group != "bank" else None
        if finding is not None:
            yield finding


def _single_item(case: _Case, row: FieldMapping, *, source: Snapshot, target: Snapshot) -> Finding | None:
    before, after = target[row.key], source[row.key]
    if ABSENT in (before, after):
        other = after if before is ABSENT else before
        return Note("not_readable", Severity.INFO, row.key) if says_something(other) else None
    before = as_target(before)
    if isinstance(after, Unconvertible):
        stated = says_something(after) or before is not BLANK
        return Note(after.reason, Severity.REVIEW, row.key) if stated else None
    if after is BLANK and isinstance(before, Unconvertible):
        return Note(before.reason, Severity.REVIEW, row.key)
    if same(row, before, after):
        return None
    if after is BLANK:
        return _blank_item(case, row, source=source, target=target)
    if (
        before is BLANK
        and not is_known([row], case.baseline)
        and row.blank_policy(case.options) is not BlankPolicy.ERASE
    ):
        return Change(row.key, before, after)  # filling an empty place loses nothing
    return _ruled(case.ruling([row], source, target), row, before=before, after=after)


def _ruled(ruling: Ruling, row: FieldMapping, *, before: FieldState, after: FieldState) -> Finding:
    if ruling is Ruling.WRITE:
        return Change(row.key, before, after)
    if ruling is Ruling.HOLD:
        return Conflict(row.key, source=after, target=before)
    if ruling is Ruling.ASK:
        return Note("rules_changed", Severity.REVIEW, row.key)
    return Note("target_newer" if ruling is Ruling.TARGET_NEWER else "target_wins", Severity.INFO, row.key)


def _blank_item(case: _Case, row: FieldMapping, *, source: Snapshot, target: Snapshot) -> Finding:
    """The source is blank and the target holds a value."""
    policy, before = row.blank_policy(case.options), target[row.key]
    ruling = case.ruling([row], source, target)
    counts = policy is BlankPolicy.ERASE or is_known([row], case.baseline)
    counts = counts and not (ruling is Ruling.ASK and policy is BlankPolicy.KEEP)  # which no write would follow
    if counts and ruling is not Ruling.WRITE:
        return _ruled(ruling, row, before=before, after=BLANK)
    on_purpose = policy is BlankPolicy.ERASE_IF_AGREED and agreed(row, before, case.baseline)
    if ruling is not Ruling.WRITE or not (policy is BlankPolicy.ERASE or on_purpose):
        filled = agreed(row, BLANK, case.baseline)  # since then, by the target alone
        return Note("only_target_changed" if filled else "kept_blank", Severity.INFO, row.key)
    if case.direction.target in row.unclearable_in:
        return Note("cannot_clear", Severity.REVIEW, row.key)
    return Change(row.key, before, BLANK)


# ── the bank account: five items or none ──────────────────────────────────────────────────────────────────────────


def _bank(case: _Case, source: Snapshot, target: Snapshot) -> Iterable[Finding]:
    sources = [source[row.key] for row in _BANK]
    targets = [target[row.key] for row in _BANK]
    if ABSENT in sources or ABSENT in targets:
        if any(says_something(state) for state in (*sources, *targets)):
            yield Note("not_readable", Severity.INFO, _BANK[0].key)
        return
    refused = [(row, state) for row, state in zip(_BANK, sources, strict=True) if isinstance(state, Unconvertible)]
    if refused:
        yield from (Note(state.reason, Severity.REVIEW, row.key) for row, state in refused)
    elif not _bank_complete(source):
        if any(is_value(state) for state in sources):
            yield Note("bank_incomplete", Severity.REVIEW, _BANK[0].key)
    elif not all(same(row, *pair) for row, pair in zip(_BANK, zip(sources, targets, strict=True), strict=True)):
        yield from _bank_account(case, source, target)


def _bank_account(case: _Case, source: Snapshot, target: Snapshot) -> Iterable[Finding]:
    """The findings for a complete account that differs: all five items are written, held or left, because an account
    made of two halves would pay a stranger."""
    empty = all(target[row.key] is BLANK for row in _BANK)
    fills = empty and not is_known(_BANK, case.baseline)
    ruling = Ruling.WRITE if fills else case.ruling(_BANK, source, target)
    for row in _BANK:
        before, after = target[row.key], source[row.key]
        if ruling is Ruling.WRITE or not same(row, before, after):
            yield _ruled(ruling, row, before=before, after=after)
