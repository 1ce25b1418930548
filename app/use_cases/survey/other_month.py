"""People whom freee hides in the month of the run: which of them to read in a month of their employment.

freee's list of all employees shows 入社年月日 and 退職年月日 of everybody, hidden or not. So most of those who left
long ago are known to be equal without a reading: both dates are the same, and what holds for all months has not moved
at the source since the two sides agreed last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from app.domain.employee import EmployeeRecord
from app.domain.enums import System
from app.domain.mapping import BY_KEY, FIELDS, FieldMapping
from app.domain.planning.plan import Note, Severity
from app.domain.planning.three_way import Baseline, Ruling, agreed, rule, same
from app.domain.reading import take_snapshot
from app.domain.runs.employment import MONTHLY_ITEMS
from app.domain.snapshot import ABSENT, BLANK, FieldState
from app.storage.links.rows import LinkRow
from app.use_cases.planning.employment_month import with_mark
from app.use_cases.planning.plan_employee import Terms

_DATES = (BY_KEY["hired_on"], BY_KEY["resigned_on"])
_ONCE = tuple(row for row in FIELDS if row.key not in MONTHLY_ITEMS)
_TELLING = frozenset({"birth_date", "gender", "hired_on", "resigned_on"})
"""Items that a person who starts a run expects to be compared even where the two sides have never agreed on them."""
_LEFT_AT_THE_TARGET = {Ruling.TARGET_NEWER: "target_newer", Ruling.TARGET_WINS: "target_wins"}


@dataclass(frozen=True)
class Look:
    """freee has to be read first, in a month of this employee's employment."""

    freee_id: str


@dataclass(frozen=True)
class Quiet:
    """Nothing to write, without a reading. `notes`: what only the target has changed."""

    notes: tuple[Note, ...]


@dataclass(frozen=True)
class OtherMonth:
    """`known`: freee id → the person as read in another month. `careful`: read whoever has not surely been compared; a
    comparison that comes every hour reads only for a difference that it can see."""

    terms: Terms
    as_of_date: date
    known: Mapping[str, EmployeeRecord]
    careful: bool

    def pair(
        self, source: EmployeeRecord, target: EmployeeRecord, link: LinkRow | None
    ) -> tuple[EmployeeRecord, EmployeeRecord] | Look | Quiet:
        """Both sides as they are to be compared. Without a record where no month shows the person."""
        in_freee = source if source.person.system is System.FREEE else target
        if in_freee.record is None:
            found = self.known.get(in_freee.person.id)
            if found is None:
                return self._without_reading(source, target, link) or Look(in_freee.person.id)
            in_freee = found
        in_freee = with_mark(source.person, in_freee, self.as_of_date)
        return (in_freee, target) if source.person.system is System.FREEE else (source, in_freee)

    def _without_reading(self, source: EmployeeRecord, target: EmployeeRecord, link: LinkRow | None) -> Quiet | None:
        if link is None:
            return None
        baseline = Baseline(link.baseline, self.terms.fingerprint)
        rulings = list(self._rulings(source, target, baseline))
        if any(ruling not in _LEFT_AT_THE_TARGET for _, ruling in rulings):
            return None
        if not rulings and self._may_have_moved(source, baseline):
            return None
        left = [Note(_LEFT_AT_THE_TARGET[ruling], Severity.INFO, row.key) for row, ruling in rulings]
        return Quiet((*left, Note("once_only", Severity.INFO)))

    def _rulings(
        self, source: EmployeeRecord, target: EmployeeRecord, baseline: Baseline
    ) -> Iterator[tuple[FieldMapping, Ruling]]:
        """The dates that differ, as far as the lists show them."""
        for row in _DATES:
            states = [self._shown(side, row) for side in (source, target)]
            if ABSENT in states or row.key in self.terms.options.excluded or same(row, *states):
                continue
            policy = self.terms.policies.get(row.key, self.terms.policy)
            yield (
                row,
                rule(
                    [row],
                    sources=states[:1],
                    targets=states[1:],
                    baseline=baseline,
                    policy=policy,
                    direction=self.terms.direction,
                    one_way=self.terms.one_way,
                ),
            )

    def _shown(self, side: EmployeeRecord, row: FieldMapping) -> FieldState:
        if side.record is not None:
            return take_snapshot(side, self.terms.options)[row.key]
        day = side.person.hired_on if row.key == "hired_on" else side.person.resigned_on
        return BLANK if day is None else day

    def _may_have_moved(self, source: EmployeeRecord, baseline: Baseline) -> bool:
        """Whether the source may hold another value than both sides agreed on, in an item that holds for all months."""
        if source.record is None:
            return self.careful and any(row.key not in baseline.digests for row in _DATES)
        shown = take_snapshot(source, self.terms.options)
        return any(self._has_moved(row, shown[row.key], baseline) for row in _ONCE if shown[row.key] is not ABSENT)

    def _has_moved(self, row: FieldMapping, state: FieldState, baseline: Baseline) -> bool:
        if row.key not in baseline.digests:
            return self.careful and row.key in _TELLING and state is not BLANK
        if not self.careful and baseline.is_by_other_rules(row.key):
            return False  # an upgrade alone is no reason to read everybody who ever left
        return not agreed(row, state, baseline)
