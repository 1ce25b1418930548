"""QuickSchema: reads what is plainly valid at once, and leaves everything else to the schema.

Nearly every record of a vendor is exactly as its schema says. marshmallow finds that out with dozens of calls per
value, which was a seventh of a survey. Here each value is only looked at: is it of just this type, and do the field's
own validators take it? If one is not, if a name is missing that has to be there, or a kind of field is unknown here,
the schema itself reads the whole object, with its errors. So nothing is read that the schema would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from marshmallow import EXCLUDE, INCLUDE, Schema, ValidationError, fields, missing
from marshmallow.decorators import POST_LOAD, PRE_LOAD, VALIDATES, VALIDATES_SCHEMA

Read = Callable[[Any], Any]
_PLAIN: dict[type[fields.Field[Any]], type] = {fields.String: str, fields.Integer: int, fields.Boolean: bool}


class QuickSchema:
    """Reads an object as `schema` does."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._read = _object(schema)

    def load(self, raw: Any) -> Any:
        """Raises the schema's ValidationError."""
        if self._read is not None:
            try:
                return self._read(raw)
            except (_NotPlain, ValidationError):
                pass
        return self.schema.load(raw)


class _NotPlain(Exception):
    """The schema has to look itself."""


def _object(schema: Schema) -> Read | None:
    """None: the schema has something that is unknown here."""
    rows = [(name, _field(field), field) for name, field in schema.load_fields.items()]
    hooks = {kind: [getattr(schema, name) for name, *_ in found] for kind, found in schema._hooks.items()}
    unusual = schema.many or schema.partial or schema.unknown not in (EXCLUDE, INCLUDE)
    if unusual or hooks.get(PRE_LOAD) or hooks.get(VALIDATES) or any(read is None for _, read, _ in rows):
        return None
    known = [(name, read, field.required, field.allow_none) for name, read, field in rows if read is not None]
    names = frozenset(schema.load_fields) if schema.unknown == INCLUDE else None
    checks, ends = hooks.get(VALIDATES_SCHEMA, []), hooks.get(POST_LOAD, [])

    def read_object(raw: Any) -> Any:
        if type(raw) is not dict:
            raise _NotPlain
        found = _known_in(raw, known)
        if names is not None:
            found |= {name: value for name, value in raw.items() if name not in names}
        for check in checks:
            check(found, many=False, partial=None, unknown=schema.unknown)
        for end in ends:
            found = end(found, many=False, partial=None, unknown=schema.unknown)
        return found

    return read_object


def _known_in(raw: dict[str, Any], known: Sequence[tuple[str, Read, bool, bool]]) -> dict[str, Any]:
    found = {}
    for name, read, required, allow_none in known:
        value = raw.get(name, missing)
        if value is not missing and value is not None:
            found[name] = read(value)
        elif value is None and allow_none:
            found[name] = None
        elif value is None or required:
            raise _NotPlain
    return found


def _field(field: fields.Field[Any]) -> Read | None:
    usual = field.load_default is missing and field.data_key is None and field.attribute is None
    if not usual or field.pre_load or field.post_load:
        return None
    own = getattr(field, "quick", None)
    if own is not None:
        return _validated(own, field)
    if type(field) is fields.Nested:
        inner = None if field.many or field.unknown else _object(field.schema)
        return None if inner is None else _validated(inner, field)
    if type(field) is fields.List:
        return _list(field)
    return _value(field)


def _value(field: fields.Field[Any]) -> Read | None:
    kind = _PLAIN.get(type(field))
    loose = isinstance(field, fields.Integer) and (not field.strict or field.as_string)
    worded = isinstance(field, fields.Boolean) and (set(field.truthy), set(field.falsy)) != ({True}, {False})
    if kind is None or loose or worded:
        return None

    def read_value(value: Any) -> Any:
        if type(value) is not kind:
            raise _NotPlain
        return value

    return _validated(read_value, field)


def _list(field: fields.List[Any]) -> Read | None:
    read, allow_none = _field(field.inner), field.inner.allow_none
    if read is None:
        return None

    def read_list(raw: Any) -> list[Any]:
        if type(raw) is not list or (not allow_none and None in raw):
            raise _NotPlain
        return [None if each is None else read(each) for each in raw]

    return _validated(read_list, field)


def _validated(read: Read, field: fields.Field[Any]) -> Read:
    validators = tuple(field.validators)
    if not validators:
        return read

    def read_and_validate(raw: Any) -> Any:
        value = read(raw)
        for validator in validators:
            if validator(value) is False:
                raise _NotPlain
        return value

    return read_and_validate
