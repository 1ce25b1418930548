"""Proves that a null is a blank, before a job writes because of it.

A survey's own lists are its evidence. A job reads one employee alone, and what a list has shown before may have been
taken away since. So a job plans as if the token could still read what it could; where the plan would then write because
of a null, one reading of another person must show a value of that attribute, or the null counts as absent and the item
is left alone. That costs at most one reading for most employees with such a change, and none for the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.employee import EmployeeRecord
from app.domain.enums import System
from app.domain.mapping import FIELDS
from app.domain.planning.plan import Plan
from app.domain.planning.planning import is_decisive
from app.domain.ports import EmployeeGateway
from app.domain.reading import resting_on_null, shown_attributes
from app.domain.settings.connection_settings import Connection
from app.domain.settings.readability import DIRECTORY_ATTRIBUTES
from app.domain.snapshot import BLANK
from app.use_cases.planning.plan_employee import Terms

WITNESSES = 2
"""How many people a job reads at most to prove attributes, before it reads a page of the list."""
_BECAUSE_OF_A_BLANK = frozenset({"cannot_clear", "target_newer", "target_wins"})


def hoping(terms: Terms, connection: Connection) -> Terms:
    """The terms of a job: what the token could read counts as readable until a plan depends on it."""
    options = replace(
        terms.options,
        readable_attributes=connection.hoped(System.SMARTHR),
        readable_in_freee=connection.hoped(System.FREEE),
    )
    return replace(terms, options=options)


def without(terms: Terms, system: System, names: Iterable[str], *, gone: bool = False) -> Terms:
    """The terms by which a null of these attributes is absent. `gone`: they had values and may hide some still."""
    options, names = terms.options, frozenset(names)
    if system is System.SMARTHR:
        options = replace(options, readable_attributes=(options.readable_attributes or frozenset()) - names)
    else:
        options = replace(options, readable_in_freee=(options.readable_in_freee or frozenset()) - names)
    if gone:
        options = replace(options, gone=options.gone | {(system, name) for name in names})
    return replace(terms, options=options)


def in_doubt(plan: Plan, side: EmployeeRecord, *, is_source: bool) -> frozenset[str]:
    """The attributes of this side whose null the plan takes for a blank that it writes for, or over."""
    if side.person.system is System.FREEE and not is_source:
        return frozenset()
    keys = {change.key for change in plan.changes if (change.after if is_source else change.before) is BLANK}
    keys |= {each.key for each in plan.conflicts if (each.source if is_source else each.target) is BLANK}
    keys |= {note.key for note in plan.notes if note.key and note.code in _BECAUSE_OF_A_BLANK}
    return resting_on_null(side, keys)


def in_doubt_of_new(source: EmployeeRecord, terms: Terms) -> frozenset[str]:
    """The attributes without which nobody is created, where this person shows a null."""
    rows = [row for row in FIELDS if is_decisive(row, terms.direction.target) and row.key not in terms.options.excluded]
    readable = terms.options.readable_attributes, terms.options.readable_in_freee
    names = resting_on_null(source, [row.key for row in rows])
    return names & ((readable[0] if source.person.system is System.SMARTHR else readable[1]) or frozenset())


@dataclass(frozen=True)
class Prover:
    """Asks one system for people who show a value of an attribute."""

    connection: Connection
    gateway: EmployeeGateway

    def unproven(self, names: frozenset[str], person: EmployeeRecord) -> frozenset[str]:
        """Those of the attributes that nobody shows now to the present token. Attributes that a person has declared
        empty for everybody need no proof."""
        standings = self.connection.standings.get(self.gateway.system, {})
        left = frozenset(name for name in names if name not in standings or not standings[name].cleared)
        witnesses = {standings[name].witness for name in left if name in standings} - {"", person.person.id}
        for witness in sorted(witnesses)[:WITNESSES]:
            if left:
                left -= self._shown_by(witness, person)
        if left - DIRECTORY_ATTRIBUTES:
            left -= self._shown_on_a_page(person, leavers=False)
        if left & DIRECTORY_ATTRIBUTES:
            left -= self._shown_on_a_page(person, leavers=True)
        return left

    def stale(self, names: frozenset[str], now: datetime) -> frozenset[str]:
        """Those of the attributes that no list has shown just now."""
        system = self.gateway.system
        standings, mark = self.connection.standings.get(system, {}), self.connection.token_mark(system)
        return frozenset(name for name in names if name not in standings or not standings[name].is_fresh(mark, now))

    def _shown_by(self, witness: str, person: EmployeeRecord) -> frozenset[str]:
        found = self.gateway.read(witness, month=person.month)
        return shown_attributes(found) if found else frozenset()

    def _shown_on_a_page(self, person: EmployeeRecord, *, leavers: bool) -> frozenset[str]:
        people = self.gateway.some_people(month=person.month, leavers=leavers)
        return frozenset(
            name for each in people if each.person.id != person.person.id for name in shown_attributes(each)
        )
