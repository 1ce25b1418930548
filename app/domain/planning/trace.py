"""Tells with each change by which named rules the source's value was read, so that nobody has to guess why the target
holds another text than the source."""

from __future__ import annotations

from dataclasses import replace

from app.domain.planning.plan import Note, Plan, Severity
from app.domain.snapshot import Snapshot


def with_rules(plan: Plan, source: Snapshot) -> Plan:
    """The plan with one note per rule and written item."""
    told = [Note(name, Severity.INFO, change.key) for change in plan.changes for name in source.rules(change.key)]
    return replace(plan, notes=(*plan.notes, *told))
