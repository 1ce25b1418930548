"""Promise 2: how two sides compare depends on nothing in which they may differ, so nothing is written twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.codecs.base import CannotEncode
from app.domain.enums import System
from app.domain.japanese import prefectures
from app.domain.japanese.address import comparable
from app.domain.japanese.kana import large_kana
from app.domain.mapping import BY_KEY, FieldMapping
from app.domain.planning.three_way import same
from app.domain.reading import raw_values
from app.domain.snapshot import BLANK, FieldState, Unconvertible
from app.domain.writing import encode
from tests.domain.records import OPTIONS, change, crew, employee

ROWS = [BY_KEY[key] for key in ("home_address", "home_address_kana")]
NAMES = st.sampled_from([None, "", *prefectures.NAMES, "東京", "Tokyo"])
CODES = st.sampled_from([None, -1, 47, *range(47)])
HEADS = st.sampled_from(["", "", *prefectures.NAMES])
TEXTS = st.builds(
    "{}{}{}".format,
    HEADS,
    st.sampled_from(["", " ", "　"]),
    st.sampled_from(
        ["港区麻布台1-2-3", "京都市中京区1", "大阪市北区", "府中市本町1 ハイツ101", "Minato-ku Shiba 1", ""]
    ),
)
KANA = st.builds(
    lambda head, large, rest: (large_kana(head) if large else head) + rest,
    st.sampled_from(["", "", *prefectures.READINGS.values(), "ﾄｳｷｮｳﾄ"]),
    st.booleans(),
    st.sampled_from(
        ["ミナトクアザブダイ", "　ミナトク１－２", "キョウトシ", "オオサカシキタク", "ミエグン", "ギフシ", ""]
    ),
)


def of_smarthr(row: FieldMapping, value: str, prefecture: Any, country: Any = "392") -> FieldState:
    values = (value, None, None) if row.key == "home_address" else (value,)
    return row.smarthr.codec.decode((*values, prefecture, country), OPTIONS)


def of_freee(row: FieldMapping, value: str, code: Any) -> FieldState:
    return row.freee.codec.decode((value, code), OPTIONS)


def are_the_same(row: FieldMapping, states: Iterable[FieldState]) -> bool:
    first, *others = states
    return all(same(row, first, other) for other in others)


@given(TEXTS, KANA, NAMES, NAMES, CODES, CODES, st.sampled_from(["392", "", None]))
def test_a_prefecture_beside_decides_nothing_about_the_text_or_its_reading(
    text: str, kana: str, one: Any, other: Any, code: Any, another: Any, country: Any
) -> None:
    for row, value in zip(ROWS, (text, kana), strict=True):
        sides = [of_smarthr(row, value, one), of_smarthr(row, value, other, country)]
        assert are_the_same(row, [*sides, of_freee(row, value, code), of_freee(row, value, another)])


@given(TEXTS, KANA, NAMES, CODES, TEXTS, KANA)
def test_what_was_written_to_freee_compares_equal(
    text: str, kana: str, pref: Any, code: Any, held: str, read: str
) -> None:
    for row, value, before in zip(ROWS, (text, kana), (held, read), strict=True):
        source = of_smarthr(row, value, pref)
        if isinstance(source, str):
            try:
                (written,) = row.freee.codec.encode(source, (before, code), OPTIONS)
            except CannotEncode as error:
                assert error.reason == "prefecture_contradicts"
            else:
                assert same(row, source, of_freee(row, written, code))


@given(KANA, CODES, NAMES, KANA)
def test_a_reading_that_was_written_to_smarthr_compares_equal(kana: str, code: Any, pref: Any, held: str) -> None:
    row = BY_KEY["home_address_kana"]
    source = of_freee(row, kana, code)
    if isinstance(source, str):
        (written,) = row.smarthr.codec.encode(source, (held, pref, None), OPTIONS)
        assert same(row, source, of_smarthr(row, written, pref))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("東京都府中市1", "府中市1"),
        ("東京都　府中市１", "府中市1"),
        ("京都府京都市1", "京都市1"),
        ("大阪府大阪市1", "大阪市1"),
    ],
)
def test_a_prefecture_at_the_head_does_not_count(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("京都市1", "市1"),
        ("東京1", "1"),
        ("大阪府営住宅1", "営住宅1"),
        ("港区1 東京都民ビル", "港区1 民ビル"),
    ],
)
def test_what_only_looks_like_a_prefecture_counts(one: str, other: str) -> None:
    assert comparable(one) != comparable(other)


@pytest.mark.parametrize(
    ("codec", "raw"),
    [
        (BY_KEY["home_prefecture"].smarthr.codec, ("大阪府", "東京都港区", None)),
        (BY_KEY["home_prefecture"].freee.codec, (26, "東京都港区麻布台1")),
    ],
)
def test_a_prefecture_that_the_address_contradicts_is_a_question(codec: Any, raw: Any) -> None:
    assert codec.decode(raw, OPTIONS) == Unconvertible("prefecture_contradicts")
    assert codec.decode((raw[0], "港区麻布台1", None), OPTIONS) == "大阪府"


def test_a_prefecture_that_comes_to_an_address_stands_there_once() -> None:
    held = employee(profile_rule__residential_prefecture_code=-1, profile_rule__residential_address="東京都港区三田1")
    ((_, written),) = encode(System.FREEE, [change("home_prefecture", "東京都")], held, OPTIONS).items()
    assert written == {"profile_rule.residential_prefecture_code": 12, "profile_rule.residential_address": "港区三田1"}
    with pytest.raises(CannotEncode, match="prefecture_contradicts"):
        encode(System.FREEE, [change("home_prefecture", "大阪府")], held, OPTIONS)


def test_the_reading_of_smarthr_moves_with_its_prefecture() -> None:
    held = crew(address__pref=None, address__literal_yomi="トウキョウトミナトク")
    for prefecture, reading in (("東京都", "トウキョウトミナトク"), ("大阪府", "オオサカフミナトク")):
        ((_, body),) = encode(System.SMARTHR, [change("home_prefecture", prefecture)], held, OPTIONS).items()
        assert body["address"]["literal_yomi"] == reading
    place = BY_KEY["home_address_kana"].smarthr
    assert (
        place.codec.decode(raw_values(System.SMARTHR, crew(address__literal_yomi="トウキョウト"), place), OPTIONS)
        is BLANK
    )
