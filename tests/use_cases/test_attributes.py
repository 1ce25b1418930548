"""What a token shows: seen, missing or unknown, and what is written down about it."""

from __future__ import annotations

from app.domain.mapping import FIELDS
from app.use_cases.connections.attributes import ATTRIBUTES, Reading, TokenCheck, Writing, attribute_rows

NOTHING: frozenset[str] = frozenset()


def rows(
    seen: frozenset[str], missing: frozenset[str], written: frozenset[str] = NOTHING
) -> dict[str, tuple[str, str]]:
    found = attribute_rows(seen, missing, written=written)
    return {row.key: (row.reading.value, row.writing.value) for row in found}


def test_every_item_is_told_in_the_order_of_the_mapping() -> None:
    found = attribute_rows(ATTRIBUTES, NOTHING, written=NOTHING)
    assert [row.key for row in found] == [row.key for row in FIELDS]
    assert {(row.reading, row.writing) for row in found} == {(Reading.YES, Writing.UNKNOWN)}


def test_nothing_seen_and_nothing_missing_is_unknown_not_hidden() -> None:
    assert set(rows(NOTHING, NOTHING).values()) == {("unknown", "unknown")}


def test_missing_is_neither_read_nor_written() -> None:
    found = rows(ATTRIBUTES - {"bank_accounts"}, frozenset({"bank_accounts"}))
    hidden = {key for key, told in found.items() if told == ("no", "never")}
    assert hidden == {row.key for row in FIELDS if row.group == "bank"}


def test_what_smarthr_has_taken_is_proven_whatever_is_seen_now() -> None:
    found = rows(NOTHING, frozenset({"tel_number"}), frozenset({"phone", "title"}))
    assert found["phone"] == ("no", "proven") and found["title"] == ("unknown", "proven")


def test_a_check_is_kept_and_read_again() -> None:
    check = TokenCheck(frozenset({"a", "b"}), frozenset({"c"}), frozenset({"正社員"}), 7)
    assert TokenCheck.of_stored(check.stored()) == check
