"""States of a run and of its items, which steps between them are allowed, and how a run ends."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class RunState(StrEnum):
    WAITING = "waiting"
    SURVEYING = "surveying"
    PREVIEWED = "previewed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTLY_FAILED = "partly_failed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in FINAL_RUN_STATES


class ItemState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    NEEDS_REVIEW = "needs_review"
    CONFLICT = "conflict"
    FAILED = "failed"
    LEFT_OUT = "left_out"
    """Not part of the run, for a reason that stands with it: neither good nor bad."""
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in FINAL_ITEM_STATES

    @property
    def label(self) -> str:
        return _ITEM_LABELS[self]


FINAL_RUN_STATES = frozenset({RunState.SUCCEEDED, RunState.PARTLY_FAILED, RunState.FAILED, RunState.CANCELLED})
FINAL_ITEM_STATES = frozenset(set(ItemState) - {ItemState.WAITING, ItemState.RUNNING})

_ITEM_LABELS = {
    ItemState.WAITING: "待機中",
    ItemState.RUNNING: "処理中",
    ItemState.SUCCEEDED: "成功",
    ItemState.UNCHANGED: "変更なし",
    ItemState.NEEDS_REVIEW: "要確認",
    ItemState.CONFLICT: "要確認",
    ItemState.FAILED: "失敗",
    ItemState.LEFT_OUT: "対象外",
    ItemState.CANCELLED: "取り消し",
}


def result_of(counts: Mapping[ItemState, int]) -> RunState:
    """The final state of a run whose items are all final and which nobody has ended before.

    A run that attempted nothing is never SUCCEEDED: without a single item, or with nobody but people who are left out,
    it is FAILED. Items that wait for a person (要確認) are no failures, but they keep the run from being a plain
    success; `words.run_word` says then that somebody is to be looked at. Items that were cancelled make a run CANCELLED
    unless another one failed. Who is left out beside others changes nothing.
    """
    total = sum(counts.values()) - counts.get(ItemState.LEFT_OUT, 0)
    good = counts.get(ItemState.SUCCEEDED, 0) + counts.get(ItemState.UNCHANGED, 0)
    failed, cancelled = counts.get(ItemState.FAILED, 0), counts.get(ItemState.CANCELLED, 0)
    if not total or (failed and failed + cancelled == total):
        return RunState.FAILED
    if good == total:
        return RunState.SUCCEEDED
    if cancelled and not failed:
        return RunState.CANCELLED
    return RunState.PARTLY_FAILED


def ended_early(counts: Mapping[ItemState, int], ends_as: RunState) -> RunState:
    """The final state of a run that was ended before all its people had their turn.

    A cancelled run is CANCELLED whatever it had done until then. A run that was stopped before anything was written is
    FAILED; what it had written counts.
    """
    if ends_as is RunState.CANCELLED or not counts.get(ItemState.SUCCEEDED):
        return ends_as
    return result_of(counts)


BAD_ITEM_STATES = frozenset({ItemState.FAILED, ItemState.NEEDS_REVIEW, ItemState.CONFLICT})
