"""The error catalogue: what went wrong, who can repair it and how, in words for people.

E1 to E23 are the errors known of this kind of sync (`entries`), the other words are our own (`own_words`;
`named_rules`: how a value was changed, or why it could not be). `vendor_patterns` recognises a vendor's answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.error_catalogue.entries import DOCUMENTED, Entry, Who
from app.domain.error_catalogue.named_rules import NAMED_RULES
from app.domain.error_catalogue.own_words import OWN_WORDS
from app.domain.error_catalogue.vendor_patterns import recognise

__all__ = ["CATALOGUE", "Entry", "Who", "cause_of", "entry_of", "message_of", "recognise", "remedy_of"]


CATALOGUE: Mapping[str, Entry] = {**DOCUMENTED, **OWN_WORDS, **NAMED_RULES}
"""Every code with its entry. Awase stores, shows and mails these codes."""


def entry_of(code: str) -> Entry:
    """The entry of a code. A code that another version stored and this one does not know reads as "unexpected"."""
    return CATALOGUE.get(code) or CATALOGUE["unexpected"]


def message_of(code: str) -> str:
    """What happened, one Japanese sentence."""
    return entry_of(code).message


def remedy_of(code: str) -> str:
    """What a person has to do about it, in Japanese; "" where there is nothing to do."""
    return entry_of(code).remedy


def cause_of(code: str) -> str:
    """The code under which reports group this one: "gender_unselected" and "too_long" are both E16."""
    return entry_of(code).family or code
