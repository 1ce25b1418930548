"""The error catalogue: what went wrong, who can repair it and how, in words for people.

E1 to E23 are the errors known of this kind of sync (`entries`). The other words are our own, in a module for each place
where they come up: `words_of_planning`, `words_of_linking`, `words_of_conversion`, `words_of_systems`; `named_rules`:
how a value was changed, or why it could not be. By what a vendor's answer is recognised, its adapter knows. What a
person is told depends on where it happened: on the direction of the run, and on whether a person has started it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from app.domain.enums import Direction, Trigger
from app.domain.error_catalogue.entries import DOCUMENTED, Entry, Who
from app.domain.error_catalogue.named_rules import NAMED_RULES
from app.domain.error_catalogue.words_of_conversion import CONVERSION
from app.domain.error_catalogue.words_of_linking import LINKING
from app.domain.error_catalogue.words_of_planning import PLANNING
from app.domain.error_catalogue.words_of_systems import SYSTEMS

__all__ = ["CATALOGUE", "Entry", "Who", "cause_of", "entry_of", "message_of", "remedy_of", "who_of"]


CATALOGUE: Mapping[str, Entry] = {
    **DOCUMENTED,
    **PLANNING,
    **LINKING,
    **CONVERSION,
    **SYSTEMS,
    **NAMED_RULES,
}
"""Every code with its entry. Awase stores, shows and mails these codes."""


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

_AGAIN = {
    "by_hand": "その後、この従業員をもう一度同期してください。",
    "automatic": "直した後は、次の自動同期で反映します。",
    "undo": "その後、もう一度元に戻してください。",
    "elsewhere": "その後、もう一度お試しください。",
}


def entry_of(code: str) -> Entry:
    """The entry of a code. A code that another version stored and this one does not know reads as "unexpected"."""
    if code not in CATALOGUE:
        warnings.warn(f"no entry in the error catalogue: {code}", UnknownCode, stacklevel=2)
    return CATALOGUE.get(code) or CATALOGUE["unexpected"]


def message_of(code: str, where: Happened = ANYWHERE) -> str:
    """What happened, one Japanese sentence."""
    return _told(entry_of(code).message, where)


def cause_of(code: str, where: Happened = ANYWHERE) -> str:
    """Why it happened, in Japanese."""
    return _told(entry_of(code).cause, where)


def remedy_of(code: str, where: Happened = ANYWHERE) -> str:
    """What a person has to do about it, in Japanese."""
    entry = entry_of(code)
    special = {"automatic": entry.automatic, "undo": entry.undo, "elsewhere": entry.elsewhere}.get(occasion(where))
    return _told(special or entry.remedy, where)


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


def _told(text: str, where: Happened) -> str:
    source, target = "取得元", "反映先"
    if where.direction is not None:
        source, target = where.direction.source.label, where.direction.target.label
    return filled(text, source=source, target=target, again=_AGAIN[occasion(where)])


def filled(text: str, **words: str) -> str:
    """The text with the words in its places; any other brace is left as it is."""
    return re.sub(r"\{(source|target|again)\}", lambda found: words[found[1]], text)
