"""The rules by which values are compared, told with every stored digest, so that an upgrade counts nobody as changed.

A digest stands for the form in which an item is compared (`three_way.form`). Two things change between releases:

- **The form of a value.** A digest says by which `VERSION` it was made ("2:<digest>"), and digests of different
  versions say nothing about a change. It says besides under which key ("2.<label>:<digest>"), unless that is the first
  key that this installation ever had (`keyed`).
- **The rows of FIELDS.** What stands for a person as a whole says by which rows ("2:<rows>:<digest>", `of_all_items`),
  and so does a baseline (`three_way.ROWS_KEY`). An item's own digest does not: it holds whatever other items there are.

The mark of the rows is derived: another row, path or codec makes another one, and nobody has to remember it. The
version is raised by hand, because nothing that can be derived from a codec stays the same exactly as long as its forms
do: a digest of its code changes with every tidying up, and after each automatic sync would ask about all that differs.

**Raise `VERSION` with every change of a codec's plain or comparable form**; `tests/domain/test_rule_version.py`
compares the forms of sample values with those noted for this version. A new item needs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import fields, is_dataclass

from app.domain.mapping import FIELDS, FieldMapping, Place

VERSION = 2
"""1: the releases whose digests carry no version."""

_SIGN, _UNDER = ":", "."


def rows_mark(rows: Iterable[FieldMapping]) -> str:
    """A word that tells these rows from others by what is compared: keys in their order, places, codecs."""
    told = [(row.key, *(_of_place(each) for each in (row.smarthr, row.freee))) for row in rows]
    return f"r{hashlib.sha256(repr(told).encode()).hexdigest()[:8]}"


def _of_place(place: Place) -> object:
    return place.paths, place.beside, _told(place.codec)


def _told(value: object) -> object:
    """A codec with what it is made of, in words that are the same in every process."""
    if is_dataclass(value):
        return type(value).__name__, [(each.name, _told(getattr(value, each.name))) for each in fields(value)]
    if isinstance(value, tuple):
        return [_told(each) for each in value]
    return getattr(value, "__qualname__", value)


_FIRST = "r63a809dd"
"""The mark of the rows that the releases had whose digests tell of none; it is left out, so that those still count."""
ROWS = "" if (_mark := rows_mark(FIELDS)) == _FIRST else _mark
"""What a digest of all items says of the rows."""


def of_all_items(digest: str) -> str:
    """The stamped digest, telling by which rows it was made."""
    head, sign, made = digest.rpartition(_SIGN)
    return f"{head}{sign}{ROWS}{_SIGN}{made}" if ROWS else digest


def is_by_these_rows(stored: str) -> bool:
    """Whether a digest of all items (`of_all_items`) was made by the present rows."""
    before = stored.split(_SIGN)[-2:-1]
    return (before[0] if before and before[0].startswith("r") else "") == ROWS


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
