"""The digest of what a person has: moved by every item, by nothing else, and silent about the values."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace

import pytest

from app.domain.employee import EmployeeRecord, Person, Unreadable, YearMonth
from app.domain.enums import System
from app.domain.mapping import FIELDS
from app.domain.planning.content import content_digest, content_of, is_other_content, record_mark
from app.domain.planning.keyed import KeyedFingerprint
from app.domain.planning.rule_version import VERSION
from app.domain.snapshot import ABSENT, BLANK, Snapshot, Unconvertible
from tests.domain.records import crew, employee, seen_in_smarthr

CREW = EmployeeRecord(Person(System.SMARTHR, "crew-1", "00123"), crew())
EMPLOYEE = EmployeeRecord(Person(System.FREEE, "4321", "00123"), employee())
NOVEMBER, DECEMBER = YearMonth(2026, 11), YearMonth(2026, 12)


class Keyed:
    """A fingerprint with a key of its own."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, name: str, text: str) -> str:
        return hashlib.sha256(f"{self._key}/{name}/{text}".encode()).hexdigest()


KEYED = Keyed("k")


@pytest.mark.parametrize("key", [row.key for row in FIELDS])
def test_every_item_counts(key: str) -> None:
    before = seen_in_smarthr(crew())
    changed = Snapshot({**before.values, key: Unconvertible("something_else")})
    assert content_digest(before, KEYED) == content_digest(Snapshot(dict(before.values)), KEYED)
    assert content_digest(before, KEYED) != content_digest(changed, KEYED)


def test_what_a_token_is_shown_of_nothing_is_nothing() -> None:
    assert content_digest(Snapshot({"title": BLANK}), KEYED) == content_digest(Snapshot({"title": ABSENT}), KEYED)
    assert content_digest(Snapshot({"title": BLANK}), KEYED) != content_digest(Snapshot({"title": "課長"}), KEYED)


def test_the_digest_is_keyed_and_holds_no_value() -> None:
    one, other = (content_of(CREW, Keyed(key)) for key in "ab")
    assert one != other
    assert one is not None and set(one.rpartition(":")[2]) <= set("0123456789abcdef")


def test_the_digests_kept_by_the_version_before_stay_comparable() -> None:
    """Another name or another way of writing the items would make every employee seem changed after an upgrade."""
    asked: list[tuple[str, str]] = []
    content_digest(Snapshot({"title": "課長"}), lambda name, text: asked.append((name, text)) or "")
    assert [name for name, _ in asked] == ["content"]
    assert '"value:課長"' in asked[0][1]


def test_an_account_number_swapped_with_a_branch_is_another_content() -> None:
    values = {"bank_code": "0001", "bank_branch_code": "0018"}
    swapped = {"bank_code": "0018", "bank_branch_code": "0001"}
    assert content_digest(Snapshot(values), KEYED) != content_digest(Snapshot(swapped), KEYED)


def test_of_freee_the_month_goes_with_it() -> None:
    november = content_of(replace(EMPLOYEE, month=NOVEMBER), KEYED)
    december = content_of(replace(EMPLOYEE, month=DECEMBER), KEYED)
    assert november is not None and december is not None
    assert november.startswith("2026-11:")
    assert november.partition(":")[2] == december.partition(":")[2]


@pytest.mark.parametrize(
    ("before", "after", "is_other"),
    [
        ("aa", "aa", False),
        ("aa", "bb", True),
        (None, "aa", False),
        ("aa", None, False),
        ("2026-11:aa", "2026-11:bb", True),
        ("2026-11:aa", "2026-12:aa", False),
        ("2026-11:aa", "2026-12:bb", False),
        ("2026-11:aa", None, False),
    ],
)
def test_only_the_same_month_tells_of_a_change(before: str | None, after: str | None, is_other: bool) -> None:
    assert is_other_content(before, after) is is_other


def test_who_is_not_shown_has_no_content() -> None:
    assert content_of(replace(EMPLOYEE, record=None), KEYED) is None


# ── the mark of a record ──────────────────────────────────────────────────────────────────────────────────────────

SIGNED = KeyedFingerprint({"": b"an-invented-key", "a": b"another"}, "")


def test_the_same_reading_has_the_same_mark_in_whatever_order_a_vendor_tells_it() -> None:
    assert CREW.record is not None
    turned = replace(CREW, record=dict(reversed(CREW.record.items())))
    assert record_mark(CREW, SIGNED, "code") == record_mark(turned, SIGNED, "code") is not None


@pytest.mark.parametrize("name", [each.name for each in fields(Person)])
def test_all_that_is_known_of_a_person_is_in_the_mark(name: str) -> None:
    other = replace(CREW, person=replace(CREW.person, **{name: "something else"}))
    assert record_mark(other, SIGNED, "code") != record_mark(CREW, SIGNED, "code")


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (1, 1.0), (1, "1"), (0, False), (None, ""), ("", []), ([None], None), ("a", "a ")]
)
def test_every_value_is_in_the_mark(one: object, other: object) -> None:
    made = [replace(CREW, record={**crew(), "emp_code": value}) for value in (one, other)]
    assert len({record_mark(each, SIGNED, "code") for each in made}) == 2


def test_month_code_key_and_what_could_not_be_read_are_in_the_mark() -> None:
    others = [
        replace(EMPLOYEE, month=NOVEMBER),
        replace(EMPLOYEE, month=DECEMBER),
        replace(EMPLOYEE, once_only=True),
        replace(EMPLOYEE, unreadable=Unreadable(("num",))),
    ]
    marks = [record_mark(each, SIGNED, "code") for each in (EMPLOYEE, *others)]
    marks += [record_mark(EMPLOYEE, SIGNED, "other code"), record_mark(EMPLOYEE, SIGNED.under("a"), "code")]
    assert len(set(marks)) == len(marks)
    assert all(mark is not None and mark.startswith(str(VERSION)) for mark in marks)


def test_a_mark_is_made_of_whatever_a_vendor_sends() -> None:
    assert record_mark(replace(CREW, record={"last_name": "\ud800", "x": float("nan")}), SIGNED, "code")
    assert record_mark(replace(CREW, record=None), SIGNED, "code") is None
