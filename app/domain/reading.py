"""A vendor's record → Snapshot: every row of FIELDS as absent, blank, a plain value or not convertible. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final

from app.domain.codecs.bank import salary_account
from app.domain.codecs.base import UNKNOWN_VALUE, Raw
from app.domain.employee import EmployeeRecord, Person, Record
from app.domain.enums import Step, System
from app.domain.mapping import FIELDS, KEPT, FieldMapping, Place
from app.domain.settings.connection_settings import MappingOptions
from app.domain.settings.readability import DIRECTORY_ATTRIBUTES, Listing, witnesses_of
from app.domain.snapshot import ABSENT, BLANK, FieldState, Snapshot

_MISSING: Final = object()  # the key is not there
_MISSHAPEN: Final = object()  # an object was expected on the way and something else found

_PAYROLL_STEPS = frozenset({Step.PROFILE, Step.HEALTH_INSURANCE, Step.PENSION_INSURANCE, Step.BANK_ACCOUNT})
_PAYROLL_KEYS = frozenset({"employment_insurance_number"})  # freee refuses it outside payroll


def take_snapshot(record: EmployeeRecord, options: MappingOptions) -> Snapshot:
    """The person's items as this system shows them.

    ABSENT are: everything when there is no record; excluded keys; keys the answer lacks; in freee what 給与計算対象外
    hides; a null of an attribute that the token is not known to read (`options.readable_attributes`,
    `options.readable_in_freee`).
    """
    if record.record is None:
        return Snapshot({})
    system = record.person.system
    shows = _shown_by_smarthr if system is System.SMARTHR else _shown_by_freee
    values = {}
    for reader, state in zip(_readers(system), _states(record, options.include_building), strict=True):
        if state is ABSENT or reader.row.key in options.excluded:
            continue
        if state is not BLANK or shows(reader, record.record, options):
            values[reader.row.key] = state
    return Snapshot(values)


def name_of(record: EmployeeRecord) -> str:
    """姓 名 as this system writes them, "" where it shows none."""
    return " ".join(filter(None, name_parts(record)))


def name_parts(record: EmployeeRecord) -> tuple[str, str]:
    """姓 and 名, each "" where the system shows none."""
    shown = record.unreadable.legible if record.unreadable else record.record
    if shown is None:
        return "", ""
    view, options = _view(record.person.system, shown), MappingOptions()
    states = (_state(each, record.person, shown, view, options) for each in _name_readers(record.person.system))
    last, first = (state if isinstance(state, str) else "" for state in states)
    return last, first


def readable_attributes(records: Iterable[Record]) -> frozenset[str]:
    """SmartHR's top-level names that show a value for at least one person: the token can read these.

    An empty list is no evidence: it may be what a hidden list looks like.
    """
    return frozenset(name for record in records for name, value in record.items() if not _may_be_hidden(value))


def attribute_in(system: System, row: FieldMapping) -> str:
    """The name under which a system shows or hides an item: SmartHR's top-level name, freee's first path."""
    path = row.place(system).paths[0]
    return attribute_of(path) if system is System.SMARTHR else path


@cache
def attributes_of(system: System) -> frozenset[str]:
    return frozenset(attribute_in(system, row) for row in FIELDS)


def items_under(system: System, names: Collection[str]) -> tuple[str, ...]:
    """Keys of the items that stand under these attributes."""
    return tuple(row.key for row in FIELDS if attribute_in(system, row) in names)


def shown_attributes(person: EmployeeRecord) -> frozenset[str]:
    """The attributes that this person shows a value of, and which the token can read therefore."""
    system, record = person.person.system, person.record
    if record is None:
        return _in_the_directory(person)
    if system is System.SMARTHR:
        return frozenset(name for name in attributes_of(system) if not _may_be_hidden(record.get(name)))
    return frozenset(reader.attribute for reader in _readers(system) if not _is_null(reader, record))


def listing_of(people: Iterable[EmployeeRecord], *, complete: bool = True) -> Listing:
    """What the listing of one system says about its attributes. Each person is looked at once."""
    named: frozenset[str] = frozenset()
    there: set[str] = set()
    with_record: set[str] = set()
    readable: set[str] = set()

    def shown() -> Iterator[tuple[str, frozenset[str]]]:
        nonlocal named
        for each in people:
            if each.record is not None:
                named = named or attributes_of(each.person.system)
                if not there >= named:  # after the first few people nothing is missing any more
                    there.update(_named(each.person.system, each.record))
                with_record.add(each.person.id)
            if not each.unreadable:
                readable.add(each.person.id)
            yield each.person.id, shown_attributes(each)

    witnesses, counts = witnesses_of(shown())
    return Listing(
        witnesses=witnesses,
        counts=counts,
        missing=named - there,
        people=frozenset(with_record),
        listed=frozenset(readable),
        complete=complete,
    )


def resting_on_null(person: EmployeeRecord, keys: Iterable[str]) -> frozenset[str]:
    """The attributes of these items that are null at this person: only other people can prove that they are blank."""
    system, record = person.person.system, person.record
    if record is None:
        return frozenset()
    readers = [_readers_by_key(system)[key] for key in keys]
    if system is System.FREEE:
        return frozenset(reader.attribute for reader in readers if _is_null(reader, record))
    return frozenset(reader.attribute for reader in readers if _may_be_hidden(record.get(reader.attribute)))


def unreadable_items(person: EmployeeRecord, options: MappingOptions) -> frozenset[str]:
    """Keys of items that this person may well have, but that the token cannot read: their name is missing, or the
    attribute had values and is shown for nobody now. And the 退職年月日 that somebody who is 退職済 must have."""
    system, record = person.person.system, person.record
    if record is None:
        return frozenset()
    there = _named(system, record)
    gone = {name for where, name in options.gone if where is system} | (attributes_of(system) - there)
    hidden = {row.key for row in FIELDS if attribute_in(system, row) in gone}
    snapshot = take_snapshot(person, options)
    if system is System.SMARTHR and record.get("emp_status") == "retired":
        hidden.add("resigned_on")
    return frozenset(key for key in hidden if snapshot[key] is ABSENT and key not in options.excluded)


def raw_values(system: System, record: Record | None, place: Place) -> Raw:
    """What the system holds at the place's paths, then beside them; None for each missing or misshapen value."""
    found = _found(system, record or {}, (*place.paths, *place.beside))
    return tuple(None if value is _MISSING or value is _MISSHAPEN else value for value in found)


