"""Changes → what to send: per request the vendor's dotted paths and values, merged with what the target holds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from app.domain.codecs.address import moved_reading, text_beside
from app.domain.codecs.bank import accounts_to_write
from app.domain.codecs.base import CannotEncode, Raw, parsed_date
from app.domain.employee import Record
from app.domain.enums import Step, System
from app.domain.mapping import BY_KEY, FIELDS, FieldMapping, Place
from app.domain.planning import exact
from app.domain.planning.plan import Change
from app.domain.reading import attribute_of, raw_values
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, Missing, Snapshot, Unconvertible
from app.domain.vendors.assumptions import NEW_ADDRESS_COUNTRY

_ADDRESSES = ("address", "resident_card_address")
_READINGS = {"address": "home_address_kana", "resident_card_address": "registered_address_kana"}
_ADDRESS_PARTS = ("country_number", "zip_code", "pref", "city", "street", "building", "literal_yomi")
_TEXT_OF = {"home_prefecture": "home_address", "registered_prefecture": "registered_address"}
_BANK_ACCOUNT = "bank_account"
_ORDER: Mapping[str, int] = {row.key: place for place, row in enumerate(FIELDS)}


def encode(
    target: System, changes: Sequence[Change], current: Record | None, options: MappingOptions
) -> dict[Step, dict[str, Any]]:
    """The vendor's paths and values to set, per step; `current` is the target's record, None for a new person.

    freee: dotted paths such as `profile_rule.title`; the gateway merges them into the whole rule object.
    SmartHR: one step CREW whose keys are top-level names; `address`, `resident_card_address` and `bank_accounts` are
    whole objects, because merging on SmartHR's side is not documented. `emp_status` comes along with 退職年月日.
    Raises CannotEncode with the key of the row at fault; `unwritable` tells beforehand which rows these are.
    """
    written: dict[Step, dict[str, Any]] = {}
    draft = _Draft(target, current or {})
    for change in _in_order(changes):
        row = BY_KEY[change.key]
        values = _encoded(row, change, draft.raw(row), target=target, options=options)
        step = _step(target, row)
        written.setdefault(step, {}).update(zip(row.place(target).paths, values, strict=True))
        draft.put(written[step])
    for key in _prefectures_alone(changes):
        row = BY_KEY[_TEXT_OF[key]]
        written[_step(target, row)] |= _named_once(row.place(target), draft.raw(row), key=key)
    if target is System.SMARTHR and (written or current is None):
        return {Step.CREW: _crew(written.get(Step.CREW, {}), changes, current, options)}
    return written


def as_written(
    target: System, changes: Sequence[Change], current: Record | None, options: MappingOptions
) -> dict[str, tuple[Raw, Raw]]:
    """Key → what `encode` puts at the row's paths, and what the target then holds beside them. A change that cannot be
    encoded is left out."""
    found: dict[str, tuple[Raw, Raw]] = {}
    draft = _Draft(target, current or {})
    for change in _in_order(changes):
        row = BY_KEY[change.key]
        place, held = row.place(target), draft.raw(row)
        try:
            values = _encoded(row, change, held, target=target, options=options)
        except CannotEncode:
            continue
        draft.put(dict(zip(place.paths, values, strict=True)))
        found[change.key] = values, held[len(place.paths) :]
    return found


def keys_by_step(target: System, changes: Sequence[Change]) -> dict[Step, tuple[str, ...]]:
    """Which rows each request carries: the requests in the order in which they are sent, the rows in that of FIELDS."""
    keys: dict[Step, tuple[str, ...]] = {}
    for change in _in_order(changes):
        step = _step(target, BY_KEY[change.key])
        keys[step] = (*keys.get(step, ()), change.key)
    return {step: keys[step] for step in Step if step in keys}


def unwritable(
    target: System, changes: Sequence[Change], current: Record | None, options: MappingOptions
) -> dict[str, str]:
    """Key → reason for the changes `encode` would refuse, so that the others can be written without them.

    Rows that make up one thing go together: Awase does not write a postal code without the address that belongs to it,
    nor a bank code without its account number.
    """
    refused: dict[str, str] = {}
    left = list(changes)
    while left:
        try:
            encode(target, left, current, options)
        except CannotEncode as error:
            together = {change.key for change in left if _belongs(change.key, error.key)}
            refused |= dict.fromkeys(together, error.reason)
            left = [change for change in left if change.key not in together]
        else:
            break
    return refused


_OF_THE_VALUE = frozenset(
    {
        "too_long",
        "out_of_range",
        "wrong_type",
        "unknown_value",
        "kana_characters",
        "letters_in_number",
        "digit_count",
        "unsplittable_phone",
        "foreign_phone",
        "unsplittable_address",
    }
)
"""Refusals that lie in the value itself, not in a setting or in what else the other system holds."""


def uncarried(system: System, key: str, held: Snapshot, current: Record | None, options: MappingOptions) -> str | None:
    """Why this system has no place for a value that the other one holds; None when it has, or would have under other
    settings. `current`: this system's record, which may know a municipality that is no longer in the table."""
    row, change = BY_KEY[key], Change(key, BLANK, held[key])
    reason = None
    for record in (current or {}, _only_prefectures(held)):
        try:
            _encoded(row, change, _Draft(system, record).raw(row), target=system, options=options)
        except CannotEncode as error:
            reason = error.reason if error.reason in _OF_THE_VALUE else None
        else:
            return None
    return reason


