"""What the summary mail says of the kind of its run: subject, opening and counts.

A plain sync keeps the documented words to the letter. A repetition, an undo, an approval and a cancelled run are called
what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.domain.enums import Direction
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import ItemState, RunState

_DONE: Mapping[RunKind, str] = {
    RunKind.SYNC: "{source}から{target}へ従業員情報を同期しました",
    RunKind.RETRY: "{source}から{target}へ従業員情報をもう一度同期しました",
    RunKind.UNDO: "{source}から{target}への従業員情報の同期を元に戻しました",
    RunKind.HELD: "{source}から{target}への同期で止めた変更の承認の結果です",
    RunKind.SECOND: "{source}から{target}への同期で2人目の承認を待った変更の結果です",
    RunKind.BEGIN: "{source}から{target}への自動同期を承認により始めました",
}
_WORK: Mapping[RunKind, str] = {
    RunKind.SYNC: "{source}から{target}への従業員情報の同期",
    RunKind.RETRY: "{source}から{target}への、もう一度の従業員情報の同期",
    RunKind.UNDO: "{source}から{target}への従業員情報の同期を元に戻す処理",
    RunKind.HELD: "{source}から{target}への同期で止めた変更の承認",
    RunKind.SECOND: "{source}から{target}への同期の、2人目の承認",
    RunKind.BEGIN: "{source}から{target}への自動同期を始める承認",
}


def told_as(kind: RunKind, direction: Direction, *, result: RunState | None, written: int) -> str:
    """The subject without the company. `result`: how the run ended; `written`: how many people it has written."""
    if result is RunState.CANCELLED:
        return f"{_work(kind, direction)}を取り消しました"
    if kind in (RunKind.UNDO, RunKind.BEGIN) and result is RunState.FAILED and not written:
        return f"{_work(kind, direction)}は失敗しました"
    return _DONE[kind].format(**_systems(direction))


def opening(kind: RunKind, direction: Direction, *, result: RunState | None) -> str:
    """The first sentence."""
    what = _work(kind, direction)
    if result is RunState.CANCELLED:
        return f"{what}を取り消しましたので、それまでの結果をお知らせします。"
    return f"{what}が終わりましたので、結果をお知らせします。"


def counted(counts: Mapping[ItemState, int], *, stopped: bool) -> Iterable[str]:
    """The lines of 成功 and 失敗. `stopped`: the whole run was stopped by an error. One that was stopped before it had
    tried anybody counts nobody, so it says that instead of two zeros."""
    if stopped and not any(counts.values()):
        yield "同期を始められなかったため、だれの情報も書き込んでいません。"
        return
    yield f"成功: {counts.get(ItemState.SUCCEEDED, 0)} 件"
    yield f"失敗: {counts.get(ItemState.FAILED, 0)} 件"


def beside(looked_at: int) -> Iterable[str]:
    """The one line about people who were only looked at."""
    if looked_at:
        yield f"選択していない従業員: {looked_at} 件（何も書き込んでいません）"


def _work(kind: RunKind, direction: Direction) -> str:
    return _WORK[kind].format(**_systems(direction))


def _systems(direction: Direction) -> dict[str, str]:
    return {"source": direction.source.label, "target": direction.target.label}