def held_values(system: System, record: Record | None, paths: Iterable[str]) -> dict[str, Any]:
    """Path → what the system holds there; a path that is not there is left out."""
    paths = tuple(paths)
    found = zip(paths, _found(system, record or {}, paths), strict=True)
    return {path: value for path, value in found if value is not _MISSING and value is not _MISSHAPEN}


class _Reader:
    """Reads one item of one system. Made once for all people, because a survey reads every item of everybody."""

    def __init__(self, row: FieldMapping, system: System) -> None:
        place = row.place(system)
        self.row, self.attribute = row, attribute_in(system, row)
        self.places = tuple(_names(path) for path in (*place.paths, *place.beside))
        self.paths = len(place.paths)
        self._codec = place.codec
        self._decoded_texts = lru_cache(maxsize=KEPT // 32)(self._decode_texts)

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        for value in raw:
            if value is not None and type(value) is not str:  # 1, 1.0 and True are equal, and not the same
                return self._codec.decode(raw, options)
        return self._decoded_texts(raw, options.include_building)

    def _decode_texts(self, raw: Raw, include_building: bool) -> FieldState:
        """Of all options, reading asks for no other than this one."""
        return self._codec.decode(raw, MappingOptions(include_building=include_building))


@cache
def _readers(system: System) -> tuple[_Reader, ...]:
    return tuple(_Reader(row, system) for row in FIELDS)


@cache
def _name_readers(system: System) -> tuple[_Reader, ...]:
    by_key = {each.row.key: each for each in _readers(system)}
    return by_key["last_name"], by_key["first_name"]


def _state(reader: _Reader, person: Person, record: Record, view: Record, options: MappingOptions) -> FieldState:
    row = reader.row
    if person.system is System.FREEE and _hidden_in_freee(row, record, in_payroll=person.in_payroll):
        return ABSENT
    found = [_value_at(view, names) for names in reader.places]
    if _MISSHAPEN in found:
        return UNKNOWN_VALUE
    state = reader.decode(tuple([None if value is _MISSING else value for value in found]), options)
    if state is BLANK and all(value is _MISSING for value in found[: reader.paths]):
        return ABSENT
    return state


def _states(record: EmployeeRecord, include_building: bool) -> tuple[FieldState, ...]:
    """The state of every item in the order of FIELDS, made once of each reading. BLANK also where the system may only
    hide a value: that depends on what the token is known to read."""
    states: tuple[FieldState, ...] | None = record.read.get(include_building)
    if states is None:
        assert record.record is not None
        person, raw, options = record.person, record.record, MappingOptions(include_building=include_building)
        view = _view(person.system, raw)
        states = tuple([_state(reader, person, raw, view, options) for reader in _readers(person.system)])
        record.read[include_building] = states
    return states


@cache
def _readers_by_key(system: System) -> dict[str, _Reader]:
    return {reader.row.key: reader for reader in _readers(system)}


def _hidden_in_freee(row: FieldMapping, record: Record, *, in_payroll: bool) -> bool:
    if row.step is Step.PROFILE and record.get("profile_rule") is None:
        return True
    return not in_payroll and (row.step in _PAYROLL_STEPS or row.key in _PAYROLL_KEYS)


def _shown_by_smarthr(reader: _Reader, record: Record, options: MappingOptions) -> bool:
    """Whether a blank is really a blank, and not an attribute hidden from the token."""
    name = reader.attribute
    return name in (options.readable_attributes or ()) or not _may_be_hidden(record.get(name))


def _shown_by_freee(reader: _Reader, record: Record, options: MappingOptions) -> bool:
    """The same for freee, which writes most blanks as "" or as a word of its own: those are no nulls."""
    if options.readable_in_freee is None or reader.attribute in options.readable_in_freee:
        return True
    return not _is_null(reader, record)


def _is_null(reader: _Reader, record: Record) -> bool:
    """Whether freee shows nothing but nulls of an item."""
    for names in reader.places[: reader.paths]:
        value = _value_at(record, names)
        if value is not None and value is not _MISSING:
            return False
    return True


def _in_the_directory(person: EmployeeRecord) -> frozenset[str]:
    """What freee's list of all employees shows of somebody whose record the month hides."""
    if person.unreadable:
        return frozenset()
    left = person.person.system is System.FREEE and person.person.resigned_on is not None
    return DIRECTORY_ATTRIBUTES if left else frozenset()


def _named(system: System, record: Record) -> frozenset[str]:
    """The attributes whose name is in the record, whatever stands there."""
    if system is System.SMARTHR:
        return frozenset(record)
    readers = _readers(system)
    return frozenset(each.attribute for each in readers if _value_at(record, each.places[0]) is not _MISSING)


def attribute_of(path: str) -> str:
    """SmartHR's top-level name for a dotted path."""
    name = path.partition(".")[0]
    return "bank_accounts" if name == "bank_account" else name


def _may_be_hidden(value: object) -> bool:
    """Null, or a list or an object that holds nothing but nulls."""
    if value is None or type(value) is str:  # nearly all are one of the two
        return value is None
    if isinstance(value, Mapping):
        return all(each is None for each in value.values())
    if isinstance(value, list):
        return all(each is None for each in value)
    return False


def _found(system: System, record: Record, paths: Sequence[str]) -> tuple[Any, ...]:
    view = _view(system, record) if any(path.startswith("bank_account.") for path in paths) else record
    return tuple([_value_at(view, _names(path)) for path in paths])


def _view(system: System, record: Record) -> Record:
    """The record as the paths of FIELDS name it."""
    return _with_salary_account(record) if system is System.SMARTHR else record


def _with_salary_account(record: Record) -> Record:
    """The record with `bank_account`: the one of `bank_accounts` that counts, None when there is none."""
    accounts = record.get("bank_accounts", _MISSING)
    if accounts is _MISSING:
        return record
    if accounts is not None and not isinstance(accounts, list):
        return {**record, "bank_account": _MISSHAPEN}
    index = salary_account(accounts or ())
    return {**record, "bank_account": accounts[index] if accounts and index is not None else None}


def _value_at(record: Record, names: Sequence[str]) -> object:
    """The value below these names; below a null everything is null."""
    node: object = record
    for name in names:
        if node is None:
            return None
        if type(node) is not dict and not isinstance(node, Mapping):  # asking for the type is much quicker
            return _MISSHAPEN
        node = node.get(name, _MISSING)
        if node is _MISSING or node is _MISSHAPEN:
            return node
    return node


@cache
def _names(path: str) -> tuple[str, ...]:
    """The parts of a dotted path. There are as many paths as the mapping names, and each is asked of every person."""
    return tuple(path.split("."))
