"""The error catalogue: complete, in Japanese, and recognising real answers of both vendors."""

from __future__ import annotations

import re

import pytest

from app.domain.error_catalogue.entries import CATALOGUE
from app.web.i18n import catalogue

OWN_WORDS = re.findall(
    r"\w+",
    """
    not_readable target_newer kept_blank lossy bank_incomplete standard_income_missing number_swapped link_ambiguous
    approved_plan_changed person_left queue_unavailable poisoned deadline connection_paused needs_consent
    refresh_unknown export_settings_missing unexpected unreachable unreadable_answer rate_limited throttled maintenance
    smarthr_subdomain_inactive plan_limit ip_not_permitted mail_refused employee_vanished gender_unselected
    abolished_widow_type unknown_value foreign_address letters_in_number kana_characters foreign_phone
    unsplittable_phone digit_count impossible_date unsplittable_address building_unclear address_without_city
    prefecture_contradicts unknown_position too_long cannot_clear
    """,
)


def test_every_documented_error_and_own_word_has_an_entry() -> None:
    assert {f"E{number}" for number in range(1, 24)} <= CATALOGUE.keys()
    assert set(OWN_WORDS) <= CATALOGUE.keys()


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_entry_speaks_japanese_and_is_complete(code: str) -> None:
    texts = catalogue("ja")
    for part in ("message", "cause", "remedy"):
        text = texts[f"causes.{code}.{part}"].removesuffix("{again}")
        assert text.endswith("。")
        assert re.search(r"[ぁ-ん]", text)
        assert "\n" not in text


def test_no_text_is_left_from_a_code_of_before() -> None:
    told = {key.split(".")[1] for key in catalogue("ja") if key.startswith("causes.")}
    assert told == {*CATALOGUE, "words"}