def _only_prefectures(held: Snapshot) -> Record:
    """SmartHR's record of somebody of whom only the 都道府県 is known: an address is split by its own."""
    keys = zip(_ADDRESSES, ("home_prefecture", "registered_prefecture"), strict=True)
    return {name: {"pref": held[key]} for name, key in keys if isinstance(held[key], str)}


class _Draft:
    """The target's record as it will be after the rows already encoded: an address is split by its new prefecture."""

    def __init__(self, target: System, record: Record) -> None:
        self._target = target
        self._record = record
        self._set: dict[str, Any] = {}

    def put(self, values: Mapping[str, Any]) -> None:
        self._set |= values

    def raw(self, row: FieldMapping) -> Raw:
        place = row.place(self._target)
        held = raw_values(self._target, self._record, place)
        paths = (*place.paths, *place.beside)
        return tuple(self._set.get(path, value) for path, value in zip(paths, held, strict=True))


def _in_order(changes: Iterable[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: _ORDER[change.key])


def _step(target: System, row: FieldMapping) -> Step:
    return Step.CREW if target is System.SMARTHR else row.step


def _encoded(row: FieldMapping, change: Change, current: Raw, *, target: System, options: MappingOptions) -> Raw:
    place = row.place(target)
    after = change.after
    try:
        if change.exact is not None:
            return exact.to_write(target, row, change.exact, current)
        if after is BLANK:
            return place.erase(current)
        if isinstance(after, (Missing, Unconvertible)):
            raise CannotEncode("not_a_value")
        return place.codec.encode(after, current, options)
    except CannotEncode as error:
        raise CannotEncode(error.reason, key=row.key) from error


def _prefectures_alone(changes: Sequence[Change]) -> list[str]:
    """Prefectures that change without the address text beside them."""
    keys = {change.key for change in changes}
    return [key for key, text in _TEXT_OF.items() if key in keys and text not in keys]


def _named_once(place: Place, held: Raw, *, key: str) -> dict[str, Any]:
    """The address text without the name of the prefecture that is now beside it; {} when it does not name it.

    Raises CannotEncode when it names another one: one of the two is wrong, and only a person knows which.
    """
    try:
        alone = text_beside(held[0], held[len(place.paths)])
    except CannotEncode as error:
        raise CannotEncode(error.reason, key=key) from error
    return {} if alone == held[0] else {place.paths[0]: alone}


def _belongs(key: str, refused: str | None) -> bool:
    return key == refused or (refused is not None and _thing(key) is not None and _thing(key) == _thing(refused))


def _thing(key: str) -> str | None:
    """The address or the bank account a row is a part of; None for a row that stands alone."""
    name = BY_KEY[key].smarthr.paths[0].partition(".")[0]
    return name if name in (*_ADDRESSES, _BANK_ACCOUNT) else None


# ── SmartHR's objects ─────────────────────────────────────────────────────────────────────────────────────────────


def _crew(
    paths: Mapping[str, Any], changes: Sequence[Change], current: Record | None, options: MappingOptions
) -> dict[str, Any]:
    """Dotted paths folded into whole objects, and 在籍状況."""
    record = current or {}
    restored = {change.key: change.exact for change in changes if change.exact is not None}
    body: dict[str, Any] = {path: value for path, value in paths.items() if "." not in path}
    for name in _ADDRESSES:
        parts = _below(name, paths)
        if parts:
            parts |= _restored_reading(name, record, parts, restored, options)
            parts |= _moved_reading(record.get(name), parts)
            body[name] = _address(name, record.get(name), parts, restored, key=_first_key(name, changes))
    account = _below(_BANK_ACCOUNT, paths)
    if account:
        held, key = record.get("bank_accounts"), _first_key("bank_accounts", changes)
        whole = exact.accounts(restored.get("bank_code", {}), held)
        body["bank_accounts"] = _accounts(held, account, key=key) if whole is None else whole
    if "resigned_on" in restored:
        status = exact.status(restored["resigned_on"], record.get("emp_status"))
    else:
        status = _emp_status(paths, current, options)
    return {**body, "emp_status": status} if status else body


def _below(name: str, paths: Mapping[str, Any]) -> dict[str, Any]:
    return {path.partition(".")[2]: value for path, value in paths.items() if path.startswith(f"{name}.")}


def _first_key(attribute: str, changes: Sequence[Change]) -> str:
    return next(c.key for c in _in_order(changes) if attribute_of(BY_KEY[c.key].smarthr.paths[0]) == attribute)


_Restored = Mapping[str, exact.Values]
"""Key of FIELDS → what an undo puts back."""


def _address(
    name: str, held: object, parts: Mapping[str, Any], restored: _Restored, *, key: str
) -> dict[str, Any] | None:
    """The whole address: the one SmartHR holds with the new parts put over it, without parts that are blank and stay
    so. None: there was no address before, and an undo takes the one away that a run has written."""
    present = held if isinstance(held, Mapping) else {"country_number": NEW_ADDRESS_COUNTRY}
    whole = {part: parts.get(part, present.get(part)) for part in _ADDRESS_PARTS}
    if exact.emptied_object(name, list(restored.values()), whole):
        return None
    if not isinstance(whole["city"], str) or not whole["city"].strip():
        raise CannotEncode("address_without_city", key=key)
    return {
        part: value
        for part, value in whole.items()
        if value or present.get(part) or (part in parts and value != present.get(part))
    }


def _restored_reading(
    name: str, record: Record, parts: Mapping[str, Any], restored: _Restored, options: MappingOptions
) -> dict[str, Any]:
    """The reading as it was before a run moved it under another 都道府県, unless it reads otherwise now."""
    path, key = f"{name}.literal_yomi", _READINGS[name]
    values = restored.get(key.replace("_address_kana", "_prefecture"), {})
    if path not in values or "literal_yomi" in parts:
        return {}
    place = BY_KEY[key].smarthr
    now = raw_values(System.SMARTHR, record, place)
    before = (values[path], values.get(f"{name}.pref"), *now[2:])
    is_same = place.codec.decode(now, options) == place.codec.decode(before, options)
    return {"literal_yomi": values[path]} if is_same else {}


def _moved_reading(held: object, parts: Mapping[str, Any]) -> dict[str, Any]:
    """The kana reading under a new 都道府県; {} when the changes bring a reading themselves or there is none.

    SmartHR's reading starts with that of the 都道府県 before. Comparing leaves it out, so no change would move it.
    """
    present = held if isinstance(held, Mapping) else {}
    reading = present.get("literal_yomi")
    if "pref" not in parts or "literal_yomi" in parts or not isinstance(reading, str):
        return {}
    moved = moved_reading(reading, before=present.get("pref"), after=parts["pref"])
    return {} if moved == reading else {"literal_yomi": moved}


def _accounts(held: object, changed: Mapping[str, Any], *, key: str) -> list[dict[str, Any]]:
    try:
        return accounts_to_write(held if isinstance(held, list) else (), changed)
    except CannotEncode as error:
        raise CannotEncode(error.reason, key=key) from error


def _emp_status(paths: Mapping[str, Any], current: Record | None, options: MappingOptions) -> str | None:
    """在籍状況 that goes with the new 退職年月日, None when it stays.

    SmartHR turns 在籍状況 by itself only after a date that was in the future when it was written; a past date needs
    `retired` with it. A cleared or future date brings a retired person back; 休職中 is left as it is.
    """
    held = (current or {}).get("emp_status")
    if current is not None and "resigned_at" not in paths:
        return None
    resigned_on = _as_date(paths.get("resigned_at"))
    if resigned_on and options.as_of_date is None and current is not None:
        return None
    is_past = resigned_on is not None and options.as_of_date is not None and resigned_on < options.as_of_date
    wanted = "retired" if is_past else "employed" if held in (None, "retired") else held
    return wanted if wanted != held else None


def _as_date(value: object) -> date | None:
    return parsed_date(value) if isinstance(value, str) else None
