"""Keyed digests, and how one stays comparable when the key changes.

A digest is keyed, because birth dates and insurance numbers are few enough to be guessed. It carries the key's label:
whoever compares it makes its counterpart under the same key (`as_made`), so values look changed only when they are.
A digest under a key that is not given any more says nothing of a change, like one by other rules (`rule_version`).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from app.domain.planning.rule_version import key_label, made_by, stamp, stamped

Fingerprint = Callable[[str, str], str]
"""(what the text stands for, text) → digest."""


@dataclass(frozen=True)
class KeyedFingerprint:
    """`keys`: label → key, "" being the label of the original one; `label`: that of the key that makes digests."""

    keys: Mapping[str, bytes] = field(repr=False)
    label: str

    def __call__(self, stands_for: str, text: str) -> str:
        made = hmac.digest(self.keys[self.label], f"{stands_for}\0{text}".encode(), "sha256").hex()[:32]
        return self.present + made

    def under(self, label: str) -> KeyedFingerprint:
        """The fingerprint that makes digests under another of its keys; itself where it does not have that key."""
        return replace(self, label=label) if label != self.label and label in self.keys else self

    @cached_property
    def present(self) -> str:
        """What its digests begin with. Nearly every stored digest begins so, which is the quickest thing to see of
        it."""
        return stamped("", self.label)

    @cached_property
    def stamps(self) -> frozenset[str]:
        """What the digests begin with that were made by the present rules and under one of the keys."""
        return frozenset(map(stamp, self.keys))


def as_made(stored: str, fingerprint: Fingerprint) -> Fingerprint:
    """The fingerprint under the key with which a stored digest was made, as far as that key is known."""
    return fingerprint.under(key_label(stored)) if isinstance(fingerprint, KeyedFingerprint) else fingerprint


def is_comparable(stored: str, fingerprint: Fingerprint) -> bool:
    """Whether a stored digest was made by the present rules and under a key that is known: only then does a different
    digest prove that something has changed."""
    if isinstance(fingerprint, KeyedFingerprint):
        return stored.startswith(fingerprint.present) or made_by(stored) in fingerprint.stamps
    return made_by(stored) == made_by(fingerprint("version", ""))


def is_former(stored: str, fingerprint: Fingerprint) -> bool:
    """Whether a stored digest stands under another key than the one that makes digests now."""
    if not isinstance(fingerprint, KeyedFingerprint) or stored.startswith(fingerprint.present):
        return False
    return key_label(stored) != fingerprint.label
