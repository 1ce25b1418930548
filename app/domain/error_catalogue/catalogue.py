"""The error catalogue: what went wrong, who can repair it and how, in words for people.

E1 to E23 are those of sync-items section 6 (`entries`), the other words are our own (`own_words`); how
a vendor's answer is recognised is in `vendor_patterns`.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.error_catalogue.entries import DOCUMENTED, Entry, Who
from app.domain.error_catalogue.own_words import OWN_WORDS
from app.domain.error_catalogue.vendor_patterns import recognise

__all__ = ["CATALOGUE", "Entry", "Who", "cause_of", "entry_of", "message_of", "recognise", "remedy_of"]


CATALOGUE: Mapping[str, Entry] = {**DOCUMENTED, **OWN_WORDS}
"""Every code by itself: what is stored, shown and mailed."""


def entry_of(code: str) -> Entry:
    """The entry of a code. A code stored by another version and unknown now reads as the unexpected error."""
    return CATALOGUE.get(code) or CATALOGUE["unexpected"]


def message_of(code: str) -> str:
    """What happened, one Japanese sentence."""
    return entry_of(code).message


def remedy_of(code: str) -> str:
    """What to do about it, in Japanese; "" where nobody has to do anything."""
    return entry_of(code).remedy


def cause_of(code: str) -> str:
    """The code under which reports group this one: "gender_unselected" and "too_long" are both E16."""
    return entry_of(code).family or code
