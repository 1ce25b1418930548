"""The keys by which people are found by name, and what is looked for when somebody has typed something."""

from __future__ import annotations

import hashlib

from app.domain.matching.comparable import comparable_number
from app.domain.matching.name_search import NameKeys
from app.storage.keyring import Ring
from app.storage.links.finding import Sought


def name_keys_of(signing: Ring) -> NameKeys:
    """Keys of their own, made of the signing keys: digests are made under the one in use, and found under the others
    until the next list of everybody brings new ones."""
    keys = {signing.label(key): hashlib.sha256(b"awase names " + key.text.encode()).digest() for key in signing.keys}
    return NameKeys(keys, signing.label(signing.in_use))


def sought(text: str, signing: Ring) -> Sought | None:
    """Whom this text looks for: by the beginning of the number, or of the name or kana. None: nothing was typed. Called
    inside a unit of work, which has read how the keys are called."""
    if not text.strip():
        return None
    keys, number = name_keys_of(signing), comparable_number(text)
    return Sought(number if number.isprintable() else "", keys.tokens(text), frozenset(keys.known))
