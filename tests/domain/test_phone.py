"""Telephone numbers in three parts."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.japanese.phone import fits, split
from app.domain.snapshot import Unconvertible
from tests.properties import examples


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("03-1234-5678", ("03", "1234", "5678")),
        ("0312345678", ("03", "1234", "5678")),
        ("03(1234)5678", ("03", "1234", "5678")),
        ("０３（１２３４）５６７８", ("03", "1234", "5678")),
        ("０３ー１２３４ー５６７８", ("03", "1234", "5678")),
        ("03 1234 5678", ("03", "1234", "5678")),
        ("+81-3-1234-5678", ("03", "1234", "5678")),
        ("+81 (0)90 1234 5678", ("090", "1234", "5678")),
        ("+819012345678", ("090", "1234", "5678")),
        ("09012345678", ("090", "1234", "5678")),
        ("05012345678", ("050", "1234", "5678")),
        ("0120123456", ("0120", "123", "456")),
        ("0451234567", ("045", "123", "4567")),
        ("0499221234", ("04992", "2", "1234")),
        ("0980721234", ("0980", "72", "1234")),
        ("03-12345678", ("03", "1234", "5678")),
        ("+81-03-1234-5678", ("03", "1234", "5678")),
        ("＋８１（０）３－１２３４－５６７８", ("03", "1234", "5678")),
        # Hyphens that the plan does not have are put where it has them: the digits call the same person.
        ("0312-34-5678", ("03", "1234", "5678")),
        ("03-12345-678", ("03", "1234", "5678")),
        ("090-123-45678", ("090", "1234", "5678")),
        ("0998-12-3456", ("099", "812", "3456")),
        ("0120-12-3456", ("0120", "123", "456")),
        # Free dial has eleven digits as well, and is split otherwise than 080.
        ("08001234567", ("0800", "123", "4567")),
        ("0800-123-4567", ("0800", "123", "4567")),
        ("0570012345", ("0570", "012", "345")),
        ("06012345678", ("060", "1234", "5678")),
        # Written as a mobile number, and a block that nobody has: the hyphens stay.
        ("080-0000-9999", ("080", "0000", "9999")),
        ("03-0000-0000", ("03", "0000", "0000")),
    ],
)
def test_a_number_at_home(text: str, parts: tuple[str, str, str]) -> None:
    assert split(text) == parts


@pytest.mark.parametrize(
    "text", ["+1 212 555 1234", "+8613800138000", "010-1-212-555-1234", "010-1212-5551", "+44 20 7946 0000", "+"]
)
def test_a_number_abroad(text: str) -> None:
    assert split(text) == Unconvertible("foreign_phone")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "内線12",
        "03-1234-5678 (夜)",
        "12345",
        "00000",
        "03-12-345-6-9",
        "9" * 500,
        "٠٣",
        "080-1234-567",
        "0801234567",
        "090-1234-56789",
        "03-1234-567",
        "3-1234-5678",
        "81-3-1234-5678",
        "03-1234-5678 内線123",
        "03-1234-5678 123",
        "03-1234-5678 090-1111-2222",
        "03-1234-5678/5679",
        "03-1234-567X",
        "050-1234-567",
        "①3-1234-5678",
        "+81",
        "0180991234",
    ],
)
def test_what_is_no_number(text: str) -> None:
    assert split(text) == Unconvertible("unsplittable_phone")


@given(st.text(max_size=20) | st.text("0123456789０９-ー+() ", max_size=18))
def test_the_parts_fit_and_split_again_to_themselves(text: str) -> None:
    parts = split(text)
    if not isinstance(parts, Unconvertible):
        assert fits(list(parts))
        assert split("-".join(parts)) == parts


@examples(300)
@given(st.text("0123456789０９-ー+() ", max_size=18) | st.from_regex(r"0\d{1,4}-?\d{1,5}-?\d{3,5}", fullmatch=True))
def test_no_digit_is_added_or_lost(text: str) -> None:
    parts = split(text)
    if not isinstance(parts, Unconvertible):
        digits = "".join(sign for sign in unicodedata.normalize("NFKC", text) if sign.isdigit())
        assert "".join(parts) in (digits, f"0{digits.removeprefix('81').removeprefix('0')}")
