"""Every codec: tables of nasty values, and properties that hold for whatever comes in."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.municipalities import municipalities
from app.domain.codecs.address import ZIP_CODE, AddressKana, PrefectureCode, PrefectureName, SplitZipCode
from app.domain.codecs.bank import (
    FREEE_ACCOUNT_TYPE,
    AccountHolder,
    AccountNumber,
    PaddedDigits,
    smarthr_account_type,
)
from app.domain.codecs.base import (
    WIDTH,
    CannotEncode,
    Choice,
    Date,
    Katakana,
    Text,
    YesNo,
)
from app.domain.codecs.contact import PhoneInOne, SplitPhone, first_by_rank
from app.domain.codecs.numbers import Grouped, NumberAsInteger, NumberAsText, Yen
from app.domain.mapping import FIELDS, Place
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, Missing, Unconvertible
from tests.domain.records import CREW, EMPLOYEE
from tests.properties import examples

OPTIONS = MappingOptions(municipalities=municipalities(), create_positions=True)
EMPLOYEE_NUMBER = Text(rules=(WIDTH,))
PENSION = Grouped(groups=(4, 6), hyphens=True)
PENSION_DIGITS = Grouped(groups=(4, 6), hyphens=False)
EMPLOYMENT = Grouped(groups=(4, 6, 1), hyphens=True)
PLACES = [
    pytest.param(place, id=f"{row.key}-{i}") for row in FIELDS for i, place in enumerate((row.smarthr, row.freee))
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.text("0123456789- ", max_size=12),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
# Texts that look like the values of an HR record more often than random signs do.
TEXTS = st.one_of(
    st.text(max_size=15),
    st.text("0123456789０１２３-‐−ー 　〒+()", max_size=14),
    st.text("アイウガャュッーｱｶﾞｬあがっ・ ()（）ABｃ0－-", max_size=15),
    st.sampled_from(
        [
            *(value for value in CREW.values() if isinstance(value, str)),
            *(value for value in EMPLOYEE["profile_rule"].values() if isinstance(value, str)),
            *("male", "unselected", "widow", "one_parent", "saving", "ordinary", "東京", "沖縄県", "0001-000001-1"),
            *("港区麻布台1丁目2番3号 101", "横浜市中区本町1", "トウキョウトミナトク", "2024-02-29", "0312345678"),
        ]
    ),
)
RAW = st.one_of(JSON, TEXTS)


def decoded(codec: Any, *raw: Any) -> Any:
    return codec.decode(raw, OPTIONS)


def encoded(codec: Any, plain: Any, *current: Any) -> Any:
    return codec.encode(plain, current or (None,), OPTIONS)


def no(reason: str) -> Unconvertible:
    return Unconvertible(reason)


@pytest.mark.parametrize(
    ("codec", "raw", "state"),
    [
        (Text(), "  佐藤　", "佐藤"),
        (Text(), "　", BLANK),
        (Text(), "", BLANK),
        (Text(), None, BLANK),
        (Text(), 123, no("unknown_value")),
        (Text(), True, no("unknown_value")),
        (Text(), "\u200b\ufeff\u3164\u2060", BLANK),
        (Text(), "\u00a0\u3000\u2003", BLANK),
        (Text(), "佐\u200b藤\u00ad", "佐藤"),
        (Text(), "\u2067佐藤\u2069\r\n", "佐藤"),
        (Text(), "か\u200b\u3099", "が"),
        (Text(), "Jose\u0301", "José"),
        (Text(), "Ana\u00a0Mari", "Ana Mari"),
        (Text(), "神\ufa19", "神\ufa19"),
        (Text(), "葛\U000e0100城", "葛\U000e0100城"),
        (Text(), "A\U000e0100\ufe0e", "A"),
        (Text(), "𠮷田", "𠮷田"),
        (Text(), "佐\n藤", no("control_signs")),
        (Text(), "佐\t藤", no("control_signs")),
        (Text(), "佐\u2028藤", no("control_signs")),
        (Text(), "佐藤\x00", no("control_signs")),
        (Text(), "佐藤\ue000", no("private_signs")),
        (Text(), "佐藤😀", no("unusable_signs")),
        (Text(), "佐藤❤\ufe0f", no("unusable_signs")),
        (Text(), "佐藤\ud83d", no("unusable_signs")),
        (Text(), "佐\ufffd", no("unusable_signs")),
        (Text(), "\u202e藤佐", no("unusable_signs")),
        (Text(), "क\u200dष", no("unusable_signs")),
        (EMPLOYEE_NUMBER, "１２３", "123"),
        (EMPLOYEE_NUMBER, "００１２", "0012"),
        (EMPLOYEE_NUMBER, "Ａ－１", "A-1"),
        (EMPLOYEE_NUMBER, "①", "①"),
        (EMPLOYEE_NUMBER, 123, no("unknown_value")),
        (EMPLOYEE_NUMBER, 123.0, no("unknown_value")),
        (Text(), "00123", "00123"),
        (Katakana(), "ｻﾄｳ", "サトウ"),
        (Katakana(), "さとう　はなこ", "サトウ　ハナコ"),
        (Katakana(), "ｶﾞﾙｼｱ･ﾏﾙｹｽ", "ガルシア・マルケス"),
        (Katakana(), "ｻﾄｰ", "サトー"),
        (Katakana(), "ｻﾄ-", no("kana_hyphen")),
        (Katakana(), "サト－", no("kana_hyphen")),
        (Katakana(), "スミス-ジョーンズ", no("kana_hyphen")),
        (Katakana(), "スミス・ジョーンズ", "スミス・ジョーンズ"),
        (Katakana(), "カ゛", "ガ"),
        (Katakana(), "ハ゜", "パ"),
        (Katakana(), "ウ\u3099ィ", "ヴィ"),
        (Katakana(), "ア゛", no("kana_characters")),
        (Katakana(), "ー", no("kana_characters")),
        (Katakana(), "㋐", no("kana_characters")),
        (Katakana(), "いすゞ", "イスヾ"),
        (Katakana(), "サトウ\nハナコ", no("control_signs")),
        (Katakana(), "ヴァイオレット", "ヴァイオレット"),
        (Katakana(), "Sato", no("kana_characters")),
        (Katakana(), "佐藤", no("kana_characters")),
        (Katakana(), "サトウ1", no("kana_characters")),
        (Katakana(), True, no("unknown_value")),
        (Date(), "2024-02-29", date(2024, 2, 29)),
        (Date(), date(2024, 2, 29), date(2024, 2, 29)),
        (Date(), "2023-02-29", no("impossible_date")),
        (Date(), "20240229", no("impossible_date")),
        (Date(), "2024-W09-4", no("impossible_date")),
        (Date(), "0000-00-00", no("impossible_date")),
        (Date(), "２０２４-02-29", no("impossible_date")),
        (Date(), "", BLANK),
        (Date(), 20240229, no("unknown_value")),
        (Date(), "2024-02-30", no("impossible_date")),
        (Date(), "2024-02-29T00:00:00", no("impossible_date")),
        (Date(), "2024/02/29", no("impossible_date")),
        (Date(), "令和6年2月29日", no("impossible_date")),
        (Date(), "2024-2-9", no("impossible_date")),
        (Date(), "2024-02-29\u200b", date(2024, 2, 29)),
        (YesNo(), False, False),
        (YesNo(), True, True),
        (YesNo(), None, BLANK),
        (YesNo(), 0, no("unknown_value")),
        (YesNo(), "true", no("unknown_value")),
        (PENSION, "0123-456789", "0123-456789"),
        (PENSION, "0123456789", "0123-456789"),
        (PENSION, "０１２３‐４５６７８９", "0123-456789"),
        (PENSION, " 0123 456789 ", "0123-456789"),
        (PENSION, "012345678", no("digit_count")),
        (PENSION, "01-23456789", no("hyphen_places")),
        (PENSION, "0123-45678-9", no("hyphen_places")),
        (PENSION, "①123456789", no("letters_in_number")),
        (PENSION, "012345678\n9", no("control_signs")),
        (PENSION, "\u200b0123456789", "0123-456789"),
        (PENSION, "01234567890", no("digit_count")),
        (PENSION, "O123456789", no("letters_in_number")),
        (PENSION, "٠١٢٣٤٥٦٧٨٩", no("letters_in_number")),
        (PENSION, 123456789, no("unknown_value")),
        (EMPLOYMENT, "12345678901", "1234-567890-1"),
        (NumberAsInteger(), 7, "7"),
        (NumberAsInteger(), 0, "0"),
        (NumberAsInteger(), -1, no("unknown_value")),
        (NumberAsInteger(), 7.0, no("unknown_value")),
        (NumberAsInteger(), True, no("unknown_value")),
        (NumberAsInteger(), None, BLANK),
        (NumberAsText(), "007", "007"),
        (NumberAsText(), "００７", "007"),
        (NumberAsText(), "A7", no("letters_in_number")),
        (NumberAsText(), "12-3", no("letters_in_number")),
        (NumberAsText(), "A-123", no("letters_in_number")),
        (NumberAsText(), "-5", no("letters_in_number")),
        (NumberAsText(), "1.5", no("letters_in_number")),
        (NumberAsText(), "1e3", no("letters_in_number")),
        (NumberAsText(), "²", no("letters_in_number")),
        (NumberAsText(), 7.5, no("unknown_value")),
        (NumberAsText(), "", BLANK),
        (Yen(), 300000, 300000),
        (Yen(), 0, BLANK),
        (Yen(), 0.0, no("unknown_value")),
        (Yen(), 300000.0, no("unknown_value")),
        (Yen(), None, BLANK),
        (Yen(), -1, no("unknown_value")),
        (Yen(), "300000", no("unknown_value")),
        (Yen(), True, no("unknown_value")),
        (Yen(), False, no("unknown_value")),
        (Yen(), 2**31, no("unknown_value")),
        (ZIP_CODE, "〒106-0041", "106-0041"),
        (ZIP_CODE, "１０６ー００４１", "106-0041"),
        (ZIP_CODE, "0600001", "060-0001"),
        (ZIP_CODE, "600001", no("digit_count")),
        (PrefectureName(), "東京都", "東京都"),
        (PrefectureName(), "東京", "東京都"),
        (PrefectureName(), "京都", "京都府"),
        (PrefectureName(), "北海道", "北海道"),
        (PrefectureName(), "北海", no("unknown_value")),
        (PrefectureName(), "Tokyo", no("unknown_value")),
        (PrefectureCode(), 0, "北海道"),
        (PrefectureCode(), 46, "沖縄県"),
        (PrefectureCode(), 12, "東京都"),
        (PrefectureCode(), -1, BLANK),
        (PrefectureCode(), None, BLANK),
        (PrefectureCode(), 47, no("unknown_value")),
        (PrefectureCode(), False, no("unknown_value")),
        (PrefectureCode(), "12", no("unknown_value")),
        (PaddedDigits(length=4), "1", "0001"),
        (PaddedDigits(length=4), "０００１", "0001"),
        (PaddedDigits(length=3), "0011", no("digit_count")),
        (PaddedDigits(length=3), "A1", no("letters_in_number")),
        (PaddedDigits(length=3), "0-1", no("letters_in_number")),
        (PaddedDigits(length=3), "①", no("letters_in_number")),
        (PaddedDigits(length=3), "", BLANK),
        (AccountHolder(), "ｻﾄｳ ﾊﾅｺ", "サトウ　ハナコ"),
        (AccountHolder(), "ｶ)ﾔﾏﾀﾞ", "カ）ヤマダ"),
        (AccountHolder(), "SATO HANAKO", "ＳＡＴＯ　ＨＡＮＡＫＯ"),
        (AccountHolder(), "sato", "ＳＡＴＯ"),
        (AccountHolder(), "straße", no("kana_characters")),
        (AccountHolder(), "シヨ-ジ", "シヨ－ジ"),
        (AccountHolder(), "カ゛ルシア", "ガルシア"),
        (AccountHolder(), "㈱ヤマダ", no("kana_characters")),
        (AccountHolder(), "・", no("kana_characters")),
        (AccountHolder(), "ヤマダ\nタロウ", no("control_signs")),
        (AccountHolder(), "佐藤花子", no("kana_characters")),
        (AccountHolder(), "", BLANK),
        (PhoneInOne(), "03-1234-5678", "03-1234-5678"),
        (PhoneInOne(), "0312345678", "03-1234-5678"),
        (PhoneInOne(), "+1 212 555 1234", no("foreign_phone")),
        (PhoneInOne(), "内線12", no("unsplittable_phone")),
    ],
)
def test_reading_one_value(codec: Any, raw: object, state: object) -> None:
    assert decoded(codec, raw) == state
    assert type(decoded(codec, raw)) is type(state)


@pytest.mark.parametrize(
    ("codec", "raw", "state"),
    [
        (SplitZipCode(), ("106", "0041"), "106-0041"),
        (SplitZipCode(), ("060", "0001"), "060-0001"),
        (SplitZipCode(), ("", ""), BLANK),
        (SplitZipCode(), (None, ""), BLANK),
        (SplitZipCode(), ("106", ""), no("digit_count")),
        (SplitZipCode(), ("10", "60041"), no("digit_count")),
        (SplitZipCode(), ("1O6", "0041"), no("letters_in_number")),
        (SplitZipCode(), (106, "0041"), no("unknown_value")),
        (SplitPhone(), ("03", "1234", "5678"), "03-1234-5678"),
        (SplitPhone(), ("", "", ""), BLANK),
        (SplitPhone(), ("0312", "3456", "78"), "03-1234-5678"),
        (SplitPhone(), ("080", "1234", "567"), no("unsplittable_phone")),
        (SplitPhone(), ("03", "12\n34", "5678"), no("control_signs")),
        (SplitPhone(), ("\u200b", "", " "), BLANK),
        (SplitPhone(), ("03123", "45678", ""), "03-1234-5678"),
        (SplitPhone(), ("03", "1234", None), no("unsplittable_phone")),
        (SplitPhone(), ("03", 1234, "5678"), no("unknown_value")),
        (AccountNumber(), ("12345", "0001", "001", "saving"), "0012345"),
        (AccountNumber(), ("12345671", "9900", "018", "saving"), "1234567"),
        (AccountNumber(), ("１２３４５６７１", "９９００", "０１８", "ordinary"), "1234567"),
        (AccountNumber(), ("1234561", "9900", "018", "saving"), "1234561"),
        (AccountNumber(), ("12345", "9900", "018", "saving"), "0012345"),
        (AccountNumber(), ("12345678", "9900", "018", "saving"), no("yucho_number")),
        (AccountNumber(), ("12345670", "9900", "018", "ordinary"), no("yucho_number")),
        (AccountNumber(), ("123451", "9900", "018", "saving"), no("yucho_number")),
        (AccountNumber(), ("12345671", "9900", "019", "saving"), no("yucho_number")),
        (AccountNumber(), ("12345671", "9900", "018", "checking"), no("yucho_number")),
        (AccountNumber(), ("12345671", "9900", "018", "current"), no("yucho_number")),
        (AccountNumber(), ("123451", "9900", "019", "current"), "0123451"),
        (AccountNumber(), ("12340-12345671", "9900", "018", "saving"), no("letters_in_number")),
        (AccountNumber(), ("12345671", "0001", "001", "saving"), no("digit_count")),
        (AccountNumber(), ("12345671", None, None, None), no("digit_count")),
        (AccountNumber(), ("123456789", "9900", "018", "saving"), no("yucho_number")),
        (AccountNumber(), (None, "9900", None, None), BLANK),
        (AddressKana(with_prefecture=True), ("トウキョウトミナトク", "東京都"), "ミナトク"),
        (AddressKana(with_prefecture=True), ("ﾄｳｷﾖｳﾄ ﾐﾅﾄｸ", "東京"), "ミナトク"),
        (AddressKana(with_prefecture=True), ("ミナトク", "東京都"), "ミナトク"),
        (AddressKana(with_prefecture=True), ("キョウトフキョウトシ", "東京都"), "キョウトフキョウトシ"),
        (AddressKana(with_prefecture=True), ("キョウトシ", "京都府"), "キョウトシ"),
        (AddressKana(with_prefecture=True), ("トウキョウト", "東京都"), BLANK),
        (AddressKana(with_prefecture=True), ("ミナトク1-2", None), "ミナトク１－２"),
        (AddressKana(with_prefecture=True), ("港区", "東京都"), no("kana_characters")),
        (AddressKana(with_prefecture=False), ("トウキョウトミナトク", 12), "ミナトク"),
    ],
)
def test_reading_several_values(codec: Any, raw: tuple[Any, ...], state: object) -> None:
    assert decoded(codec, *raw) == state


@pytest.mark.parametrize(
    ("codec", "plain", "written"),
    [
        (Katakana(), "さとう", ("サトウ",)),
        (Date(), date(2024, 4, 1), ("2024-04-01",)),
        (YesNo(), False, (False,)),
        (PENSION, "0123456789", ("0123-456789",)),
        (PENSION_DIGITS, "0123-456789", ("0123456789",)),
        (EMPLOYMENT, "12345678901", ("1234-567890-1",)),
        (NumberAsInteger(), "007", (7,)),
        (NumberAsInteger(), "000", (0,)),
        (PrefectureCode(), "北海道", (0,)),
        (PrefectureCode(), "沖縄県", (46,)),
        (SplitZipCode(), "106-0041", ("106", "0041")),
        (SplitPhone(), "0980-72-1234", ("0980", "72", "1234")),
        (PhoneInOne(), "04992-2-1234", ("04992-2-1234",)),
        (PaddedDigits(length=4), "1", ("0001",)),
        (AccountHolder(), "ｻﾄｳ ﾊﾅｺ", ("サトウ　ハナコ",)),
    ],
)
def test_writing_one_value(codec: Any, plain: object, written: tuple[Any, ...]) -> None:
    assert encoded(codec, plain) == written


@pytest.mark.parametrize(
    ("codec", "plain", "reason"),
    [
        (Text(max_length=255), "あ" * 256, "too_long"),
        (Text(max_length=255), "𠮷" * 128, "too_long"),  # 256 units, which a vendor may count
        (Text(), "佐\n藤", "control_signs"),
        (Katakana(max_length=3), "サトウサ", "too_long"),
        (AccountHolder(max_length=50), "ア" * 51, "too_long"),
        (Text(), " ", "wrong_type"),
        (Text(), 5, "wrong_type"),
        (Date(), "2024-04-01", "wrong_type"),
        (YesNo(), "true", "wrong_type"),
        (Yen(), True, "wrong_type"),
        (Yen(), 0, "out_of_range"),
        (NumberAsInteger(), "9" * 11, "out_of_range"),
        (NumberAsInteger(), "2147483648", "out_of_range"),
        (NumberAsInteger(), "A7", "letters_in_number"),
        (Katakana(), "佐藤", "kana_characters"),
        (PENSION, "123", "digit_count"),
        (SplitPhone(), "12", "unsplittable_phone"),
        (PrefectureCode(), "江戸", "unknown_value"),
        (Choice(words=(("male", "male"),)), "other", "unknown_value"),
    ],
)
def test_what_cannot_be_written(codec: Any, plain: object, reason: str) -> None:
    with pytest.raises(CannotEncode) as caught:
        encoded(codec, plain)
    assert caught.value.reason == reason
    assert str(plain) not in str(caught.value)


def test_a_number_already_there_keeps_its_zeros() -> None:
    assert NumberAsText().encode("7", ("007",), OPTIONS) == ("007",)
    assert NumberAsText().encode("8", ("007",), OPTIONS) == ("8",)
    assert NumberAsText().encode("7", (None,), OPTIONS) == ("7",)


def test_an_account_number_that_is_the_same_stays_as_it_is_written() -> None:
    assert AccountNumber().encode("1234567", ("12345671", "9900", "018", "saving"), OPTIONS) == ("12345671",)
    assert AccountNumber().encode("1234567", ("12345671", "0001", "018", "saving"), OPTIONS) == ("1234567",)
    assert AccountNumber().encode("7654321", ("12345671", "9900", "018", "saving"), OPTIONS) == ("7654321",)
    assert AccountNumber().encode("1234567", (None, "9900", "018", "saving"), OPTIONS) == ("1234567",)


def test_the_reading_of_an_address_gets_its_prefecture_in_smarthr_only() -> None:
    for_smarthr, for_freee = AddressKana(with_prefecture=True), AddressKana(with_prefecture=False)
    assert for_smarthr.encode("ミナトク", (None, "東京都"), OPTIONS) == ("トウキョウトミナトク",)
    assert for_smarthr.encode("ミナトク", (None, None), OPTIONS) == ("ミナトク",)
    assert for_freee.encode("ミナトク", (None, 12), OPTIONS) == ("ミナトク",)


def test_where_only_katakana_is_taken_digits_are_not_sent() -> None:
    strict = AddressKana(with_prefecture=True, takes_signs=False)
    assert strict.encode("ミナトク　ミタ", (None, "東京都"), OPTIONS) == ("トウキョウトミナトク　ミタ",)
    with pytest.raises(CannotEncode, match="kana_characters"):
        strict.encode("ミナトク１－２", (None, "東京都"), OPTIONS)


def test_saving_is_a_false_friend_under_either_reading() -> None:
    likely, other = (smarthr_account_type(saving_is_ordinary=position) for position in (True, False))
    assert FREEE_ACCOUNT_TYPE.encode(decoded(likely, "saving"), (), OPTIONS) == ("ordinary",)
    assert FREEE_ACCOUNT_TYPE.encode(decoded(likely, "deposit"), (), OPTIONS) == ("saving",)
    assert FREEE_ACCOUNT_TYPE.encode(decoded(other, "saving"), (), OPTIONS) == ("saving",)
    assert FREEE_ACCOUNT_TYPE.encode(decoded(other, "deposit"), (), OPTIONS) == ("ordinary",)
    for reading in (likely, other):
        assert FREEE_ACCOUNT_TYPE.encode(decoded(reading, "checking"), (), OPTIONS) == ("current",)


def test_the_direction_of_ranks_is_one_switch() -> None:
    entries = [{"name": "主任", "rank": 300}, {"name": "部長", "rank": 10}, {"name": "顧問", "rank": None}]
    assert first_by_rank(entries, lowest_first=True) == 1
    assert first_by_rank(entries, lowest_first=False) == 0


@pytest.mark.parametrize(
    ("codec", "one", "other"),
    [
        (Text(), "ＡＢＣ　１", "ABC 1"),
        (Katakana(), "ｻﾄｳ ﾊﾅｺ", "サトウハナコ"),
        (PENSION, "0123-456789", "0123456789"),
        (NumberAsText(), "007", "7"),
        (PaddedDigits(length=3), "11", "011"),
        (PhoneInOne(), "03-1234-5678", "0312345678"),
        (AccountHolder(), "カ）ヤマダ・ショージ", "ｶ)ﾔﾏﾀﾞ ｼﾖ-ｼﾞ"),
        (AccountHolder(), "キャッシュ", "キヤツシユ"),
        (AddressKana(with_prefecture=True), "ミナトク１ー２", "ﾐﾅﾄｸ 1-2"),
    ],
)
def test_writings_that_are_one_value(codec: Any, one: str, other: str) -> None:
    assert codec.comparable(one) == codec.comparable(other)


@pytest.mark.parametrize(
    ("codec", "one", "other"),
    [
        (Text(), "髙橋", "高橋"),
        (Text(), "神\ufa19".replace("神", ""), "神"),
        (Katakana(), "キョウコ", "キヨウコ"),
        (Katakana(), "ヤマダ", "ヤマタ"),
        (NumberAsText(), "70", "7"),
        (AccountHolder(), "サトウ", "サトオ"),
        (Text(), "0123", "123"),
    ],
)
def test_writings_that_stay_different(codec: Any, one: str, other: str) -> None:
    assert codec.comparable(one) != codec.comparable(other)


@pytest.mark.parametrize("place", PLACES)
@examples(60)
@given(data=st.data())
def test_reading_never_raises_and_what_it_offers_reads_back(place: Place, data: st.DataObject) -> None:
    size = len(place.paths) + len(place.beside)
    raw = data.draw(st.tuples(*[RAW] * size))
    state = place.codec.decode(raw, OPTIONS)
    if isinstance(state, (Missing, Unconvertible)):
        return
    beside = raw[len(place.paths) :]
    empty = (None,) * len(place.paths)
    for current in (raw, (*empty, *beside)):
        try:
            written = place.codec.encode(state, current, OPTIONS)
        except CannotEncode:
            continue
        assert len(written) == len(place.paths)
        back = place.codec.decode((*read_back(place, written), *beside), OPTIONS)
        assert not isinstance(back, (Missing, Unconvertible))
        assert place.codec.comparable(back) == place.codec.comparable(state)


def read_back(place: Place, written: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the vendor would answer: SmartHR takes positions as names and shows them as objects."""
    if place.paths == ("positions",):
        return ([{"name": name, "rank": rank} for rank, name in enumerate(written[0])],)
    return written


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.key)
@examples(60)
@given(text=TEXTS)
def test_comparing_is_idempotent_and_the_same_on_both_sides(row: Any, text: str) -> None:
    form = row.smarthr.codec.comparable(text)
    assert row.freee.codec.comparable(text) == form
    assert row.smarthr.codec.comparable(form) == form
