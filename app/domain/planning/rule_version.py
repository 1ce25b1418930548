"""The version of the rules by which values are compared, which every stored digest carries.

A digest stands for the form in which an item is compared (`three_way.form`). When a release changes that form for some
values, or adds an item, the same value has another digest although nobody has changed it. So a digest says by which
version it was made ("2:<digest>"), and digests of different versions say nothing about a change. It says besides under
which key ("2.<label>:<digest>"), unless that is the first key that this installation ever had (`keyed`).

**Raise `VERSION` with every change of a codec's plain or comparable form and with every new item of FIELDS**;
`tests/domain/test_rule_version.py` compares the forms of sample values with those noted for this version.
"""

from __future__ import annotations

VERSION = 2
"""1: the releases whose digests carry no version."""

_SIGN, _UNDER = ":", "."


def stamp(label: str = "") -> str:
    """What a digest made now begins with. `label`: that of its key, "" for the original one."""
    return f"{VERSION}{_UNDER}{label}" if label else str(VERSION)


def stamped(digest: str, label: str = "") -> str:
    """The digest with the present version and its key's label."""
    return f"{stamp(label)}{_SIGN}{digest}"


def key_label(stored: str) -> str:
    """The label of the key under which a stored digest was made."""
    return made_by(stored).partition(_UNDER)[2]


def made_by(stored: str) -> str:
    """Version and key label of a stored digest."""
    return _parted(stored)[0]


def is_same_form(one: str, other: str) -> bool:
    """Whether two digests of one item, made under one key, stand for the same form, whatever their versions: equal
    digests prove equal forms. Different ones prove something only when their versions are equal."""
    return _parted(one)[1] == _parted(other)[1]


def _parted(stored: str) -> tuple[str, str]:
    head, sign, digest = stored.partition(_SIGN)
    return (head, digest) if sign and head.partition(_UNDER)[0].isdecimal() else ("1", stored)


UNKNOWN = f"1{_SIGN}"
"""In place of a digest: an older release knew nothing of this item, or its rules found no agreement on it."""
