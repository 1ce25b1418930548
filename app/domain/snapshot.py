"""One employee seen through FIELDS: every item is absent, blank, a plain value, or not convertible.

Three states are told apart: an attribute the token may not read is ABSENT and never overwrites anything;
BLANK overwrites only where the item's policy says so; a value is a plain str, int, bool or date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum


class Missing(Enum):
    ABSENT = "absent"
    BLANK = "blank"

    def __repr__(self) -> str:
        return self.name


ABSENT = Missing.ABSENT
BLANK = Missing.BLANK


@dataclass(frozen=True)
class Unconvertible:
    """The system holds something that has no counterpart on the other side (catalogue E16).

    `reason` is a stable word such as "gender_unselected", "abolished_widow_type", "foreign_address",
    "letters_in_number", "unsplittable_phone". The raw value is not kept: it may be personal.
    """

    reason: str


Plain = str | int | bool | date
FieldState = Plain | Missing | Unconvertible


@dataclass(frozen=True)
class Snapshot:
    """The items of one employee on one side: key of FIELDS → state. A key not in `values` is ABSENT."""

    values: Mapping[str, FieldState] = field(repr=False)

    def __getitem__(self, key: str) -> FieldState:
        return self.values.get(key, ABSENT)


def is_value(state: FieldState) -> bool:
    return not isinstance(state, (Missing, Unconvertible))
