"""Width and kana, and the prefectures' readings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.japanese import prefectures
from app.domain.japanese.kana import fold_hyphens, full_width, katakana, large_kana, narrow, stable, without_spaces


@pytest.mark.parametrize(
    ("text", "kana"),
    [
        ("ｶﾞｷﾞｸﾞ", "ガギグ"),
        ("ﾊﾟﾋﾟ", "パピ"),
        ("がぎぐ", "ガギグ"),
        ("か\u3099", "ガ"),
        ("ゔぁゐゑゎ", "ヴァヰヱヮ"),
        ("ｻﾄｰ", "サトー"),
        ("カ゛", "ガ"),
        ("ｶ\u3099", "ガ"),
        ("カ \u3099", "ガ"),
        ("う゛ゝ", "ヴヽ"),
        ("ハ゜", "パ"),
        ("ア゛", "ア\u3099"),
        ("サト‐", "サト‐"),
        ("スミス-ジョーンズ", "スミス-ジョーンズ"),
        ("①㌔", "①㌔"),
        ("アザブ-1", "アザブ-1"),
        ("漢字abc", "漢字abc"),
    ],
)
def test_full_width_katakana(text: str, kana: str) -> None:
    assert katakana(text) == kana


def test_narrowing_leaves_other_forms_of_a_kanji_alone() -> None:
    assert narrow("ＡＢｶﾞ１　髙") == "ABガ1 髙"
    assert narrow("\ufa19") == "\ufa19"  # 神 in a person's own form; NFKC would replace it


def test_small_letters_hyphens_and_width() -> None:
    assert large_kana("キャッシュヵヶ") == "キヤツシユカケ"
    assert fold_hyphens("1‐2−3－4ー5") == "1-2-3-4ー5"
    assert fold_hyphens("1ー2", long_vowel=True) == "1-2"
    assert full_width("A1-(.) ア") == "Ａ１－（．）　ア"
    assert without_spaces(" ア　イ\tウ ") == "アイウ"


@given(st.text(max_size=20))
def test_folding_settles(text: str) -> None:
    once = stable(katakana, text)
    assert katakana(once) == once


# ── prefectures ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_codes_are_jis_minus_one() -> None:
    assert len(prefectures.NAMES) == 47
    assert [prefectures.name_of(code) for code in (0, 12, 25, 46)] == ["北海道", "東京都", "京都府", "沖縄県"]
    assert all(prefectures.name_of(prefectures.code_of(name)) == name for name in prefectures.NAMES)


@pytest.mark.parametrize("code", [-1, 47, None, True, "0", 1.0])
def test_no_prefecture(code: object) -> None:
    assert prefectures.name_of(code) is None


def test_a_name_without_its_suffix() -> None:
    assert prefectures.full_name("東京") == "東京都"
    assert prefectures.full_name("神奈川") == "神奈川県"
    assert prefectures.full_name("京都") == "京都府"
    assert prefectures.full_name("北海") is None
    assert prefectures.code_of("江戸") is None
    assert len({prefectures.full_name(name[:-1]) for name in prefectures.NAMES}) == 47  # 46 names and None


@pytest.mark.parametrize("name", prefectures.NAMES)
def test_the_reading_goes_on_and_off(name: str) -> None:
    with_it = prefectures.with_reading("ミホンシ", name)
    assert with_it == prefectures.READINGS[name] + "ミホンシ"
    assert prefectures.without_reading(with_it, name) == "ミホンシ"
    assert prefectures.without_reading(large_kana(with_it), name) == "ミホンシ"
    assert prefectures.without_reading("ミホンシ", name) == "ミホンシ"


def test_only_the_own_prefecture_comes_off() -> None:
    assert prefectures.without_reading("トウキョウトミナトク", "大阪府") == "トウキョウトミナトク"
    assert prefectures.without_reading("トウキョウトミナトク", None) == "トウキョウトミナトク"
    assert prefectures.without_reading("トウキョウミナトク", "東京都") == "トウキョウミナトク"
    assert prefectures.without_name("東京都 港区", "東京都") == "港区"
    assert prefectures.without_name("京都市", "京都府") == "京都市"
    assert prefectures.with_reading("ミナトク", None) == "ミナトク"
