"""What QuickSchema reads, and what it refuses, is what the schema itself would have read and refused."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields

from app.adapters.freee import schemas as freee
from app.adapters.quick_schema import QuickSchema
from app.adapters.records import RecordField, Records
from app.adapters.smarthr import schemas as smarthr

SCHEMAS = {
    "crew": smarthr.WRITTEN_CREW.schema,
    "job title": smarthr.JOB_TITLES.schema,
    "employee": freee.WRITTEN_EMPLOYEE.schema,
    "shown employee": freee.SHOWN_EMPLOYEE.schema,
    "page": freee.EMPLOYEE_PAGE.schema,
    "row of everybody": freee.EVERYBODY.schema,
    "profile": freee.PROFILE_RULE.schema,
    "health insurance": freee.HEALTH_INSURANCE_RULE.schema,
    "pension insurance": freee.PENSION_INSURANCE_RULE.schema,
    "bank account": freee.BANK_ACCOUNT_RULE.schema,
    "webhook": smarthr.WEBHOOKS.schema,
}
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 31, 32, 10**30, 1.0, float("nan"), b"text"),
    *("", "あ", "x\0", "\ud800", "2026-11-30", "2026-02-30", "2026-1-1", "full_timer", "a/b", "null"),
    *([], {}, [None], [{}], [[]], {"": 1}, {"name": None}, {"マイナンバー": "1"}, {"x": [float("nan")]}),
)
Path = tuple[str | int, ...]


def valid(field: fields.Field[Any]) -> Any:
    if isinstance(field, RecordField):
        whole = sample(field._reader.schema)
        return [whole, whole] if isinstance(field._reader, Records) else whole
    if isinstance(field, fields.Nested):
        return sample(field.schema)
    if isinstance(field, fields.List):
        return [valid(field.inner)]
    tried = (1, "0a1b2c3d-0000-4000-8000-000000000001", "2026-11-30", True, "https://example.com/x")
    return next(each for each in tried if takes(field, each))


def takes(field: fields.Field[Any], value: Any) -> bool:
    try:
        return type(field.deserialize(value)) is type(value)
    except ValidationError:
        return False


def sample(schema: Schema) -> dict[str, Any]:
    return {name: valid(field) for name, field in schema.load_fields.items() if type(field).__name__ != "_Moment"}


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from paths(each, (*at, name))


def changed(whole: Any, at: Path, value: Any, *, gone: bool) -> Any:
    if not at:
        return value
    whole = copy.deepcopy(whole)
    node = whole
    for name in at[:-1]:
        node = node[name]
    if gone:
        del node[at[-1]]
    else:
        node[at[-1]] = value
    return whole


def result(load: Any, raw: Any) -> str:
    try:
        read = load(raw)
    except ValidationError as error:
        return f"refused {error.messages} {error.valid_data}"
    return f"read {sorted(map(str, read.items()))}"


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_valid_is_read_alike(name: str) -> None:
    schema = SCHEMAS[name]
    whole = {**sample(schema), "new": {"name": [1, None]}}
    assert result(QuickSchema(schema).load, whole) == result(schema.load, whole)
    assert result(schema.load, whole).startswith("read")


@pytest.mark.parametrize("name", SCHEMAS)
@given(data=st.data())
def test_what_is_odd_in_one_place_is_read_or_refused_alike(name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    whole = {**sample(schema), "new": 1}
    raw = whole
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.sampled_from(list(paths(raw))))
        raw = changed(raw, at, data.draw(st.sampled_from(ODD)), gone=data.draw(st.booleans()))
    assert result(QuickSchema(schema).load, raw) == result(schema.load, raw)


def test_what_is_valid_needs_no_second_reading() -> None:
    """Else nothing would be quicker."""
    for name, schema in SCHEMAS.items():
        assert name == "webhook" or QuickSchema(schema)._read is not None
