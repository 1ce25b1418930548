"""What a run is called never contradicts its counts, for every mix of outcomes and every way to end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.enums import Trigger
from app.domain.runs.kinds import RunKind, kind_of
from app.domain.runs.run_state import FINAL_ITEM_STATES, ItemState, RunState, ended_early, result_of
from app.domain.runs.words import RunWord, in_words, run_word, states_of

mixes = st.dictionaries(st.sampled_from(sorted(FINAL_ITEM_STATES)), st.integers(0, 4))
ends = st.sampled_from([None, RunState.CANCELLED, RunState.FAILED])


def word_for(counts: dict[ItemState, int], ends_as: RunState | None) -> RunWord:
    state = result_of(counts) if ends_as is None else ended_early(counts, ends_as)
    return run_word(state, counts)


@given(mixes, ends)
def test_the_word_never_contradicts_the_counts(counts: dict[ItemState, int], ends_as: RunState | None) -> None:
    word, shown = word_for(counts, ends_as), in_words(counts)
    failed, asking = shown.get(ItemState.FAILED, 0), shown.get(ItemState.NEEDS_REVIEW, 0)
    good = shown.get(ItemState.SUCCEEDED, 0) + shown.get(ItemState.UNCHANGED, 0)
    part = sum(shown.values()) - shown.get(ItemState.LEFT_OUT, 0)
    assert word in (RunWord.SUCCEEDED, RunWord.NEEDS_REVIEW, RunWord.PARTLY_FAILED, RunWord.FAILED, RunWord.CANCELLED)
    if word is RunWord.SUCCEEDED:
        assert good == part > 0
    if word is RunWord.NEEDS_REVIEW:
        assert asking and not failed and not shown.get(ItemState.CANCELLED)
    if word is RunWord.PARTLY_FAILED:
        assert failed and failed < part, "一部失敗 without a failure"
    if word is RunWord.FAILED:
        assert not shown.get(ItemState.SUCCEEDED)
        assert failed or not part or ends_as is RunState.FAILED
    if word is RunWord.CANCELLED:
        assert ends_as is RunState.CANCELLED or (shown[ItemState.CANCELLED] and not failed)
    if ends_as is RunState.CANCELLED:
        assert word is RunWord.CANCELLED, "a cancelled run is called cancelled"


@given(mixes)
def test_the_words_add_up_to_everybody(counts: dict[ItemState, int]) -> None:
    shown = in_words(counts)
    assert sum(shown.values()) == sum(counts.values())
    assert len({state.label for state in shown}) == len(shown), "one word twice"
    for word, people in shown.items():
        assert people == sum(counts.get(state, 0) for state in states_of(word))


@pytest.mark.parametrize("state", RunState)
def test_every_state_has_a_word(state: RunState) -> None:
    assert run_word(state, {ItemState.FAILED: 1}).value == state.value


def test_a_cancelled_run_of_a_former_release_is_called_cancelled() -> None:
    counts = {ItemState.SUCCEEDED: 2, ItemState.CANCELLED: 3}
    assert run_word(RunState.PARTLY_FAILED, counts) is RunWord.CANCELLED


@pytest.mark.parametrize(
    ("trigger", "second", "begins", "kind"),
    [
        *((trigger, False, False, RunKind.SYNC) for trigger in (Trigger.MANUAL, Trigger.API, Trigger.WEBHOOK)),
        (Trigger.SCHEDULE, False, False, RunKind.SYNC),
        (Trigger.SCHEDULE, False, True, RunKind.BEGIN),
        (Trigger.RETRY, False, False, RunKind.RETRY),
        (Trigger.UNDO, False, False, RunKind.UNDO),
        (Trigger.UNDO, True, False, RunKind.UNDO),
        (Trigger.HELD, False, False, RunKind.HELD),
        (Trigger.HELD, True, False, RunKind.SECOND),
    ],
)
def test_what_a_run_is_for_people(trigger: Trigger, second: bool, begins: bool, kind: RunKind) -> None:
    assert kind_of(trigger, second=second, begins=begins) is kind
