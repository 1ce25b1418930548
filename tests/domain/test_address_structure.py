"""Promise 7: what did not change of an address stays where it was, character for character; an unclear split asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.municipalities import municipalities
from app.domain.codecs.address import AddressInOne, AddressInParts
from app.domain.codecs.base import CannotEncode
from app.domain.japanese.address import comparable, joined
from app.domain.settings.connection_settings import MappingOptions
from tests.properties import examples

TABLE = municipalities()
OPTIONS = MappingOptions(municipalities=municipalities(), include_building=True)
PARTS = AddressInParts()
WARD, STREET, ROOM = "浜松市中区", "元城町103-2", "ハイツ101"
Held = tuple[str | None, str | None, str | None]


def split_beside(held: Held, text: str, prefecture: str | None = "静岡県") -> object:
    """What SmartHR gets for freee's text, or the question that is asked."""
    try:
        return PARTS.encode(text, (*held, prefecture), OPTIONS)
    except CannotEncode as error:
        return error.reason


@pytest.mark.parametrize(
    ("held", "text", "written"),
    [
        # a ward that is gone stays, also beside a building
        ((WARD, STREET, None), "浜松市中区元城町103-3", (WARD, "元城町103-3", None)),
        ((WARD, STREET, ""), "浜松市 中区 元城町103-3", (WARD, "元城町103-3", "")),
        ((WARD, STREET, ROOM), "浜松市中区元城町103-3 ハイツ101", (WARD, "元城町103-3", ROOM)),
        ((WARD, STREET, None), "浜松市中央区元城町103-2", ("浜松市中央区", STREET, None)),
        (("清水市", "旭町1-1", None), "清水市旭町1-2", ("清水市", "旭町1-2", None)),
        # the building changed
        ((WARD, STREET, ROOM), "浜松市中区元城町103-2 ハイツ102", (WARD, STREET, "ハイツ102")),
        ((WARD, STREET, ROOM), "浜松市中区元城町103-2ハイツ102", (WARD, STREET, "ハイツ102")),
        ((WARD, STREET, ROOM), "浜松市中区元城町１０３－２　ハイツ１０２", (WARD, STREET, "ハイツ１０２")),
        ((WARD, STREET, ROOM), "浜松市中区元城町103番地の2 コーポ見本202", (WARD, STREET, "コーポ見本202")),
        ((WARD, STREET, ROOM), "浜松市中区元城町103番地の2コーポ見本202", (WARD, STREET, "コーポ見本202")),
        ((WARD, STREET, ROOM), "浜松市中区元城町103-2 見本ハイツ101", (WARD, STREET, "見本ハイツ101")),
        ((WARD, STREET, "A棟101"), "浜松市中区元城町103-2A棟102", (WARD, STREET, "A棟102")),
        ((WARD, None, ROOM), "浜松市中区 ハイツ102", (WARD, None, "ハイツ102")),
        # only the street changed, the building is another writing
        ((WARD, STREET, ROOM), "浜松市中区元城町103-3ﾊｲﾂ１０１", (WARD, "元城町103-3", ROOM)),
        ((WARD, STREET, ROOM), "浜松市中区元城町103-2-5 ハイツ101", (WARD, "元城町103-2-5", ROOM)),
        ((WARD, STREET, ROOM), "浜松市中区元城町103-2甲 ハイツ101", (WARD, "元城町103-2甲", ROOM)),
        # both changed
        ((WARD, STREET, ROOM), "浜松市中区元城町103-3 ハイツ102", (WARD, "元城町103-3", "ハイツ102")),
        ((WARD, STREET, ROOM), "浜松市中区元城町103-3ハイツ102", (WARD, "元城町103-3", "ハイツ102")),
        ((WARD, STREET, ROOM), "浜松市中区千歳町1 コーポ見本5", (WARD, "千歳町1", "コーポ見本5")),
        # a building that is only a number
        ((WARD, STREET, "101"), "浜松市中区元城町103-2 102", (WARD, STREET, "102")),
        ((WARD, STREET, "101"), "浜松市中区元城町103-2-102", (WARD, STREET, "102")),
        ((WARD, STREET, "101"), "浜松市中区元城町103-3-101", (WARD, "元城町103-3", "101")),
        ((WARD, STREET, "2F"), "浜松市中区元城町103-2 3F", (WARD, STREET, "3F")),
        ((WARD, STREET, "101"), "浜松市中区元城町103-3 ハイツ 101", (WARD, "元城町103-3", "ハイツ 101")),
        # a building is new, or gone with a move to another town
        ((WARD, STREET, None), "浜松市中区元城町103-2 ハイツ101", (WARD, STREET, ROOM)),
        ((WARD, STREET, ROOM), "浜松市中区千歳町1-1", (WARD, "千歳町1-1", "")),
        # numbers of blocks in kanji, digits, full width
        (
            (WARD, "北一条二丁目３番４号", ROOM),
            "浜松市中区北1条2-3-4 ハイツ102",
            (WARD, "北一条二丁目３番４号", "ハイツ102"),
        ),
        ((WARD, "大字見本字上1-2", ROOM), "浜松市中区大字見本字上1-3 ハイツ101", (WARD, "大字見本字上1-3", ROOM)),
    ],
)
def test_what_did_not_change_stays_where_it_was(held: Held, text: str, written: Held) -> None:
    assert split_beside(held, text) == written
    after = PARTS.decode((*written, "静岡県"), OPTIONS)
    assert isinstance(after, str)
    assert comparable(after) == comparable(text)


