"""Law: no value is shortened, guessed or beautified without a rule that proves it harmless. As properties."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.municipalities import municipalities
from app.domain.codecs.steps import read_steps
from app.domain.error_catalogue.entries import CATALOGUE
from app.domain.japanese.normal_form import normal, question
from app.domain.mapping import FIELDS, Place
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, Missing, Unconvertible
from tests.properties import examples

OPTIONS = MappingOptions(municipalities=municipalities(), create_positions=True)
INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u2066\u2060\ufeff\u00ad\u3164\u2800"
NEVER_OUT = re.compile(f"[{INVISIBLE}\x00-\x1f\x7f-\x9f\u2028\u2029\ue000-\uf8ff\ud800-\udfff]")
NASTY = st.one_of(
    st.text(max_size=12),
    st.text("0123456789０１２３-‐ー− 　\u00a0〒+()①²１９" + INVISIBLE, max_size=14),
    st.text("アカハガャッーｱｶﾊﾞﾟ゛゜\u3099\u309aかはゝ・ -－（）()ABａ\n\t" + INVISIBLE, max_size=12),
    st.text("佐藤髙神\ufa19葛\U000e0100\ufe00\ufe0f𠮷😀\ue000\ud800\u202e\r\u3000", max_size=8),
    st.from_regex(r"0[0-9]{1,4}-?[0-9]{1,4}-?[0-9]{3,5}", fullmatch=True),
    st.from_regex(r"[0-9]{7,8}", fullmatch=True),
)
# Addresses have laws of their own (test_address); these are the rows whose one text is the value.
ROWS = [row for row in FIELDS if "address" not in row.key and "prefecture" not in row.key]
PLACES = [pytest.param(place, id=f"{row.key}-{i}") for row in ROWS for i, place in enumerate((row.smarthr, row.freee))]
BESIDE = {
    "bank_account.bank_code": "9900", "bank_account_rule.bank_code": "9900",
    "bank_account.bank_branch_code": "018", "bank_account_rule.branch_code": "018",
}  # fmt: skip


def raw_of(place: Place, text: str) -> tuple[Any, ...]:
    """The text in the place's first path; ゆうちょ銀行 beside an account number."""
    if place.paths == ("positions",):
        return ([{"name": text, "rank": 1}], None)
    return (text, *(None for _ in place.paths[1:]), *(BESIDE.get(path) for path in place.beside))


def read(place: Place, text: str) -> Any:
    return place.codec.decode(raw_of(place, text), OPTIONS)


def names(place: Place, text: str) -> tuple[str, ...]:
    steps = read_steps(place.codec, raw_of(place, text), paths=len(place.paths), plain=BLANK)
    return tuple(dict.fromkeys(step.name for step in steps if step.is_rule))


def digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(sign)) for sign in text if unicodedata.category(sign) == "Nd")


@examples(150)
@given(NASTY)
def test_the_normal_form_is_final_and_holds_nothing_invisible(text: str) -> None:
    form = normal(text)
    assert normal(form) == form == form.strip()
    assert not re.search(f"[{INVISIBLE}]", form)
    if question(text) is None:
        assert not NEVER_OUT.search(form)
        assert question(form) is None


@pytest.mark.parametrize("place", PLACES)
@examples(30)
@given(text=NASTY)
def test_every_change_of_a_value_has_a_named_rule(place: Place, text: str) -> None:
    state = read(place, text)
    if not isinstance(state, str) or re.search("[a-z]", state):  # words of a closed list are translated
        return
    assert not NEVER_OUT.search(state)
    used = names(place, text)
    assert set(used) <= {code for code in CATALOGUE if code.startswith("rule_")}
    if not used:  # hyphens at their places are how the form of a vendor differs from ours
        assert state.replace("-", "") == text.replace("-", "")
    assert read(place, state) == state
    assert names(place, state) == ()


@pytest.mark.parametrize("place", PLACES)
@examples(30)
@given(text=NASTY)
def test_no_digit_is_lost_or_added_except_by_its_rule(place: Place, text: str) -> None:
    state, used = read(place, text), names(place, text)
    if not isinstance(state, str) or re.search("[a-z]", state):
        return
    before, after = digits(text), digits(state)
    if "rule_yucho" in used:
        assert len(before) == 8 and before == f"{after}1"
    elif "rule_zeros" in used:
        assert after.lstrip("0") == before.lstrip("0") and len(after) > len(before)
    elif "rule_country_code" in used:
        assert after == "0" + before.removeprefix("81").removeprefix("0")
    else:
        assert after == before


@pytest.mark.parametrize("place", PLACES)
@examples(30)
@given(text=NASTY)
def test_how_a_letter_is_coded_makes_no_difference(place: Place, text: str) -> None:
    if re.search("[\uf900-\ufaff]", text):
        return  # decomposing these replaces the letter
    assert read(place, unicodedata.normalize("NFD", text)) == read(place, unicodedata.normalize("NFC", text))
    assert read(place, f"\u200b {text}\u3000\u2060") == read(place, text)


@pytest.mark.parametrize("place", PLACES)
@examples(30)
@given(text=NASTY)
def test_what_is_compared_depends_on_the_value_alone(place: Place, text: str) -> None:
    state = read(place, text)
    if isinstance(state, (Missing, Unconvertible)):
        return
    form = place.codec.comparable(state)
    assert place.codec.comparable(form) == form
    assert form  # a value never compares like a blank


@pytest.mark.parametrize(
    "text", ["\u200b", "\ufeff\u2060", "\u3164", " \u00a0\u3000", "\u200e\u200f", "\r\n", "\u2800"]
)
@pytest.mark.parametrize("place", PLACES)
def test_what_nobody_can_see_is_blank(place: Place, text: str) -> None:
    state = read(place, text)
    assert state is Missing.BLANK or state == Unconvertible("unknown_value")  # where no text is expected at all
