"""One planned change in the form in which an item keeps it."""

from __future__ import annotations

from app.domain.planning.plan import Change
from app.storage.runs.rows import NewChange


def new_change(change: Change, *, held: bool = False) -> NewChange:
    """The change as it is stored."""
    return NewChange(
        change.key,
        change.before,
        change.after,
        raw=change.raw,
        held=held,
        trace=change.trace,
        exact=change.exact is not None,
    )
