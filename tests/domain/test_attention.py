"""Which outcomes wait for a person, and what they blame."""

from __future__ import annotations

import pytest

from app.domain.enums import System
from app.domain.error_catalogue.blames import _OF_CODES, Blames, Setting, blames_of
from app.domain.error_catalogue.entries import CATALOGUE
from app.domain.mapping import BY_KEY
from app.domain.planning.attention import STANDS_ELSEWHERE, Cause, Told, cause_of_end, partner_of
from app.domain.runs.run_state import BAD_ITEM_STATES, ItemState

PHONE = Told("foreign_phone", "review", "phone")


@pytest.mark.parametrize("state", sorted(set(ItemState) - BAD_ITEM_STATES))
def test_good_and_open_states_wait_for_nobody(state: ItemState) -> None:
    assert cause_of_end(state, "E1", [PHONE]) is None


@pytest.mark.parametrize("state", sorted(BAD_ITEM_STATES))
def test_bad_states_wait_with_their_code_and_the_items_they_name(state: ItemState) -> None:
    notes = [PHONE, Told("kept_blank", "info", "title"), Told("E16", "stop", "gender")]
    assert cause_of_end(state, "E1", notes) == Cause("E1", ("gender", "phone"))
    assert cause_of_end(state, None) == Cause("unexpected")


def test_a_difference_that_stays_waits_although_nothing_failed() -> None:
    notes = [Told("target_newer", "info", "phone")]
    assert cause_of_end(ItemState.UNCHANGED, "only_target_changed", notes) == Cause("only_target_changed", ("phone",))


@pytest.mark.parametrize("code", sorted(STANDS_ELSEWHERE))
def test_what_waits_for_an_approval_hides_no_other_cause(code: str) -> None:
    own = Told(code, "review", "bank_code")
    assert cause_of_end(ItemState.CONFLICT, code, [own]) is None
    assert cause_of_end(ItemState.CONFLICT, code, [own, PHONE]) == Cause("foreign_phone", ("phone",))
    both = [own, PHONE, Told("conflict", "review", "title")]
    assert cause_of_end(ItemState.CONFLICT, code, both) == Cause("conflict", ("phone", "title"))


def test_the_same_cause_has_the_same_text() -> None:
    assert Cause("E17", ("phone", "title")).text == "E17 phone title"


def test_every_code_blames_known_items_or_settings_or_the_whole_person() -> None:
    for code in CATALOGUE:
        found = blames_of(code)
        assert found.items <= BY_KEY.keys(), code
        assert found.whole != bool(found.items or found.settings), code
    assert _OF_CODES.keys() <= CATALOGUE.keys()


def test_a_cause_may_be_gone_when_what_it_blames_has_changed() -> None:
    named = blames_of("E17", ["phone"])
    assert named.items == {"phone"} and not named.whole
    assert blames_of("E17").whole and not blames_of("E17").items
    assert blames_of("E4") == Blames(settings=frozenset({Setting.EXPORT_SETTINGS, Setting.VENDOR}))
    assert not blames_of("E4").items and not blames_of("E4").whole


def test_somebody_waits_with_the_one_candidate_of_the_other_side() -> None:
    here, there = {"system": "smarthr", "id": "c"}, {"system": "freee", "id": "7"}
    assert partner_of(None, [here, there], System.FREEE) == "7"
    assert partner_of("9", [there], System.FREEE) == "9"
    assert partner_of(None, [there, {**there, "id": "8"}], System.FREEE) is None