@pytest.mark.parametrize(
    ("held", "text", "prefecture", "written"),
    [
        (("横浜市", "中区本町1", None), "横浜市中区本町2", "神奈川県", ("横浜市", "中区本町2", None)),
        (("横浜市", "本町1", None), "横浜市中区本町2", "神奈川県", ("横浜市中区", "本町2", None)),
        (("茅ヶ崎市", "幸町12", None), "茅ケ崎市幸町13", "神奈川県", ("茅ヶ崎市", "幸町13", None)),
        (("西多摩郡 瑞穂町", "高根1", None), "西多摩郡瑞穂町高根2", "東京都", ("西多摩郡 瑞穂町", "高根2", None)),
        (("西多摩郡瑞穂町", "箱根ケ崎1", None), "瑞穂町箱根ケ崎2", "東京都", ("瑞穂町", "箱根ケ崎2", None)),
        (("東京都港区", "三田1", None), "東京都港区三田2", "東京都", ("東京都港区", "三田2", None)),
        (("港区麻布台", "1-2-3", None), "港区麻布台1-2-4", "東京都", ("港区麻布台", "1-2-4", None)),
        (("港区三田", "1-2", None), "港区三田町5", "東京都", ("港区", "三田町5", None)),
        (("港区麻布台1-2-3", None, None), "港区麻布台1-2-3-5", "東京都", ("港区", "麻布台1-2-3-5", None)),
        (("港区", "三田1", None), "港区三田2", None, ("港区", "三田2", None)),
        (("Minato-ku", "Shiba 1-1", None), "Minato-ku Shiba 1-2", "東京都", ("Minato-ku", "Shiba 1-2", None)),
        (("Minato-ku", "Shiba 1-1", "Heights 1"), "Minato-ku Shiba 1-1 Heights 2", "東京都",
         ("Minato-ku", "Shiba 1-1", "Heights 2")),
    ],
)  # fmt: skip
def test_the_known_municipality_counts_beside_the_table(held: Held, text: str, prefecture: str, written: Held) -> None:
    assert split_beside(held, text, prefecture) == written


@pytest.mark.parametrize(
    ("held", "text", "prefecture", "question"),
    [
        ((WARD, STREET, ROOM), "浜松市中区元城町103-2", "静岡県", "building_unclear"),  # gone, or never in freee
        ((WARD, STREET, ROOM), "浜松市中央区元城町103-2", "静岡県", "building_unclear"),
        ((WARD, STREET, ROOM), "浜松市中区元城町103-3コーポ見本202", "静岡県", "building_unclear"),
        ((WARD, STREET, ROOM), "浜松市中区元城町103-2 別館 ハイツ101", "静岡県", "building_unclear"),
        ((WARD, STREET, ROOM), "浜松市中区元城町103-2付近", "静岡県", "building_unclear"),
        ((WARD, STREET, ROOM), "浜松市中区元城町103-2、ハイツ102", "静岡県", "building_unclear"),
        ((WARD, STREET, ROOM), "浜松市中区元城町103-2甲ハイツ102", "静岡県", "building_unclear"),
        ((WARD, STREET, ROOM), "浜松市中区千歳町5 101", "静岡県", "building_unclear"),
        ((WARD, STREET, ROOM), "浜松市中区千歳町1-2-3-101", "静岡県", "building_unclear"),
        ((WARD, STREET, "101"), "浜松市中区元城町103-3101", "静岡県", "building_unclear"),
        ((WARD, STREET, None), "浜松市中区", "静岡県", "unsplittable_address"),
        ((WARD, STREET, None), "中区元城町103-3", "静岡県", "unsplittable_address"),
        ((None, None, None), "浜松市中区元城町103-3", "静岡県", "unsplittable_address"),
        (("港区", "麻布台1", None), "港区弁天1-1", "大阪府", "unsplittable_address"),
        (("横浜市", "本町1", None), "横浜市中区本町2", None, "unsplittable_address"),
        (("港区", "三田1", None), "東京都港区三田2", "大阪府", "prefecture_contradicts"),
    ],
)
def test_an_unclear_split_is_a_question(held: Held, text: str, prefecture: str | None, question: str) -> None:
    assert split_beside(held, text, prefecture) == question


