"""A record that cannot be read, in words for people: which of its fields are odd, by the items' names. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from app.domain.employee import EmployeeRecord
from app.domain.enums import System
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.planning.plan import Note, Severity

UNREADABLE_RECORD = "unreadable_record"
LIST_INCOMPLETE = "list_incomplete"
_IN = {System.SMARTHR: "unreadable_in_smarthr", System.FREEE: "unreadable_in_freee"}
_OF_NOTE = {code: system for system, code in _IN.items()}
_WHOLE = {"": "従業員情報の全体", "id": "ID"}


def unreadable_notes(record: EmployeeRecord) -> tuple[Note, ...]:
    """A note for each item that stands in a field which cannot be read; where no item does, for the vendor's field."""
    if record.unreadable is None:
        return ()
    system = record.person.system
    names = [name for path in record.unreadable.fields for name in _items_at(system, path) or [_WHOLE.get(path, path)]]
    return tuple(Note(_IN[system], Severity.REVIEW, name) for name in dict.fromkeys(names))


def fields_of(notes: Iterable[Mapping[str, Any]]) -> tuple[tuple[System, str], ...]:
    """(system, item or field) that could not be read, by the notes of a record."""
    return tuple((_OF_NOTE[note["code"]], note["key"]) for note in notes if note["code"] in _OF_NOTE and note["key"])


def said(message: str, code: str, notes: Iterable[Mapping[str, Any]]) -> str:
    """What happened; of a record that cannot be read with the names of the fields, in Japanese. `message`: the
    catalogue's sentence for the code."""
    names: dict[System, list[str]] = defaultdict(list)
    for note in notes:
        if note["code"] in _OF_NOTE and note["key"]:
            row = BY_KEY.get(note["key"])
            names[_OF_NOTE[note["code"]]].append(row.label if row else note["key"])
    if code != UNREADABLE_RECORD or not names:
        return message
    listed = "、".join(f"{system.label}の{'・'.join(each)}" for system, each in names.items())
    return f"{message}（{listed}）"


def _items_at(system: System, path: str) -> list[str]:
    """Keys of the items that stand at this path, below it, or in the object around it."""
    path = path.replace("bank_accounts", "bank_account") if system is System.SMARTHR else path
    exact = [row.key for row in FIELDS if path in row.place(system).paths]
    if exact or not path:
        return exact
    around = [
        row.key
        for row in FIELDS
        if any(each.startswith(f"{path}.") or path.startswith(f"{each}.") for each in row.place(system).paths)
    ]
    return around or [row.key for row in FIELDS if path in row.place(system).beside]
