"""What a system holds of one item in its own form, character for character, and how an undo puts just that back. Pure.

The plain form of a value forgets what makes no difference between the systems: width, blanks at the edges, null or "",
slots and other accounts. So a run keeps beside it the vendor's own values at the row's paths ("raw"), and of what the
vendor takes as a whole also the rest: SmartHR's list of accounts, its positions, 在籍状況 beside 退職年月日, the
reading that moves with a prefecture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.codecs.bank import SMARTHR_ACCOUNT_KEYS, salary_account
from app.domain.codecs.base import CannotEncode, Raw
from app.domain.codecs.contact import first_by_rank, named_positions
from app.domain.employee import Record
from app.domain.enums import System
from app.domain.mapping import FieldMapping
from app.domain.reading import held_values

Values = Mapping[str, Any]
"""Dotted vendor path → value. A path that the vendor's answer did not have is not in it."""

_BESIDE: Mapping[str, tuple[str, ...]] = {
    "resigned_on": ("emp_status",),
    "title": ("position",),
    "bank_code": ("bank_accounts",),
    "home_prefecture": ("address.literal_yomi",),
    "registered_prefecture": ("resident_card_address.literal_yomi",),
}
"""What SmartHR changes together with an item, or takes only as a whole with it."""

_NEVER_EMPTY = frozenset(
    {"last_name", "first_name", "last_name_yomi", "first_name_yomi", "gender", "birth_at", "address"}
)
"""SmartHR's attributes that no write may empty once they are filled."""


def raw_of(system: System, row: FieldMapping, record: Record | None) -> dict[str, Any]:
    """What the system holds of this item now."""
    paths = row.place(system).paths
    if system is System.FREEE:
        return held_values(system, record, paths)
    whole = (name for name in _objects(paths) if (record or {}).get(name) is None)
    return held_values(system, record, (*paths, *_BESIDE.get(row.key, ()), *whole))


def own(system: System, row: FieldMapping, values: Values) -> Raw:
    """The values at the row's own paths, in their order; None for what is not there."""
    return tuple(values.get(path) for path in row.place(system).paths)


def may_empty(system: System, row: FieldMapping, values: Values) -> bool:
    """Whether the vendor takes the blank that stood there."""
    if system is System.FREEE:  # a word such as 未選択 is a blank that can be written
        return system not in row.unclearable_in or all(value not in (None, "") for value in own(system, row, values))
    if row.group == "bank":
        return not values.get("bank_accounts", [])
    return not {path for path in row.smarthr.paths if path in _NEVER_EMPTY}


def to_write(system: System, row: FieldMapping, values: Values, current: Raw) -> Raw:
    """The values to send for the row's paths. freee takes no null for most fields, so a null becomes its blank."""
    if system is System.SMARTHR:
        return (_positions(values, current),) if row.key == "title" else own(system, row, values)
    blank = row.freee.erased if isinstance(row.freee.erased, tuple) else None
    if blank is None and None in own(system, row, values):
        raise CannotEncode("not_clearable")
    return tuple(
        (blank[place] if blank else None) if value is None else value
        for place, value in enumerate(own(system, row, values))
    )


def _objects(paths: Sequence[str]) -> set[str]:
    """The names of the objects in which these paths lie: SmartHR's addresses."""
    return {path.partition(".")[0] for path in paths if "." in path and not path.startswith("bank_account.")}


# ── 役職 ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _positions(values: Values, current: Raw) -> list[str | None]:
    """The names per slot as they were, when the other positions are still those of before; else the present ones with
    the first replaced. An empty slot in between stays empty."""
    before, now = _filled(values.get("positions")), _filled(current[0])
    slots = _slots(values.get("positions"))
    if not slots and isinstance(values.get("position"), str):
        slots = [values["position"]]
    others = Counter(str(each["name"]).strip() for each in now)
    others.subtract(_besides_first(before))
    if not before or (len(before) == len(now) and min(others.values(), default=0) >= 0):
        return slots
    first = str(before[first_by_rank(before)]["name"])
    held = first_by_rank(now) if now else 0
    return [*(each["name"] for each in now[:held]), first, *(each["name"] for each in now[held + 1 :])]


def is_retitled(before: Values, title: str, now: Values) -> bool:
    """Whether SmartHR holds the positions of before with this title in place of the first."""
    return sorted([title, *_besides_first(_filled(before.get("positions")))]) == sorted(
        str(each["name"]).strip() for each in _filled(now.get("positions"))
    )


def _filled(entries: object) -> list[Mapping[str, Any]]:
    return named_positions(entries) if isinstance(entries, list) else []


def _besides_first(entries: list[Mapping[str, Any]]) -> list[str]:
    """The names of the other positions, in whatever order: ranks may put a new title at another place."""
    first = first_by_rank(entries) if entries else None
    return sorted(str(each["name"]).strip() for place, each in enumerate(entries) if place != first)


def _slots(entries: object) -> list[str | None]:
    names = [each.get("name") if isinstance(each, Mapping) else None for each in entries or ()]  # type: ignore[attr-defined]
    while names and names[-1] is None:
        names.pop()
    return names


# ── SmartHR's whole objects ───────────────────────────────────────────────────────────────────────────────────────


def emptied_object(name: str, exact: Sequence[Values], parts: Mapping[str, Any]) -> bool:
    """Whether the whole address was not there before, and none of its parts stays."""
    was_null = any(name in values and values[name] is None for values in exact)
    return was_null and not any(value for part, value in parts.items() if part != "country_number")


def accounts(values: Values, present: object) -> list[dict[str, Any]] | None:
    """The account list of before; None when other accounts were changed since, so that only the one that receives the
    salary goes back."""
    if "bank_accounts" not in values:
        return None
    before = [each for each in values["bank_accounts"] or () if isinstance(each, Mapping)]
    now = [each for each in present if isinstance(each, Mapping)] if isinstance(present, list) else []
    if not before:
        return [] if len(now) <= 1 else None
    if len(before) != len(now) or _others(before) != _others(now):
        return None
    with_ids = all(each.get("bank_account_setting_id") for each in before)
    left_out = {"bankbook_image"} if with_ids else {"bankbook_image", "bank_account_setting_id"}
    return [{k: v for k, v in each.items() if k not in left_out and v is not None} for each in before]


def _others(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The accounts without what a run replaces: the five items of the one that receives the salary."""
    chosen = salary_account(entries)
    return [
        {k: v for k, v in each.items() if place != chosen or k not in SMARTHR_ACCOUNT_KEYS}
        for place, each in enumerate(entries)
    ]


def status(values: Values, held: object) -> str | None:
    """在籍状況 that goes back with 退職年月日. 休職中 was not set by us, so it stays."""
    before = values.get("emp_status")
    return before if isinstance(before, str) and held in ("employed", "retired") and before != held else None


# ── checking afterwards ───────────────────────────────────────────────────────────────────────────────────────────


def is_back(system: System, row: FieldMapping, values: Values, now: Values) -> bool:
    """Whether the system holds exactly what it held before."""
    if row.key == "title" and system is System.SMARTHR:
        return _slots(now.get("positions")) == _slots(values.get("positions"))
    return own(system, row, values) == own(system, row, now)


def shown(system: System, row: FieldMapping, values: Values) -> str:
    """The raw values as a person reads them."""
    found = own(system, row, values)
    if row.key == "title" and system is System.SMARTHR:
        found = tuple(_slots(values.get("positions")))
    return " ".join(str(value) for value in found if value is not None and value != "")
