"""Records of an answer, each read by itself: one that cannot be read names its odd fields, and stops none of
the others.

Such a record is kept as what may be known of it (who it is) together with the paths of its odd fields under
`UNREADABLE`; no value of an odd field is kept. Only an answer that is no list of records, or no record at all, is an
error of the whole reading.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from marshmallow import Schema, ValidationError, fields

from app.adapters.quick_schema import QuickSchema
from app.domain.employee import Unreadable

UNREADABLE = "unreadable"
"""The name under which a record holds the paths of its fields that cannot be read. The schemas of the records leave out
names that they do not know, so no vendor can send it."""
MOST_PATHS = 20
_LONGEST_PATH = 100
_FEWEST_KNOWN = 3
"""An object without id that has fewer of a record's fields is no record: another program has answered."""
_WHOLE = "_schema"  # marshmallow's name for a fault of the object itself

Kept = Callable[[Mapping[str, Any]], dict[str, Any]]
"""The valid fields of an unreadable record → those that tell who it is."""


@dataclass(frozen=True)
class OneRecord:
    """Reads an answer that is one record."""

    schema: Schema
    kept: Kept

    @cached_property
    def _quick(self) -> QuickSchema:
        return QuickSchema(self.schema)

    def load(self, raw: Any) -> dict[str, Any]:
        """Raises ValidationError for anything but a record."""
        if not isinstance(raw, Mapping):
            raise ValidationError({_WHOLE: ["not an object"]})
        if "id" not in raw and len(raw.keys() & self.schema.fields.keys()) < _FEWEST_KNOWN:
            raise ValidationError({_WHOLE: ["not a record"]})
        return self.one(raw)

    def one(self, raw: Any) -> dict[str, Any]:
        try:
            record: dict[str, Any] = self._quick.load(raw)
        except ValidationError as error:
            valid = error.valid_data if isinstance(error.valid_data, Mapping) else {}
            return {**self.kept(valid), UNREADABLE: field_paths(error)}
        return record


@dataclass(frozen=True)
class Records(OneRecord):
    """Reads an answer that is a list of records."""

    def load(self, raw: Any) -> Any:
        """Raises ValidationError for anything but a list of records: one element may be none, not all of them."""
        if not isinstance(raw, list) or (raw and not any(isinstance(each, Mapping) for each in raw)):
            raise ValidationError({_WHOLE: ["not a list of records"]})
        return [self.one(each) for each in raw]


class RecordField(fields.Field[dict[str, Any]]):
    """A record within an answer."""

    def __init__(self, reader: OneRecord, **options: Any) -> None:
        super().__init__(**options)
        self._reader = reader
        self.quick = reader.load

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return self._reader.load(value)


def kept_fields(*names: str, inside: Mapping[str, Iterable[str]] | None = None) -> Kept:
    """Keeps these fields of an unreadable record, and of the objects `inside` it these."""

    def kept(valid: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: valid[name] for name in names if name in valid}
        for name, inner_names in (inside or {}).items():
            inner = valid.get(name)
            if isinstance(inner, Mapping):
                found[name] = {each: inner[each] for each in inner_names if each in inner}
        return found

    return kept


def unreadable_of(record: Mapping[str, Any]) -> Unreadable | None:
    """What of this record could not be read; None when all of it could."""
    paths = record.get(UNREADABLE)
    return None if paths is None else Unreadable(tuple(paths), without_paths(record))


def without_paths(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != UNREADABLE}


def as_asked(record: Mapping[str, Any], person_id: str | int) -> dict[str, Any]:
    """The record of a person who was asked for by id. One that shows another id is not theirs."""
    if record.get("id") == person_id:
        return dict(record)
    return {"id": person_id, UNREADABLE: sorted({"id", *record.get(UNREADABLE, ())})}


def readable(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows without those that cannot be read."""
    return [dict(row) for row in rows if UNREADABLE not in row]


def field_paths(error: ValidationError) -> list[str]:
    """The paths of the fields that an error names, "" for the whole object: never a value."""
    return sorted(_paths(error.messages_dict))[:MOST_PATHS]


def _paths(messages: Mapping[Any, Any], prefix: str = "") -> set[str]:
    """`{3: {"address": {"city": […]}}}` → {"address.city"}: positions in lists are left out."""
    found = set()
    for name, inner in messages.items():
        path = prefix if isinstance(name, int) or name == _WHOLE else f"{prefix}.{name}".lstrip(".")
        found |= _paths(inner, path) if isinstance(inner, Mapping) else {path[:_LONGEST_PATH]}
    return found


# ── values that no honest answer has ──────────────────────────────────────────────────────────────────────────────


def check_text(text: str) -> None:
    """Raises ValidationError for text that neither the database nor a later answer can hold: half of a surrogate pair,
    or the sign that ends a text."""
    if "\0" in text or not (text.isascii() or _encodable(text)):
        raise ValidationError("not a text")


def is_plain(value: Any) -> bool:
    """Whether a value of a field that Awase does not know can be kept and sent back as it is."""
    if value is None or isinstance(value, (bool, int)):
        return True
    if isinstance(value, str):
        return "\0" not in value and "\\u0000" not in value and _encodable(value)
    try:
        return "\\u0000" not in json.dumps(value, allow_nan=False) and _encodable(json.dumps(value, ensure_ascii=False))
    except (ValueError, TypeError, RecursionError):
        return False


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