PLACES = st.sampled_from([(name, city) for name, cities in TABLE.by_prefecture.items() for city in cities])
TOWNS = st.sampled_from(["本町", "大字見本字上", "北一条西", "麻布台", "市川", "見本町", "一番町", "ニセコ"])
NUMBERS = st.sampled_from(["1", "12-3", "１－２－３", "1丁目2番3号", "二丁目３－４", "103番地の2", "5番地"])
BUILDINGS = st.sampled_from(
    ["ハイツ101", "見本ビル５Ｆ", "コーポ・ひかり 3号室", "見本荘", "A棟202", "メゾン見本一番館"]
)
ROOMS = BUILDINGS | st.sampled_from(["", "101", "２０２", "2F"])
STREETS = st.builds("{}{}".format, TOWNS, NUMBERS)
GAPS = st.sampled_from([" ", "　"])


@examples(200)
@given(PLACES, STREETS, ROOMS, STREETS, ROOMS, GAPS)
def test_a_changed_text_is_split_as_it_was_joined_or_asked_about(
    place: tuple[str, str], street: str, building: str, new_street: str, new_building: str, gap: str
) -> None:
    """Every municipality: the parts that stayed are SmartHR's own, the others stand in the field they came from."""
    prefecture, city = place
    text = f"{city}{new_street}{gap}{new_building}" if new_building else f"{city}{new_street}"
    found = split_beside((city, street, building), text, prefecture)
    if isinstance(found, str):
        assert found == "building_unclear"
        assert building
        return
    assert isinstance(found, tuple)
    assert found[0] == city
    only_a_number = not building and new_building[:1].isdigit()  # which nobody can tell from the street
    if comparable(street) == comparable(new_street) and not only_a_number:
        assert found[1] == street
    if building:
        expected = building if comparable(building) == comparable(new_building) else new_building
        assert found[2] == expected
    after = PARTS.decode((*found, prefecture), OPTIONS)
    assert comparable(str(after)) == comparable(text)


@examples(200)
@given(PLACES, STREETS, BUILDINGS, BUILDINGS)
def test_a_new_building_at_the_same_place_never_moves_into_the_street(
    place: tuple[str, str], street: str, building: str, new_building: str
) -> None:
    prefecture, city = place
    found = split_beside((city, street, building), joined(city, street, new_building), prefecture)
    assert found == (city, street, building if comparable(building) == comparable(new_building) else new_building)


@examples(200)
@given(PLACES, STREETS, BUILDINGS | st.just(""))
def test_a_new_person_comes_back_with_the_text_that_was_sent(
    place: tuple[str, str], street: str, building: str
) -> None:
    prefecture, city = place
    text = joined(city, street, building)
    (sent,) = AddressInOne().encode(text, (None, None), OPTIONS)
    split = split_beside((None, None, None), sent, prefecture)
    assert isinstance(split, tuple)
    assert split[0] == city
    assert comparable(str(PARTS.decode((*split, prefecture), OPTIONS))) == comparable(text)


LATIN = st.sampled_from(["Minato-ku", "Shiba 1-1", "1-2", "Ōta", "Ｓｈｉｂａ", ""])


@given(LATIN, LATIN, LATIN | st.just("麻布ハイツ"))
def test_joining_makes_no_new_word_of_two(city: str, street: str, building: str) -> None:
    """Promise 5: Minato-ku and Shiba are two words, and the gap is for people alone: it counts in no comparison."""
    whole = joined(city, street, building)
    assert whole.split() == [word for part in (city, street, building) for word in part.split()]
    if not (city[-1:].isdigit() and street[:1].isdigit()):  # 1 and 2 are not 12, with or without the gap
        assert comparable(whole) == comparable(f"{city}{street} {building}")


def test_joining_leaves_no_gap_in_japanese() -> None:
    assert joined("港区", "麻布台1-2-3", "麻布ハイツ") == "港区麻布台1-2-3 麻布ハイツ"
    assert joined("Minato-ku", "Shiba 1-1") == "Minato-ku Shiba 1-1"
    assert joined("港区", "Shiba 1-1") == "港区Shiba 1-1"
