"""The states of a run and of an item, and how a run ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.runs.run_state import FINAL_ITEM_STATES, FINAL_RUN_STATES, ItemState, RunState, result_of
from app.domain.runs.words import RunWord

R, I = RunState, ItemState  # noqa: E741


def test_final_states() -> None:
    assert {state for state in RunState if state.is_final} == {R.SUCCEEDED, R.PARTLY_FAILED, R.FAILED, R.CANCELLED}
    assert {state for state in ItemState if not state.is_final} == {I.WAITING, I.RUNNING}


def test_every_state_has_its_own_japanese_label() -> None:
    """But 要確認, which has two states."""
    for labels in ([word.label for word in RunWord], [state.label for state in ItemState if state is not I.CONFLICT]):
        assert len(set(labels)) == len(labels)
        assert not any(label.isascii() for label in labels)
    assert I.CONFLICT.label == I.NEEDS_REVIEW.label


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, R.FAILED),  # attempted nothing: never a success
        (dict.fromkeys(ItemState, 0), R.FAILED),
        ({I.SUCCEEDED: 3}, R.SUCCEEDED),
        ({I.UNCHANGED: 3}, R.SUCCEEDED),
        ({I.SUCCEEDED: 1, I.UNCHANGED: 2}, R.SUCCEEDED),
        ({I.SUCCEEDED: 2, I.FAILED: 1}, R.PARTLY_FAILED),
        ({I.UNCHANGED: 2, I.FAILED: 1}, R.PARTLY_FAILED),
        ({I.FAILED: 2}, R.FAILED),
        ({I.FAILED: 1, I.CANCELLED: 1}, R.FAILED),
        ({I.CANCELLED: 2}, R.CANCELLED),
        ({I.SUCCEEDED: 1, I.CANCELLED: 1}, R.CANCELLED),
        ({I.SUCCEEDED: 9, I.NEEDS_REVIEW: 1}, R.PARTLY_FAILED),
        ({I.SUCCEEDED: 9, I.CONFLICT: 1}, R.PARTLY_FAILED),
        ({I.NEEDS_REVIEW: 1}, R.PARTLY_FAILED),  # a person is asked, nothing went wrong
        ({I.FAILED: 1, I.CONFLICT: 1}, R.PARTLY_FAILED),
    ],
)
def test_how_a_run_ends(counts: dict[ItemState, int], expected: RunState) -> None:
    assert result_of(counts) is expected


@given(st.dictionaries(st.sampled_from(sorted(FINAL_ITEM_STATES)), st.integers(0, 5)))
def test_a_run_succeeds_only_when_everything_did(counts: dict[ItemState, int]) -> None:
    result = result_of(counts)
    assert result in FINAL_RUN_STATES
    good = counts.get(I.SUCCEEDED, 0) + counts.get(I.UNCHANGED, 0)
    assert (result is R.SUCCEEDED) == (good == sum(counts.values()) > 0)


def test_who_is_left_out_makes_a_run_neither_good_nor_bad() -> None:
    left = {ItemState.LEFT_OUT: 5}
    assert result_of({**left, ItemState.SUCCEEDED: 1}) is RunState.SUCCEEDED
    assert result_of({**left, ItemState.FAILED: 1}) is RunState.FAILED
    assert result_of({**left, ItemState.CONFLICT: 1}) is RunState.PARTLY_FAILED
    assert result_of(left) is RunState.FAILED, "nothing was attempted"
