"""What a run is for people: a sync, a sync done once more, an undo, or an approval of what waited."""

from __future__ import annotations

from enum import StrEnum

from app.domain.enums import Trigger


class RunKind(StrEnum):
    """What the title, the steps, the question, the buttons and the mail of a run call it."""

    SYNC = "sync"
    RETRY = "retry"
    UNDO = "undo"
    HELD = "held"
    """The approval of changes that other runs have stopped, because they were too many for a day."""
    SECOND = "second"
    """The approval of changes that wait for a second person."""
    BEGIN = "begin"
    """The approval with which the automatic sync of a direction begins."""

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    RunKind.SYNC: "同期",
    RunKind.RETRY: "もう一度",
    RunKind.UNDO: "元に戻す",
    RunKind.HELD: "止めた変更の承認",
    RunKind.SECOND: "2人目の承認",
    RunKind.BEGIN: "自動同期を始める承認",
}
_BY_TRIGGER = {Trigger.RETRY: RunKind.RETRY, Trigger.UNDO: RunKind.UNDO, Trigger.HELD: RunKind.HELD}


def kind_of(trigger: Trigger, *, second: bool = False, begins: bool = False) -> RunKind:
    """`second`: the run waits, or has waited, for a second person. `begins`: it is the preview with which automatic
    sync begins. An undo that needs a second person stays an undo."""
    if begins:
        return RunKind.BEGIN
    if second and trigger is Trigger.HELD:
        return RunKind.SECOND
    return _BY_TRIGGER.get(trigger, RunKind.SYNC)
