"""The version of the rules by which values are compared, which every stored digest carries.

A digest stands for the form in which an item is compared (`three_way.form`). When a release changes that form for some
values, or adds an item, the same value has another digest although nobody has changed it. So a digest says by which
version it was made ("2:<digest>"), and digests of different versions say nothing about a change.

**Raise `VERSION` with every change of a codec's plain or comparable form and with every new item of FIELDS**;
`tests/domain/test_rule_version.py` compares the forms of sample values with those noted for this version.
"""

from __future__ import annotations

from collections.abc import Callable

VERSION = 2
"""1: the releases whose digests carry no version."""

_SIGN = ":"


def stamped(digest: str) -> str:
    """The digest with the present version."""
    return f"{VERSION}{_SIGN}{digest}"


def version_of(stored: str) -> int:
    """The version by which a stored digest was made."""
    return _parted(stored)[0]


def version_made_by(fingerprint: Callable[[str, str], str]) -> int:
    """The version of the digests that this fingerprint makes."""
    return version_of(fingerprint("version", ""))


def is_same_form(one: str, other: str) -> bool:
    """Whether two digests of one item stand for the same form, whatever their versions: the key is the same, so equal
    digests prove equal forms. Different ones prove something only when their versions are equal."""
    return _parted(one)[1] == _parted(other)[1]


def _parted(stored: str) -> tuple[int, str]:
    head, sign, digest = stored.partition(_SIGN)
    return (int(head), digest) if sign and head.isdecimal() else (1, stored)


UNKNOWN = f"1{_SIGN}"
"""In place of a digest: an older release knew nothing of this item, or its rules found no agreement on it."""
