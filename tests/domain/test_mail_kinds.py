"""The summary mail calls its run what it is, and its numbers never say what did not happen."""

from __future__ import annotations

import pytest

from app.domain.enums import Direction
from app.domain.mail_text.summary import compose
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import ItemState, RunState
from tests.domain.test_mail import summary

WORD = {
    RunKind.RETRY: "もう一度",
    RunKind.UNDO: "元に戻",
    RunKind.HELD: "承認",
    RunKind.SECOND: "2人目の承認",
    RunKind.BEGIN: "承認",
}


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("kind", RunKind)
def test_subject_and_first_sentence_name_the_kind(kind: RunKind, direction: Direction) -> None:
    subject, body = compose(summary(kind=kind, direction=direction, result=RunState.SUCCEEDED))
    opening = body.splitlines()[2]
    source, target = direction.source.label, direction.target.label
    for told in (subject, opening):
        assert f"{source}から{target}へ" in told
        assert WORD.get(kind, "") in told
        assert not [word for other, word in WORD.items() if word not in WORD.get(kind, "") and word in told], told
    if kind is RunKind.SYNC:
        assert subject == f"{source}から{target}へ従業員情報を同期しました｜合わせ商事"
    assert "同期しました" not in subject or kind in (RunKind.SYNC, RunKind.RETRY)


@pytest.mark.parametrize("result", [RunState.SUCCEEDED, RunState.PARTLY_FAILED, RunState.FAILED])
def test_a_sync_has_the_documented_subject_whatever_its_result(result: RunState) -> None:
    assert compose(summary(result=result))[0] == "SmartHRからfreee人事労務へ従業員情報を同期しました｜合わせ商事"


@pytest.mark.parametrize("kind", RunKind)
def test_a_cancelled_run_is_called_cancelled(kind: RunKind) -> None:
    counts = {ItemState.SUCCEEDED: 1, ItemState.CANCELLED: 2}
    subject, body = compose(summary(kind=kind, counts=counts, failures=(), reviews=(), result=RunState.CANCELLED))
    assert "取り消しました" in subject and "取り消しました" in body.splitlines()[2]
    assert "同期しました" not in subject and "取り消し: 2 件" in body


@pytest.mark.parametrize("kind", [RunKind.UNDO, RunKind.BEGIN])
def test_what_failed_was_not_done(kind: RunKind) -> None:
    subject, _ = compose(summary(kind=kind, counts={ItemState.FAILED: 2}, result=RunState.FAILED))
    assert "失敗しました" in subject and "戻しました" not in subject and "始めました" not in subject


def test_a_run_stopped_before_it_tried_anybody_says_so_instead_of_two_zeros() -> None:
    """As an IP block does."""
    body = compose(summary(counts={}, failures=(), reviews=(), run_error="E3", result=RunState.FAILED))[1]
    assert "だれの情報も書き込んでいません" in body and "IPアドレス" in body
    assert not any(line.startswith(("成功:", "失敗:", "変更なし:", "要確認:")) for line in body.splitlines())


def test_a_run_stopped_in_the_middle_counts() -> None:
    counts = {ItemState.SUCCEEDED: 1, ItemState.FAILED: 2}
    body = compose(summary(counts=counts, run_error="E3", reviews=(), result=RunState.PARTLY_FAILED))[1]
    assert "成功: 1 件" in body and "失敗: 2 件" in body


def test_who_was_only_looked_at_is_one_line() -> None:
    assert "選択していない従業員: 79 件（何も書き込んでいません）" in compose(summary(looked_at=79))[1].splitlines()
    assert "選択していない" not in compose(summary())[1]
