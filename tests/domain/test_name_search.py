"""Search by name: the digests find whom a plain search finds, in whatever writing; and they tell nobody a name."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.matching.name_search import (
    DIGEST_BYTES,
    LONGEST,
    MOST_DIGESTS,
    STEP,
    NameKeys,
    Names,
    carries,
    prefixes_of,
    searchable,
    typed,
)
from tests.plain_search import begins_with

KEYS = NameKeys({"": b"an invented key", "b": b"the key before it"}, "")
HANAKO = Names("加藤", "花子", "カトウ", "ハナコ")

NAMES = st.text("加藤花子カトウハナコャｶﾞはながゃーー-‐Aaｱ\u3000 ゛\u3099々﨑神\U000e0100", max_size=6)
PEOPLE = st.builds(Names, NAMES, NAMES, NAMES, NAMES)


def found(keys: NameKeys, text: str, names: Names, person_id: str = "1") -> bool:
    marks = keys.marks(person_id, names)
    token = keys.tokens(text).get(marks.made_by)
    return token is not None and carries(token, person_id, marks.digests)


@pytest.mark.parametrize(
    "text",
    ["加", "加藤", "加藤花", "加藤　花子", "加藤 花子", "花子", "カトウ", "かとう", "ｶﾄｳ ﾊﾅｺ", "はな", " かと"],
)
def test_she_is_found_by_the_beginning_of_name_given_name_and_kana(text: str) -> None:
    assert begins_with(HANAKO, text) and found(KEYS, text, HANAKO)


@pytest.mark.parametrize("text", ["", " ", "藤", "藤花", "子", "トウ", "加藤太", "カトウ花", "\u200b"])
def test_she_is_not_found_by_anything_else(text: str) -> None:
    assert not begins_with(HANAKO, text) and not found(KEYS, text, HANAKO)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ｶﾞｷﾞ", "がぎ"),
        ("キョウコ", "キヨウコ"),
        ("サトー", "サト-"),
        ("ＳＭＩＴＨ", "smith"),
        ("カ゛", "ガ"),
        ("葛\U000e0100城", "葛城"),
        ("\ufa19田", "神田"),
        ("ヴ", "う\u3099"),
    ],
)
def test_what_people_write_differently_and_mean_the_same(one: str, other: str) -> None:
    assert searchable(one) == searchable(other)


@given(NAMES)
def test_the_form_for_comparing_is_one_form(text: str) -> None:
    assert not re.search(r"\s|[ぁ-ゖ]|[ｦ-ﾟ]|[ァィゥェォャュョッー]", searchable(text))


@given(PEOPLE, NAMES)
def test_the_digests_find_whom_a_plain_search_finds(names: Names, text: str) -> None:
    wanted = searchable(text)[:LONGEST]
    plain = any(form.startswith(wanted) for form in names.forms) if wanted else False
    assert found(KEYS, text, names) == begins_with(names, text) == plain


@given(PEOPLE, st.integers(1, LONGEST), st.integers(0, 3))
def test_everybody_is_found_by_each_of_their_beginnings(names: Names, length: int, which: int) -> None:
    beginning = names.forms[which][:length]
    assert found(KEYS, beginning, names) == bool(beginning)


@given(PEOPLE)
def test_their_number_is_bounded_and_does_not_tell_how_long_a_name_is(names: Names) -> None:
    digests = KEYS.marks("1", names).digests
    each = {digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES)}
    assert len(prefixes_of(names)) <= len(each) <= MOST_DIGESTS and len(each) % STEP == 0 and each


def test_longer_names_are_compared_as_far_as_their_first_letters() -> None:
    long = Names("あ" * 40, "い" * 40)
    assert typed("あ" * 40) == "ア" * LONGEST and found(KEYS, "あ" * 40, long)
    assert len(KEYS.marks("1", long).digests) == STEP * DIGEST_BYTES


def test_two_people_of_one_name_have_nothing_in_common() -> None:
    """So nobody can count which names are frequent."""
    people = [KEYS.marks(str(n), HANAKO).digests for n in range(4)]
    told = [{each[at : at + DIGEST_BYTES] for at in range(0, len(each), DIGEST_BYTES)} for each in people]
    assert all(not one & other for one, other in combinations(told, 2))


def test_without_the_key_a_list_of_names_finds_nobody() -> None:
    stranger = NameKeys({"": b"another key"}, "")
    marks = KEYS.marks("1", HANAKO)
    assert not any(carries(token, "1", marks.digests) for token in stranger.tokens("加藤").values())
    assert "加藤" not in repr(HANAKO) and "key" not in repr(KEYS)[8:] and str(marks.digests) not in repr(marks)


def test_a_former_key_still_finds_and_one_that_is_gone_does_not() -> None:
    before, after = NameKeys({"b": b"the key before it"}, "b"), NameKeys({"": b"an invented key"}, "")
    marks = before.marks("1", HANAKO)
    assert carries(KEYS.tokens("花")[marks.made_by], "1", marks.digests) and marks.made_by in KEYS.known
    assert marks.made_by not in after.tokens("花") and marks.made_by not in after.known
