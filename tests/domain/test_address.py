"""Address text: what counts as the same, and where a text is split."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.municipalities import municipalities
from app.domain.codecs.address import AddressInOne, AddressInParts
from app.domain.codecs.base import CannotEncode
from app.domain.japanese.address import Split, comparable, joined
from app.domain.japanese.address import split as split_by
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK

TABLE = municipalities()
WITH_BUILDING = MappingOptions(municipalities=municipalities(), include_building=True)
WITHOUT_BUILDING = MappingOptions(municipalities=municipalities(), include_building=False)
split = partial(split_by, table=TABLE)
PARTS = AddressInParts()
HERE = ("港区", "麻布台1-2-3", "麻布ハイツ101", "東京都")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("港区麻布台1-2-3", "港区麻布台１－２－３"),
        ("港区麻布台1-2-3", "港区麻布台１丁目２番３号"),
        ("港区麻布台1-2-3", "港区 麻布台 一丁目2ー3"),
        ("港区麻布台1-2-3", "港区麻布台1丁目 2番 3号"),
        ("港区麻布台1-2-3", "港区麻布台1‐2‑3"),
        ("港区麻布台1-2-3 麻布ハイツ101", "港区麻布台1丁目2番3号麻布ハイツ１０１"),
        ("港区麻布台1-2-3 101", "港区麻布台1-2-3-101"),
        ("千代田区一番町1-5", "千代田区１番町１番地の５"),
        ("札幌市中央区北1条西2丁目", "札幌市中央区北一条西２"),
        ("茅ヶ崎市幸町12", "茅ケ崎市幸町12番地"),
        ("龍ケ崎市3710", "竜ヶ崎市3710番地"),
        ("新宿区西新宿二十三丁目1", "新宿区西新宿23-1"),
        ("港区ｾﾝﾀｰﾋﾞﾙ", "港区センタービル"),
    ],
)
def test_two_writings_of_one_address(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("港区麻布台1-2-3", "港区麻布台1-2-4"),
        ("港区麻布台1-2-3 101", "港区麻布台1-2-3101"),
        ("港区麻布台1-2-3", "港区麻布台12-3"),
        ("港区1-2 3号棟", "港区1-2 3"),
        ("港区1-2 101号室", "港区1-2 101"),
        ("港区三田1", "港区二田1"),
        ("港区センター1", "港区センタ1"),
    ],
)
def test_two_addresses(one: str, other: str) -> None:
    assert comparable(one) != comparable(other)


@given(st.text(max_size=30) | st.text("0123一二十丁目番地号の-ー－ 　港区ヶＡｂ", max_size=20))
def test_the_compared_form_is_final(text: str) -> None:
    assert comparable(comparable(text)) == comparable(text)


def test_a_building_does_not_run_into_the_number_before_it() -> None:
    assert joined("港区", "1-2-3", "101") == "港区1-2-3 101"
    assert joined("港区", "", "") == "港区"
    assert joined("", "", "麻布ハイツ") == "麻布ハイツ"


@pytest.mark.parametrize(
    ("text", "prefecture", "city", "rest"),
    [
        ("港区麻布台1-2-3", "東京都", "港区", "麻布台1-2-3"),
        ("横浜市中区本町1", "神奈川県", "横浜市中区", "本町1"),
        ("横浜市 中区　本町1", "神奈川県", "横浜市中区", "本町1"),
        ("横浜市本町1", "神奈川県", "横浜市", "本町1"),
        ("西多摩郡瑞穂町箱根ケ崎1", "東京都", "西多摩郡瑞穂町", "箱根ケ崎1"),
        ("瑞穂町箱根ケ崎1", "東京都", "瑞穂町", "箱根ケ崎1"),
        ("八丈町大賀郷1", "東京都", "八丈町", "大賀郷1"),
        ("大島町元町1", "東京都", "大島町", "元町1"),
        ("青ヶ島村", "東京都", "青ヶ島村", ""),
        ("茅ケ崎市幸町12", "神奈川県", "茅ケ崎市", "幸町12"),
        ("塩釜市旭町1", "宮城県", "塩釜市", "旭町1"),
        ("四日市市諏訪町1", "三重県", "四日市市", "諏訪町1"),
        ("市川市市川1", "千葉県", "市川市", "市川1"),
        ("郡山市朝日1", "福島県", "郡山市", "朝日1"),
        ("東村山市本町1", "東京都", "東村山市", "本町1"),
        ("京都市中京区上る1", "京都府", "京都市中京区", "上る1"),
    ],
)
def test_the_longest_municipality_at_the_head_is_the_city(text: str, prefecture: str, city: str, rest: str) -> None:
    assert split(text, prefecture) == Split(city=city, rest=rest)


@pytest.mark.parametrize(
    ("text", "prefecture"),
    [
        ("麻布台1-2-3", "東京都"),
        ("港区麻布台1-2-3", "大阪"),
        ("港区麻布台1-2-3", None),
        ("横浜市中区本町1", "東京都"),
        ("", "東京都"),
        ("浦和市常盤1", "埼玉県"),
    ],
)
def test_what_the_table_does_not_know_is_not_split(text: str, prefecture: str | None) -> None:
    assert split(text, prefecture) is None


def test_the_city_smarthr_holds_helps_with_a_name_that_is_gone() -> None:
    assert split("浦和市常盤9-2", "埼玉県", held=Split("浦和市", "")) == Split(city="浦和市", rest="常盤9-2")
    assert split("浦和市常盤9-2", None, held=Split("浦和市", "")) == Split(city="浦和市", rest="常盤9-2")


@pytest.mark.parametrize("prefecture", TABLE.by_prefecture)
def test_every_municipality_is_found_again(prefecture: str) -> None:
    for city in TABLE.by_prefecture[prefecture]:
        assert split(f"{city}字見本1-2", prefecture) == Split(city=city, rest="字見本1-2")


# ── the codecs on both sides ──────────────────────────────────────────────────────────────────────────────────────


def test_the_building_is_part_of_the_text_or_not() -> None:
    assert PARTS.decode(HERE, WITH_BUILDING) == "港区麻布台1-2-3 麻布ハイツ101"
    assert PARTS.decode(HERE, WITHOUT_BUILDING) == "港区麻布台1-2-3"
    assert PARTS.decode((None, "", "麻布ハイツ101", "東京都"), WITHOUT_BUILDING) is BLANK


def test_a_prefecture_at_the_head_of_the_text_is_not_part_of_it() -> None:
    assert AddressInOne().decode(("東京都港区麻布台1", 12), WITH_BUILDING) == "港区麻布台1"
    assert AddressInOne().decode(("東京都港区麻布台1", 13), WITH_BUILDING) == "東京都港区麻布台1"
    assert AddressInOne().decode(("東京都", 12), WITH_BUILDING) is BLANK
    assert PARTS.decode(("東京都港区", "麻布台1", None, "東京都"), WITH_BUILDING) == "港区麻布台1"


def test_an_equal_text_keeps_the_split() -> None:
    text = "港区麻布台１丁目２番３号　麻布ハイツ１０１"
    assert PARTS.encode(text, HERE, WITH_BUILDING) == HERE[:3]
    assert PARTS.encode("港区麻布台１丁目２番３号", HERE, WITHOUT_BUILDING) == HERE[:3]


@pytest.mark.parametrize(
    ("text", "current", "written"),
    [
        ("渋谷区神南1-1", ("港区", "麻布台1-2-3", None, "東京都"), ("渋谷区", "神南1-1", None)),
        ("渋谷区神南1-1 神南荘5", HERE, ("渋谷区", "神南1-1", "神南荘5")),
        ("渋谷区神南1-1", HERE, ("渋谷区", "神南1-1", "")),
        ("港区麻布台1-2-4 麻布ハイツ101", HERE, ("港区", "麻布台1-2-4", "麻布ハイツ101")),
        ("港区麻布台1-2-4麻布ハイツ101", HERE, ("港区", "麻布台1-2-4", "麻布ハイツ101")),
        ("港区三田5-13", ("港区", "麻布台1-2", "3", "東京都"), ("港区", "三田5-13", "")),
        ("渋谷区神南1-1", (None, None, None, "東京都"), ("渋谷区", "神南1-1", None)),
    ],
)
def test_a_new_text_is_split(text: str, current: tuple[object, ...], written: tuple[object, ...]) -> None:
    assert PARTS.encode(text, current, WITH_BUILDING) == written
    after = PARTS.decode((*written, current[3]), WITH_BUILDING)
    assert isinstance(after, str)
    assert comparable(after) == comparable(text)


@pytest.mark.parametrize(
    ("text", "current", "options", "reason"),
    [
        ("渋谷区神南1-1", HERE, WITHOUT_BUILDING, "building_unclear"),
        ("どこかの町1", HERE, WITH_BUILDING, "unsplittable_address"),
        ("渋谷区神南1-1", ("港区", "1", None, None), WITH_BUILDING, "unsplittable_address"),
        ("大阪市北区1", HERE, WITH_BUILDING, "unsplittable_address"),
    ],
)
def test_an_unclear_text_goes_to_a_person(
    text: str, current: tuple[object, ...], options: MappingOptions, reason: str
) -> None:
    with pytest.raises(CannotEncode) as caught:
        PARTS.encode(text, current, options)
    assert caught.value.reason == reason


def test_a_text_too_long_for_freee() -> None:
    assert AddressInOne().encode("港" * 255, (None, 12), WITH_BUILDING) == ("港" * 255,)
    with pytest.raises(CannotEncode, match="too_long"):
        AddressInOne().encode("港" * 256, (None, 12), WITH_BUILDING)
