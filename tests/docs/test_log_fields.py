"""docs/ops/log-fields.md lists every line of the log, with its levels and fields, as the code writes them."""

from __future__ import annotations

import re

import pytest

from tests.docs.log_events import ROOT, Event, events

PAGE = (ROOT / "docs" / "ops" / "log-fields.md").read_text(encoding="utf-8")
GATHERED = {"bounds_kept", "reconciled", "request"}
"""Lines with fields that are put together as the program goes: the page tells of them in words."""
PERSONAL = {"name", "login", "email", "mail", "number", "employee_number", "value", "before", "after", "detail", "body"}


def rows() -> dict[str, tuple[set[str], set[str], str]]:
    """Event → (levels, fields, all that the page says of its fields)."""
    found = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == 4:
            (event,) = re.findall(r"`([^`]+)`", cells[0])
            assert event not in found, event
            found[event] = (*(set(re.findall(r"`([^`]+)`", cell)) for cell in cells[1:3]), cells[2])
    return found


@pytest.fixture(scope="module")
def code() -> dict[str, Event]:
    """What the code writes. To read all of it takes seconds, so it is not done where tests are only collected."""
    return events()


def test_every_event_of_the_code_is_on_the_page_and_no_other(code: dict[str, Event]) -> None:
    assert len(code) > 120
    assert set(code) - set(rows()) == set(), "each needs a row in docs/ops/log-fields.md"
    assert set(rows()) - set(code) == set(), "no code writes these: take their rows out of docs/ops/log-fields.md"


def test_the_page_names_the_levels_and_fields_of_the_code(code: dict[str, Event]) -> None:
    wrong = {}
    for event, (levels, fields, _) in rows().items():
        named = {name for name in code[event].fields if not name.startswith("**")}
        if levels != code[event].levels or not (fields == named if event not in GATHERED else named <= fields):
            wrong[event] = (code[event].levels, named)
        assert (event in GATHERED) == (named != code[event].fields), event
    assert wrong == {}, "what the code writes"


def test_what_is_put_together_as_the_program_goes_is_told_in_words() -> None:
    assert {"delivery_id", "connection_id", "event_name", "people", "repeated", "address"} <= rows()["request"][1]
    for event in GATHERED:
        assert re.search(r"[ぁ-ん]", rows()[event][2]), event


def test_no_field_is_called_like_something_personal(code: dict[str, Event]) -> None:
    found: dict[str, set[str]] = {name: event.fields & PERSONAL for name, event in code.items()}
    assert {name: fields for name, fields in found.items() if fields} == {}


def test_a_line_of_the_code_is_read_with_what_it_was_bound_to(code: dict[str, Event]) -> None:
    assert code["item_done"] == Event({"info"}, {"run_id", "item_id", "attempt", "state", "code"})
    assert code["vendor call"].levels == {"debug", "info", "warning"}
    assert {"role_changed", "user_disabled", "database_back", "left_to_reconciler"} <= set(code)
