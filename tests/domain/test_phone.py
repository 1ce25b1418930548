"""Telephone numbers in three parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.japanese.phone import fits, split
from app.domain.snapshot import Unconvertible


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
        ("3-1234-5678", ("03", "1234", "5678")),
        # A split somebody chose is kept even where the area code would say otherwise.
        ("0312-34-5678", ("0312", "34", "5678")),
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
    "text", ["", "内線12", "03-1234-5678 (夜)", "12345", "00000", "03-12-345-6-9", "9" * 500, "٠٣"]
)
def test_what_is_no_number(text: str) -> None:
    assert split(text) == Unconvertible("unsplittable_phone")


@given(st.text(max_size=20) | st.text("0123456789０９-ー+() ", max_size=18))
def test_the_parts_fit_and_split_again_to_themselves(text: str) -> None:
    parts = split(text)
    if not isinstance(parts, Unconvertible):
        assert fits(list(parts))
        assert split("-".join(parts)) == parts
