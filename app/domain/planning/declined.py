"""What a person has not chosen when the automatic sync began: it rests until one of its two values moves.

Kept per person and direction as keyed digests, per item. The five items of the bank account rest together, and so do
those of an address: when one of them moves, all are a new change. A creation that was not chosen rests until a person
syncs this employee: a later edit of an address is no reason to register somebody whom a person has left out. Runs that
a person starts do not look at any of this. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from app.domain.mapping import BY_KEY
from app.domain.planning.keyed import Fingerprint, as_made, is_comparable, is_former
from app.domain.planning.target_limits import ADDRESSES
from app.domain.planning.three_way import form
from app.domain.planning.unsettled import sent_unit_of
from app.domain.snapshot import FieldState

CREATION = "create"
"""In place of an item: that the person is created at all."""
CHANGE_DECLINED, CREATION_DECLINED = "change_declined", "creation_declined"
"""Codes of the error catalogue."""

Declined = Mapping[str, str]
"""Key of FIELDS, or CREATION → digest of the change that was not chosen."""


class Differing(Protocol):
    """A planned change, fresh or as it was stored."""

    @property
    def key(self) -> str: ...
    @property
    def before(self) -> FieldState: ...
    @property
    def after(self) -> FieldState: ...


def declined_by(changes: Iterable[Differing], fingerprint: Fingerprint) -> dict[str, str]:
    """The memory of these changes."""
    return {change.key: _digest(change, fingerprint) for change in changes}


def declined_changes(declined: Declined, changes: Iterable[Differing], fingerprint: Fingerprint) -> dict[str, str]:
    """Key → reason for the changes that a person has not chosen. Of a digest by other rules nobody can say whether a
    value has moved, so its item goes on resting."""
    if not declined:
        return {}
    now = {change.key: change for change in changes}
    moved = {
        _together(key)
        for key, made in declined.items()
        if key in BY_KEY and not (key in now and _is_same(made, now[key], fingerprint))
    }
    return {key: CHANGE_DECLINED for key in now if key in declined and _together(key) not in moved}


def renewed(declined: Declined, changes: Iterable[Differing], fingerprint: Fingerprint) -> dict[str, str]:
    """Key → digest under the key in use now, for what rests unmoved under a former one."""
    return {
        change.key: _digest(change, fingerprint)
        for change in changes
        if (made := declined.get(change.key)) is not None
        and is_former(made, fingerprint)
        and made == _digest(change, as_made(made, fingerprint))
    }


def _together(key: str) -> str:
    """What moves as one: the bank account, an address, else the item."""
    return next((keys[0] for keys in ADDRESSES if key in keys), sent_unit_of(key))


def _digest(change: Differing, fingerprint: Fingerprint) -> str:
    row = BY_KEY[change.key]
    return fingerprint(f"declined {change.key}", f"{form(row, change.before)}\0{form(row, change.after)}")


def _is_same(made: str, change: Differing, fingerprint: Fingerprint) -> bool:
    return made == _digest(change, as_made(made, fingerprint)) or not is_comparable(made, fingerprint)
