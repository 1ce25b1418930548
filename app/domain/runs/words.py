"""What people call the state of a run and the outcomes of its people: one word for each, the same on every page, in
mails, files, the API's labels and on the command line.

Programs read `RunState` and `ItemState`, whose values never change. People read fewer words for outcomes, because two
kinds of 要確認 ask the same of them, and one word more for runs: a run in which nobody failed is not called 一部失敗.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.domain.runs.run_state import ItemState, RunState


class RunWord(StrEnum):
    """The word for a run's state. Every value of `RunState` has one, and NEEDS_REVIEW comes in addition."""

    WAITING = "waiting"
    SURVEYING = "surveying"
    PREVIEWED = "previewed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    NEEDS_REVIEW = "needs_review"
    """Nobody failed, but somebody waits for a person."""
    PARTLY_FAILED = "partly_failed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    RunWord.WAITING: "受付済み",
    RunWord.SURVEYING: "差分を確認中",
    RunWord.PREVIEWED: "確認待ち",
    RunWord.RUNNING: "処理中",
    RunWord.SUCCEEDED: "成功",
    RunWord.NEEDS_REVIEW: "要確認あり",
    RunWord.PARTLY_FAILED: "一部失敗",
    RunWord.FAILED: "失敗",
    RunWord.CANCELLED: "取り消し",
}

ASKING = frozenset({ItemState.NEEDS_REVIEW, ItemState.CONFLICT})
"""The states that people know as one: 要確認."""


def run_word(state: RunState, counts: Mapping[ItemState, int]) -> RunWord:
    """The word for a run in this state with these outcomes."""
    if state is not RunState.PARTLY_FAILED or counts.get(ItemState.FAILED):
        return RunWord(state.value)
    if counts.get(ItemState.CANCELLED):  # a run of a former release
        return RunWord.CANCELLED
    return RunWord.NEEDS_REVIEW


def in_words(counts: Mapping[ItemState, int]) -> dict[ItemState, int]:
    """The counts with one entry per word, without zeros: everybody who waits for a person counts as NEEDS_REVIEW."""
    found: dict[ItemState, int] = {}
    for state in ItemState:
        if people := counts.get(state, 0):
            word = ItemState.NEEDS_REVIEW if state in ASKING else state
            found[word] = found.get(word, 0) + people
    return found


def states_of(word: ItemState) -> frozenset[ItemState]:
    """The states that this state's word stands for."""
    return ASKING if word in ASKING else frozenset({word})
