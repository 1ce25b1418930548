"""The error catalogue: who can repair what, and where it came up.

The codes are data (`entries`); by what a vendor's answer is recognised, its adapter knows. What a person is told stands
in the texts of each language, and depends on where it happened: on the direction of the run, and on whether a person
has started it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Protocol

from app.domain.enums import Direction, Trigger
from app.domain.error_catalogue.entries import CATALOGUE, Entry, Who


class UnknownCode(UserWarning):
    """A code without an entry. A test fails with it; people are shown the entry of an unexpected error."""


class Happened(Protocol):
    """Where a code has come up: a run, or `Place`."""

    @property
    def direction(self) -> Direction | None: ...

    @property
    def trigger(self) -> Trigger | None: ...


@dataclass(frozen=True)
class Place:
    """Direction and trigger of a run, as far as they are known."""

    direction: Direction | None = None
    trigger: Trigger | None = None


ANYWHERE = Place()


def entry_of(code: str) -> Entry:
    """The entry of a code. A code that another version stored and this one does not know reads as "unexpected"."""
    if code not in CATALOGUE:
        warnings.warn(f"no entry in the error catalogue: {code}", UnknownCode, stacklevel=2)
    return CATALOGUE.get(code) or CATALOGUE["unexpected"]


def who_of(code: str, where: Happened = ANYWHERE) -> Who:
    """Who must act."""
    entry = entry_of(code)
    return entry.automatic_who or entry.who if occasion(where) == "automatic" else entry.who


def occasion(where: Happened) -> str:
    """What a person can do there: "automatic" (nothing but mend the cause), "undo", "by_hand" (start a run once more),
    or "elsewhere" (no run is known)."""
    if where.trigger is None:
        return "elsewhere"
    if where.trigger.is_automatic:
        return "automatic"
    return "undo" if where.trigger is Trigger.UNDO else "by_hand"


def checked(code: str | None) -> str | None:
    """The code as it is; a test fails when it has no entry. Whatever stores a code asks here."""
    if code is not None:
        entry_of(code)
    return code
