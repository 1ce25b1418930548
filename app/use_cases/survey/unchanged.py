"""Knows without planning that there is nothing to do for a linked pair, where there was nothing to do at an earlier
survey and everything that the plan is made of is as it was then.

Who is compared with whom, in which month, and whether somebody may be planned at all is decided anew in every survey.
What is left is the comparison of two records (`plan_employee.decide`): it depends on the two readings, the terms of the
run, the baseline, and what is remembered of the pair. A pair of which anything but its baseline is remembered (writes
that are not settled, changes that wait, rest or were declined) is always planned. The mark names all the others.

The mark is no state of the pair but a proven fact: *these inputs lead to a plan without a word in it*. So it cannot be
overtaken by anybody, and losing one costs a comparison. `OWN_CODE` stands in it, because other code may plan otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any

from app.domain.employee import EmployeeRecord
from app.domain.japanese.municipalities import Municipalities
from app.domain.planning.content import record_mark
from app.domain.planning.declined import Declined
from app.domain.planning.keyed import KeyedFingerprint
from app.domain.planning.plan import Plan, PlanKind
from app.storage.links.rows import LinkRow
from app.use_cases.planning.plan_employee import Terms
from app.use_cases.planning.stop_changes import Stops
from app.use_cases.survey.own_code import OWN_CODE

WITHOUT_A_WORD = Plan(PlanKind.NOTHING)
"""Nothing to write, to hold, to ask or to tell."""
_as_text = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Marks:
    """The marks of the pairs of one survey. `declined`: source id → what a person has not chosen for them; `stops`:
    what waits or rests."""

    def __init__(self, terms: Terms, declined: Mapping[str, Declined], stops: Stops | None) -> None:
        fingerprint = terms.fingerprint
        self._fingerprint = fingerprint if isinstance(fingerprint, KeyedFingerprint) else None
        self._terms = json.dumps(terms_told(terms)) if self._fingerprint else ""
        self._declined, self._stops = declined, stops

    def of(self, source: EmployeeRecord, target: EmployeeRecord | None, link: LinkRow | None) -> str | None:
        """None: this pair has to be planned in any case."""
        fingerprint = self._fingerprint
        if target is None or link is None or fingerprint is None:
            return None
        if link.unsettled or self._declined.get(source.person.id) or self._stopped(source, target):
            return None
        sides = [record_mark(side, fingerprint, OWN_CODE) for side in (source, target)]
        if None in sides:
            return None
        return fingerprint("unchanged", _as_text([OWN_CODE, self._terms, *sides, link.baseline]))

    def _stopped(self, source: EmployeeRecord, target: EmployeeRecord) -> bool:
        return self._stops is not None and bool(self._stops.of(source.person.id, target.person.id))


def terms_told(terms: Terms) -> Mapping[str, Any]:
    """Everything that makes terms differ, in words that are the same in every process."""
    return {each.name: _told(getattr(terms, each.name)) for each in fields(terms) if each.compare}


def _told(value: object) -> Any:
    if value is None or type(value) in (str, int, bool):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, KeyedFingerprint):
        return [value.label, sorted(value.keys)]  # labels; a key itself is in every digest made with it
    if isinstance(value, Municipalities):
        return None  # the one table of this code, asked for only where there is something to write
    if isinstance(value, Mapping):
        return sorted([_told(key), _told(each)] for key, each in value.items())
    if isinstance(value, frozenset):
        return sorted(json.dumps(_told(each)) for each in value)
    if isinstance(value, tuple):
        return [_told(each) for each in value]
    if is_dataclass(value):
        return {each.name: _told(getattr(value, each.name)) for each in fields(value)}
    raise TypeError(f"{type(value).__name__} among the terms of a run")
