"""No repr shows a personal value or a secret: every dataclass is filled with canaries, and only what is named here as
harmless may show. A new field has to be hidden (`repr=False`) or named."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

import pytest

import app.domain
import app.storage
import app.use_cases.shared.views
from app.domain import errors
from app.domain.vendors.tokens import FreeeTokens

CANARY = "カナリア"

HARMLESS = {
    # names, ids and numbers that logs may carry (docs/architecture.md#personal-data)
    "id", "public_id", "run_id", "item_id", "source_id", "target_id", "person_id", "smarthr_id", "freee_id",
    "message_id", "ticked", "process",
    "employee_number", "number", "connection", "prefix", "lease_by", "started_by", "approved_by", "by", "retried_run",
    # words, codes and keys of our own
    "key", "code", "error_code", "severity", "kind", "queue", "state", "step", "label", "message", "remedy", "scopes",
    "role", "reason", "warning", "cause", "mail_state", "error_message", "approved_digest", "baseline", "request_hash",
    "sent", "named", "keys", "notes", "counts", "vendor_calls", "items", "queues", "connections", "steps", "scope",
    "patterns", "who",
    "function", "args", "attempt", "closing_month", "pay_month", "next_cursor", "idempotency_key", "connection_key",
    # webhooks: the vendor's word for an event, keyed digests, ids
    "event", "events", "run", "dedup", "digest", "people", "missed", "schedule", "vendor_id", "delivery_id", "url",
    # a company and its settings
    "name", "smarthr_subdomain", "freee_external_cid", "freee_company_name", "company", "company_name", "redirect_uri",
    # who did what ("user:3", a verb of ours), why a run waits (codes and numbers)
    "actor", "action", "locale", "alarms", "effects", "undone_run", "first_by", "two_persons_off_by",
    "unit", "removed", "stopped", "held_run", "waived_by", "item_keys", "mended",
    "run_url", "working_hours_system_name", "pay_schedule_name", "excluded", "readable_attributes",
    "missing_attributes", "employment_types", "known_positions",
    "blank_policies", "pay_schedules", "employees", "export_settings", "run_error", "calls",
}  # fmt: skip
"""Fields of the classes below that may show their text."""

OF_THE_CODE = {"FieldMapping", "Place", "Choice", "Entry"}
"""Rows of tables in the code itself: nothing of anybody's in them."""


def modules() -> Iterable[types.ModuleType]:
    yield app.use_cases.shared.views
    for found in pkgutil.walk_packages(app.storage.__path__, "app.storage."):
        if found.name.endswith(".rows"):
            yield importlib.import_module(found.name)
    for found in pkgutil.walk_packages(app.domain.__path__, "app.domain."):
        yield importlib.import_module(found.name)


def records() -> dict[str, type[Any]]:
    """Every dataclass of ours that holds values of a run, a person or a company."""
    found: dict[str, type[Any]] = {}
    for module in modules():
        for name, value in vars(module).items():
            own = isinstance(value, type) and value.__module__ == module.__name__
            if own and dataclasses.is_dataclass(value) and not name.startswith("_") and name not in OF_THE_CODE:
                found[f"{module.__name__}.{name}"] = value
    return found


def filled(hint: Any, mark: str, depth: int = 0) -> Any:
    """A value of that type with the canary wherever text fits."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is str or isinstance(hint, typing.TypeVar):
        return mark
    if origin in (types.UnionType, typing.Union):
        texts = [option for option in arguments if option is str]
        return filled((texts or [option for option in arguments if option is not type(None)])[0], mark, depth)
    if origin in (tuple, list, set, frozenset) or (origin and issubclass(origin, (Sequence, AbstractSet))):
        inner = filled(arguments[0], mark, depth + 1) if arguments else mark
        kind = origin if origin in (list, set, frozenset) else tuple
        return kind([inner])
    if origin is dict or (origin and issubclass(origin, Mapping)):
        return {"key": filled(arguments[1], mark, depth + 1)}
    if isinstance(hint, type):
        return _instance(hint, mark, depth)
    return None


def _instance(hint: type[Any], mark: str, depth: int) -> Any:
    if dataclasses.is_dataclass(hint):
        return make(hint, CANARY, depth + 1)
    if issubclass(hint, Enum):
        return next(iter(hint))
    simple = {bool: True, int: 7, float: 7.5, date: date(2026, 11, 22), datetime: datetime(2026, 11, 22, tzinfo=UTC)}
    return simple.get(hint, mark if hint in (list, dict, tuple, object) else None)


def make(kind: type[Any], mark: str, depth: int = 0) -> Any:
    """An instance, built without its constructor's checks."""
    hints = typing.get_type_hints(kind)
    made = object.__new__(kind)
    for field in dataclasses.fields(kind):
        value = None if depth > 3 else filled(hints[field.name], f"{mark}{field.name};", depth)
        object.__setattr__(made, field.name, value)
    return made


RECORDS = records()


def test_the_walk_finds_the_records() -> None:
    names = {name.rpartition(".")[2] for name in RECORDS}
    assert len(RECORDS) > 45
    assert {
        "ItemRow",
        "MailRow",
        "KeyRow",
        "UserRow",
        "InvitationRow",
        "AuditRow",
        "ConsentRow",
        "ChangeView",
        "Connection",
        "Change",
    } <= names
    assert {"FreeeTokens", "Mail", "RunSummary", "EmployeeRecord", "Person", "SurveyPage"} <= names


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_only_harmless_fields_show(name: str) -> None:
    made = make(RECORDS[name], CANARY)
    shown = {part.split(";", 1)[0] for part in repr(made).split(CANARY)[1:]}
    assert shown <= HARMLESS, f"{name} shows {sorted(shown - HARMLESS)}"


def test_the_canaries_are_where_they_should_be() -> None:
    """The walk would prove nothing if the values were not inside."""
    tokens = make(FreeeTokens, CANARY)
    assert tokens.access_token == f"{CANARY}access_token;"
    mail = make(RECORDS["app.domain.ports.Mail"], CANARY)
    assert mail.to == (f"{CANARY}to;",)
    connection = make(RECORDS["app.domain.settings.connection_settings.Connection"], CANARY)
    assert connection.mail_to == (f"{CANARY}mail_to;",)
    assert CANARY in repr(connection)


@pytest.mark.parametrize("kind", [errors.TemporaryError, errors.ItemError, errors.RunError])
def test_an_error_shows_its_code_and_the_kind_of_fault(kind: type[errors.AwaseError]) -> None:
    assert "E17" in repr(kind("E17", "kind of fault"))


def test_a_birthday_does_not_show() -> None:
    """Dates carry no canary: most of them are times of our own. The one that is personal is looked at by itself."""
    shown = [name for name, kind in RECORDS.items() if "birth_date=" in repr(make(kind, CANARY))]
    assert shown == []
