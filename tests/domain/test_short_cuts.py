"""Short cuts of reading and comparing: what they answer at once is what the rules would have answered."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.codecs.base import (
    KANA_CHARACTERS,
    KANA_HYPHEN,
    compared_as_text,
    digits_of,
    own_rules,
    text_of,
    written_kana,
)
from app.domain.japanese import prefectures
from app.domain.japanese.kana import HYPHENS, TO_READING, fold_hyphens, narrow, stable, without_spaces
from app.domain.japanese.normal_form import NORMAL_FORM, carried, normal, question
from app.domain.mapping import FIELDS
from app.domain.snapshot import BLANK, Unconvertible

SIGNS = (
    "abzAZ09 -_.,;\t\u00a0\u3000\u200b\u3099\u309a\u309b\u309c\u00ad\ufe0f\u2014\uff0d\uff70\uff41\uff11\uff76"
    "\uff9e\uff9fぁあがゔゝァアガヴヷヺヽヾー・ヵヶ々〇〒高髙神\ufa19葛\U000e0100😀\ue000"
)
KANA = "ァアガヴヷヺヽヾー・ヵヶ\u3000 -\uff70\uff76\uff9e゛゜あ"
texts = st.text(alphabet=SIGNS, max_size=8) | st.text(alphabet=KANA, max_size=8) | st.text(max_size=8)


@given(texts)
def test_a_text_is_compared_as_by_the_rules(text: str) -> None:
    assert compared_as_text(text) == stable(lambda part: " ".join(narrow(normal(part)).split()), text)


@given(texts)
def test_a_reading_is_written_as_by_the_rules(text: str) -> None:
    kana = carried(text, TO_READING)
    letters = set("ァ") | {chr(sign) for sign in range(ord("ァ"), ord("ヺ") + 1)}
    allowed = letters | set("ー・ヽヾ\u3000")

    def is_kana(part: str) -> bool:
        return bool(part) and set(part) <= allowed and bool(set(part) & letters)

    long_marks = "".join("ー" if sign in HYPHENS else sign for sign in kana)
    by_rules = kana if is_kana(kana) else KANA_HYPHEN if is_kana(long_marks) else KANA_CHARACTERS
    assert written_kana(text) == by_rules


@example("１２")
@given(texts)
def test_digits_are_found_as_by_the_rules(text: str) -> None:
    plain = without_spaces(fold_hyphens(narrow(normal(text)), long_vowel=True)).replace("-", "")
    assert digits_of(text) == (plain if plain.isascii() and plain.isdigit() else None)


@given(texts)
def test_a_text_is_read_as_by_the_rules(text: str) -> None:
    whole = carried(text, NORMAL_FORM)
    reason = question(text)
    assert text_of(text) == (BLANK if not whole else Unconvertible(reason) if reason else whole)


def test_every_prefecture_is_found_by_its_reading() -> None:
    for name, reading in prefectures.READINGS.items():
        assert prefectures.read_at_head(reading + "シ") == name


def test_every_codec_with_rules_of_its_own_tells_them() -> None:
    with_rules = {row.key for row in FIELDS if own_rules(row.smarthr.codec)}
    assert {"last_name_kana", "home_address_kana", "employee_number"} <= with_rules
