"""The allow list: what is not on it does not leave, and callers ask for nothing that is not on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.adapters.freee import webhook as freee
from app.adapters.smarthr import webhook as smarthr
from app.telemetry.allowed import ATTRIBUTES, ID, NAMES, PATH_WORDS, allowed, path_template
from tests.e2e.test_canary import NUMBERS, TOKENS, VALUES, WORDS
from tests.web.hooks import CANARIES

ROOT = Path(__file__).resolve().parents[2]
FITTING: dict[str, Any] = {
    "run_id": "cf4a8186-8d31-4888-bad6-69f04cfcb909",
    **dict.fromkeys(("connection_id", "item_id", "delivery_id", "mail_id", "attempt", "people"), 3),
    "direction": "smarthr_to_freee",
    "trigger": "webhook",
    "state": "succeeded",
    "code": "E7",
    "step": "profile",
    "system": "freee",
    "event": "crew_updated",
    "method": "GET",
    "status": 200,
    "path": "/v1/crews",
    "dry_run": True,
    "repeated": False,
}
CALLS = {"span", "begin", "end", "tell", "just_ended", "whole"}
OWN_WORDS = {"under", "at", "links", "calm", "failed", "seconds", "began", "ended"}


def test_what_fits_leaves_under_the_name_of_the_list() -> None:
    assert set(FITTING) == set(ATTRIBUTES)
    assert allowed(FITTING) == {ATTRIBUTES[key].name: value for key, value in FITTING.items()}


@pytest.mark.parametrize("key", [*ATTRIBUTES, "name", "employee_number", "detail", "body"])
def test_no_canary_leaves_under_any_name(key: str) -> None:
    for canary in (*CANARIES, *WORDS, *VALUES, *NUMBERS, *TOKENS):
        told = allowed({key: canary})
        assert canary not in repr(told), key
        assert allowed({key: f"/v1/crews/{canary}"}) in ({}, {"url.template": "/v1/crews/{id}"})


def test_nothing_is_nothing_and_flags_are_no_numbers() -> None:
    assert allowed({"code": None, "people": True, "dry_run": 1, "code2": "E7", "status": "200"}) == {}


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/v1/crews/6f9b-77", "/v1/crews/{id}"),
        ("/api/v1/employees/123/profile_rule", "/api/v1/employees/{id}/profile_rule"),
        ("/api/v1/companies/1/employees", "/api/v1/companies/{id}/employees"),
        ("/v1/crews/yamada", "/v1/crews/{id}"),
        ("/public_api/token", "/public_api/token"),
    ],
)
def test_of_a_path_only_the_words_of_the_vendors_are_kept(path: str, template: str) -> None:
    assert path_template(path) == template


def test_the_list_knows_the_words_of_every_path_we_ask_for() -> None:
    """A new path of a client would show as `{id}` only; this says so."""
    words = {
        part
        for file in sorted((ROOT / "app" / "adapters").glob("*/*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("/")
        and " " not in node.value
        for part in node.value.split("/")
        if part.replace("_", "a").isalnum() and not part.isdigit()
    }
    assert {"crews", "companies", "token"} <= words
    assert words <= PATH_WORDS
    assert ID not in PATH_WORDS


def test_the_list_knows_the_events_of_both_vendors() -> None:
    for event in (*smarthr.EVENTS, *freee.ACTIONS):
        assert allowed({"event": event}) == {"awase.event": event}


def calls() -> Iterator[tuple[str, str | None, set[str]]]:
    """(place, name of the span, keywords) of every call of the seam."""
    for folder in ("app", "workers"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            if "app.telemetry" not in text or "telemetry" in file.relative_to(ROOT).parts:
                continue
            for node in ast.walk(ast.parse(text)):
                called = node.func if isinstance(node, ast.Call) else None
                name = (
                    getattr(called, "attr", None) if isinstance(called, ast.Attribute) else getattr(called, "id", None)
                )
                of_seam = isinstance(called, ast.Name) or getattr(getattr(called, "value", None), "id", "") == "spans"
                if isinstance(node, ast.Call) and name in CALLS and of_seam:
                    first = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
                    yield f"{file.name}:{node.lineno}", first, {word.arg for word in node.keywords if word.arg}


def test_every_call_of_the_seam_uses_names_of_the_list() -> None:
    found = list(calls())
    assert {name for _, name, _ in found if name} == set(NAMES)
    odd = {place: words - set(ATTRIBUTES) - OWN_WORDS for place, _, words in found}
    assert {place: words for place, words in odd.items() if words} == {}
