"""A vendor's record → Snapshot: every row of FIELDS as absent, blank, a plain value or not convertible. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from app.domain.codecs.bank import salary_account
from app.domain.codecs.base import UNKNOWN_VALUE, Raw, rules_used
from app.domain.employee import EmployeeRecord, Record
from app.domain.enums import Step, System
from app.domain.mapping import BY_KEY, FIELDS, FieldMapping, Place
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import ABSENT, BLANK, FieldState, Snapshot

_MISSING: Final = object()  # the key is not there
_MISSHAPEN: Final = object()  # an object was expected on the way and something else found

_PAYROLL_STEPS = frozenset({Step.PROFILE, Step.HEALTH_INSURANCE, Step.PENSION_INSURANCE, Step.BANK_ACCOUNT})
_PAYROLL_KEYS = frozenset({"employment_insurance_number"})  # refused outside payroll (freee-hr-api 8.1)


def take_snapshot(record: EmployeeRecord, options: MappingOptions) -> Snapshot:
    """The person's items as this system shows them.

    ABSENT are: everything when there is no record; excluded keys; keys the answer lacks; in freee what 給与計算対象外
    hides; in SmartHR a null of an attribute the token has never shown a value for (`options.readable_attributes`).
    """
    if record.record is None:
        return Snapshot({})
    states = {row.key: _state(row, record, record.record, options) for row in FIELDS if row.key not in options.excluded}
    values = {key: state for key, state in states.items() if state is not ABSENT}
    return Snapshot(values, rules=partial(_rules_used, record.person.system, record.record))


def name_of(record: EmployeeRecord) -> str:
    """姓 名 as this system writes them, "" where it shows none."""
    if record.record is None:
        return ""
    options = MappingOptions()
    parts = (_state(BY_KEY[key], record, record.record, options) for key in ("last_name", "first_name"))
    return " ".join(part for part in parts if isinstance(part, str))


def readable_attributes(records: Iterable[Record]) -> frozenset[str]:
    """SmartHR's top-level names that show a value for at least one person: the token can read these.

    An empty list is no evidence: it may be what a hidden list looks like.
    """
    return frozenset(name for record in records for name, value in record.items() if not _may_be_hidden(value))


def raw_values(system: System, record: Record | None, place: Place) -> Raw:
    """What the system holds at the place's paths, then beside them; None for each missing or misshapen value."""
    found = _found(system, record or {}, (*place.paths, *place.beside))
    return tuple(None if value is _MISSING or value is _MISSHAPEN else value for value in found)


def _rules_used(system: System, record: Record, key: str) -> tuple[str, ...]:
    place = BY_KEY[key].place(system)
    return rules_used(place.codec, raw_values(system, record, place), paths=len(place.paths))


def held_values(system: System, record: Record | None, paths: Iterable[str]) -> dict[str, Any]:
    """Path → what the system holds there; a path that is not there is left out."""
    paths = tuple(paths)
    found = zip(paths, _found(system, record or {}, paths), strict=True)
    return {path: value for path, value in found if value is not _MISSING and value is not _MISSHAPEN}


def _state(row: FieldMapping, person_record: EmployeeRecord, record: Record, options: MappingOptions) -> FieldState:
    person = person_record.person
    if person.system is System.FREEE and _hidden_in_freee(row, record, in_payroll=person.in_payroll):
        return ABSENT
    place = row.place(person.system)
    found = _found(person.system, record, (*place.paths, *place.beside))
    if _MISSHAPEN in found:
        return UNKNOWN_VALUE
    state = place.codec.decode(tuple(None if value is _MISSING else value for value in found), options)
    if state is not BLANK:
        return state
    if all(value is _MISSING for value in found[: len(place.paths)]):
        return ABSENT
    if person.system is System.SMARTHR and not _shown_by_smarthr(place.paths[0], record, options):
        return ABSENT
    return BLANK


def _hidden_in_freee(row: FieldMapping, record: Record, *, in_payroll: bool) -> bool:
    if row.step is Step.PROFILE and record.get("profile_rule") is None:
        return True
    return not in_payroll and (row.step in _PAYROLL_STEPS or row.key in _PAYROLL_KEYS)


def _shown_by_smarthr(path: str, record: Record, options: MappingOptions) -> bool:
    """Whether a blank at this path is really a blank, and not an attribute hidden from the token."""
    name = attribute_of(path)
    return not _may_be_hidden(record.get(name)) or name in (options.readable_attributes or ())


def attribute_of(path: str) -> str:
    """SmartHR's top-level name for a dotted path."""
    name = path.partition(".")[0]
    return "bank_accounts" if name == "bank_account" else name


def _may_be_hidden(value: object) -> bool:
    return value is None or value == []


def _found(system: System, record: Record, paths: Iterable[str]) -> tuple[Any, ...]:
    view = _with_salary_account(record) if system is System.SMARTHR else record
    return tuple(_value_at(view, path) for path in paths)


def _with_salary_account(record: Record) -> Record:
    """The record with `bank_account`: the one of `bank_accounts` that counts, None when there is none."""
    accounts = record.get("bank_accounts", _MISSING)
    if accounts is _MISSING:
        return record
    if accounts is not None and not isinstance(accounts, list):
        return {**record, "bank_account": _MISSHAPEN}
    index = salary_account(accounts or ())
    return {**record, "bank_account": accounts[index] if accounts and index is not None else None}


def _value_at(record: Record, path: str) -> object:
    """The value at a dotted path; below a null everything is null."""
    node: object = record
    for name in path.split("."):
        if node is None:
            return None
        if not isinstance(node, Mapping):
            return _MISSHAPEN
        node = node.get(name, _MISSING)
        if node is _MISSING or node is _MISSHAPEN:
            return node
    return node
