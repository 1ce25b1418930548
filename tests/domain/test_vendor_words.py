"""The vendor's own words: kept and read back as they are, the items they speak of, and what is hidden in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.enums import Step, System
from app.domain.error_catalogue.vendor_words import MASK, masked, named_items
from app.domain.mapping import FIELDS
from app.domain.vendors.answer import VendorAnswer, packed, unpacked
from tests.properties import examples

WORDS = st.text(st.characters(codec="utf-8"), max_size=60)
KEYS = st.lists(st.sampled_from([row.key for row in FIELDS]), max_size=3).map(tuple)
ANSWERS = st.builds(
    VendorAnswer, st.sampled_from([*System, None]), WORDS, KEYS, st.sampled_from([*Step, None]), KEYS, KEYS
)


@examples(100)
@given(st.lists(ANSWERS, unique=True, max_size=4))
def test_answers_come_back_as_they_were_kept(answers: list[VendorAnswer]) -> None:
    assert unpacked(packed(answers)) == tuple(answers)


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (None, []),
        ("", []),
        ("status 400", []),
        ("E22", []),
        ("[1]", []),
        ("電話番号が不正です", ["電話番号が不正です"]),
    ],
)
def test_what_an_earlier_version_kept_is_read(kept: str | None, words: list[str]) -> None:
    assert [answer.words for answer in unpacked(kept)] == words


@examples(200)
@given(WORDS, st.integers(100, 10**10).map(str), WORDS)
def test_no_number_of_three_digits_and_more_stays(before: str, number: str, after: str) -> None:
    told = masked(f"{before} {number} {after}")
    assert number not in told or number in f"{before}{after}"


@examples(200)
@given(WORDS, st.text(st.characters(codec="utf-8", categories=["L"]), min_size=2, max_size=12), WORDS)
def test_no_given_value_stays(before: str, value: str, after: str) -> None:
    assert value not in masked(f"{before}{value}{after}", [value])


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("標準報酬月額が不正です。", "標準報酬月額が不正です。"),
        ("口座番号は7桁で入力してください。", "口座番号は7桁で入力してください。"),
        ("「口座番号」が不正です。", "「口座番号」が不正です。"),
        ("口座番号「1234567」が不正です。", f"口座番号「{MASK}」が不正です。"),
        ("口座番号123-4567が不正です。", f"口座番号{MASK}が不正です。"),
        ("標準報酬月額 300,000円は使えません。", f"標準報酬月額 {MASK}円は使えません。"),
        ("１２３は使えません。", f"{MASK}は使えません。"),
        ("名義ミホン タロウは使えません。", f"名義{MASK}は使えません。"),
    ],
)
def test_what_may_be_a_value_is_hidden_and_the_fault_stays(words: str, shown: str) -> None:
    assert masked(words) == shown


@pytest.mark.parametrize(
    ("system", "words", "fields", "sent", "named"),
    [
        (System.FREEE, "標準報酬月額が不正です。", (), ("health_insured_number", "health_standard_income"), (1,)),
        (System.FREEE, "口座名義を入力してください。", (), ("first_name", "bank_account_holder"), (1,)),
        (System.FREEE, "名が長すぎます。", (), ("first_name", "bank_account_holder"), (0,)),
        (System.FREEE, "入社日が不正です。", (), ("hired_on", "birth_date"), (0,)),
        (System.FREEE, "住民票住所の郵便番号", (), ("home_zip_code", "registered_zip_code"), (1,)),
        (System.FREEE, "郵便番号が不正です。", (), ("home_zip_code", "registered_zip_code"), (0, 1)),
        (System.FREEE, "不正です。", (), ("phone",), (0,)),
        (System.FREEE, "不正です。", (), ("phone", "title"), ()),
        (System.FREEE, "invalid", ("account_number",), ("bank_code", "bank_account_number"), (1,)),
        (System.SMARTHR, "不正です。", ("last_name",), ("last_name", "first_name"), (0,)),
        (System.SMARTHR, "不正です。", ("address.city",), ("home_address", "home_zip_code"), (0,)),
        (System.SMARTHR, "不正です。", ("crew.tel_number",), ("phone", "title"), (0,)),
    ],
)
def test_the_items_of_which_the_answer_speaks(
    system: System, words: str, fields: tuple[str, ...], sent: tuple[str, ...], named: tuple[int, ...]
) -> None:
    assert named_items(VendorAnswer(system, words, fields), sent) == tuple(sent[place] for place in named)
