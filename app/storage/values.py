"""Plain values of a field change as text and back: what is encrypted into `field_changes`."""

from __future__ import annotations

import json
from datetime import date

from app.domain.snapshot import FieldState, Missing, Unconvertible


def dump_state(state: FieldState) -> str:
    """A FieldState → JSON that keeps its type."""
    if isinstance(state, Missing):
        return json.dumps({"missing": state.value})
    if isinstance(state, Unconvertible):
        return json.dumps({"unconvertible": state.reason})
    if isinstance(state, date):
        return json.dumps({"date": state.isoformat()})
    return json.dumps({"plain": state}, ensure_ascii=False)


def load_state(text: str) -> FieldState:
    (kind, value), *_ = json.loads(text).items()
    if kind == "missing":
        return Missing(value)
    if kind == "unconvertible":
        return Unconvertible(value)
    if kind == "date":
        return date.fromisoformat(value)
    plain: str | int | bool = value
    return plain
