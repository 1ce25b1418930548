"""Bodies of webhooks: which people an event is about, whatever its form, and nothing else of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.adapters.freee import webhook as freee
from app.adapters.smarthr import webhook as smarthr
from app.adapters.webhook import MOST_PEOPLE, BadBody, ids_of, moment_of, name_of, secret_matches
from app.domain.enums import System
from app.domain.vendors.ids import LONGEST_ID
from tests.web.hooks import CANARIES, FREEE_EVENTS, SMARTHR_EVENTS, freee_body, smarthr_body

AT = datetime(2026, 11, 22, 2, 59, 58, tzinfo=UTC)


def parsed(**body: Any) -> Any:
    return smarthr.parse_event(json.dumps(body).encode())


# ── SmartHR ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("full", [True, False], ids=["full", "ids"])
@pytest.mark.parametrize("event", SMARTHR_EVENTS)
def test_all_events_of_smarthr_in_both_forms(event: str, full: bool) -> None:
    people = ("crew-1", "crew-2", "crew-3") if event.endswith("imported") else ("crew-1",)
    found = smarthr.parse_event(smarthr_body(event, *people, full=full))
    assert (found.system, found.name, found.known) == (System.SMARTHR, event, True)
    assert found.people == people
    assert found.triggered_at == AT
    assert not any(value in repr(found) for value in CANARIES)


def test_the_list_of_events_is_the_vendors() -> None:
    assert set(smarthr.EVENTS) == set(SMARTHR_EVENTS)


def test_somebody_twice_in_an_import_is_one_person() -> None:
    lists = {"created_crews": [{"id": "a"}, {"id": "b"}], "updated_crews": [{"id": "a"}]}
    assert parsed(event="crew_imported", crew_import_result=lists).people == ("a", "b")


def test_family_of_one_person_is_one_person() -> None:
    lists = {"created_dependents": [{"id": "x", "crew_id": "a"}, {"id": "y", "crew_id": "a"}]}
    assert parsed(event="dependent_imported", dependent_import_result=lists).people == ("a",)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"event": "crew_updated"},
        {"event": "crew_updated", "crew": None},
        {"event": "crew_updated", "crew": []},
        {"event": "crew_updated", "crew": {"id": None}},
        {"event": "crew_updated", "crew": {"id": ""}},
        {"event": "crew_updated", "crew": {"id": True}},
        {"event": "crew_updated", "crew": {"id": 1.5}},
        {"event": "crew_updated", "crew": {"id": "佐藤"}},
        {"event": "crew_updated", "crew": {"id": "a\x00b"}},
        {"event": "crew_updated", "crew": {"id": "a" * (LONGEST_ID + 1)}},
        {"event": "dependent_updated", "dependent": {"id": "only-the-family-member"}},
        {"event": "crew_imported", "crew_import_result": {"created_crews": {"id": "a"}, "updated_crews": ["b", None]}},
        {"event": "crew_imported", "crew": {"id": "a"}},
        {"event": "workflow_approved", "workflow": {"id": "w"}, "crew": {"id": "a"}},
        {"event": ["crew_updated"], "crew": {"id": "a"}},
        {"event": "crew_updated\n", "crew": {"id": "a"}},
    ],
)
def test_what_names_nobody_is_an_unknown_event(body: dict[str, Any]) -> None:
    found = parsed(**body)
    assert (found.known, found.people) == (False, ())


def test_a_number_is_an_id_too() -> None:
    assert parsed(event="crew_updated", crew={"id": 17}).people == ("17",)


# ── freee ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("action", FREEE_EVENTS)
def test_all_events_of_freee(action: str) -> None:
    found = freee.parse_event(freee_body(action))
    assert (found.system, found.name, found.known, found.people) == (System.FREEE, action, True, ("67890",))
    assert (found.company_id, found.delivery_id, found.triggered_at) == (1234567, "n-1", AT)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"resource": "hr:time_clock"}, "hr:time_clock:updated"),
        ({"resource": None}, "?:updated"),
        ({"action": "merged"}, "merged"),
        ({"action": {"x": 1}}, "?"),
        ({"employee": None}, "updated"),
        ({"employee": [{"id": 1}]}, "updated"),
        ({"person": "67a"}, "updated"),
        ({"person": -1}, "updated"),
        ({"person": 10**18}, "updated"),
    ],
)
def test_what_freee_says_otherwise_is_unknown(changes: dict[str, Any], name: str) -> None:
    found = freee.parse_event(freee_body(**changes))
    assert (found.known, found.name) == (False, name)


@pytest.mark.parametrize("company", [None, True, "1234567", 1.0, [1234567], 0, -5, 2**63, 10**40])
def test_a_company_that_cannot_be_one_is_none(company: Any) -> None:
    """No database has a number like these; one that is asked for them refuses the whole transaction."""
    assert freee.parse_event(freee_body(company=company)).company_id is None


# ── what both have in common ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"event": "crew_updated"',
        b"[]",
        b"null",
        b"17",
        b'"crew_updated"',
        b'{"event": "\xff\xfe"}',
        b"\xed\xa0\x80",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        smarthr_body()[:-1],
    ],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("parse", [smarthr.parse_event, freee.parse_event])
def test_what_is_no_object_is_refused(parse: Any, body: bytes) -> None:
    with pytest.raises(BadBody):
        parse(body)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-11-22T02:59:58.000Z", AT),
        ("2026-11-22T11:59:58+09:00", AT),
        ("2026-11-22T11:59:58", None),
        ("yesterday", None),
        ("", None),
        (1700000000, None),
        (None, None),
        ("9999-12-31T23:59:59-09:00", None),
        ("0001-01-01T00:00:00+09:00", None),
    ],
)
def test_an_instant_has_a_zone(value: object, moment: datetime | None) -> None:
    assert moment_of(value) == moment


def test_names_are_short_and_visible() -> None:
    assert name_of("a" * 100) == "a" * 64
    assert [name_of(each) for each in ("", "佐藤", "a\nb", "a\x1b[31m", None, 5, "\ud800")] == ["?"] * 7


def test_more_people_than_a_company_has_are_cut_off() -> None:
    assert len(ids_of(range(MOST_PEOPLE + 5))) == MOST_PEOPLE


@pytest.mark.parametrize(
    ("given", "secrets", "right"),
    [
        ("new", ("new", "old"), True),
        ("old", ("new", "old"), True),
        ("new", ("new",), True),
        ("new ", ("new",), False),
        ("New", ("new",), False),
        ("new,new", ("new",), False),
        ("", ("new",), False),
        (None, ("new",), False),
        ("", ("",), False),
        (None, ("",), False),
        ("anything", (), False),
        ("ü\udcff", ("new",), False),
    ],
)
def test_a_secret_is_one_of_those_or_it_is_wrong(given: str | None, secrets: tuple[str, ...], right: bool) -> None:
    assert secret_matches(given, secrets) is right
