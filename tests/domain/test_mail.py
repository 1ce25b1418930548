"""The summary mail: exactly the documented order, then our additions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from app.domain.enums import Direction, System
from app.domain.error_catalogue.catalogue import message_of, remedy_of
from app.domain.mail_text.summary import LIST_LIMIT, Outcome, RunSummary, compose, one_line
from app.domain.runs.run_state import ItemState


def outcome(number: str, code: str) -> Outcome:
    return Outcome(number, code, message_of(code), remedy_of(code))


def summary(**changes: Any) -> RunSummary:
    known: dict[str, Any] = {
        "direction": Direction.SMARTHR_TO_FREEE,
        "company": "合わせ商事",
        "run_url": "https://awase.example/history/abc",
        "started_at": datetime(2024, 3, 31, 14, 55, tzinfo=UTC),
        "finished_at": datetime(2024, 3, 31, 15, 5, tzinfo=UTC),
        "as_of_date": date(2024, 4, 1),
        "counts": {ItemState.SUCCEEDED: 3, ItemState.FAILED: 2, ItemState.UNCHANGED: 90, ItemState.CONFLICT: 1},
        "failures": (outcome("0001", "E1"), outcome("0002", "E4")),
        "reviews": (outcome("0003", "foreign_address"),),
    }
    return RunSummary(**{**known, **changes})


def places(body: str, *texts: str) -> list[int]:
    """Where each text begins, each searched after the one before; fails when one is missing."""
    found, start = [], 0
    for text in texts:
        start = body.index(text, start)
        found.append(start)
        start += len(text)
    return found


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        (Direction.SMARTHR_TO_FREEE, "SmartHRからfreee人事労務へ従業員情報を同期しました｜合わせ商事"),
        (Direction.FREEE_TO_SMARTHR, "freee人事労務からSmartHRへ従業員情報を同期しました｜合わせ商事"),
    ],
)
def test_subject(direction: Direction, expected: str) -> None:
    assert compose(summary(direction=direction))[0] == expected


def test_the_documented_parts_come_first_and_in_order() -> None:
    body = compose(summary())[1]
    rule = "─" * 30
    lines = body.splitlines()
    assert lines[0] == "合わせ商事 ご担当者様"
    assert lines[2] == "SmartHRからfreee人事労務への従業員情報の同期が終わりましたので、結果をお知らせします。"
    start = lines.index("成功: 3 件")
    assert lines[start : start + 3] == ["成功: 3 件", "失敗: 2 件", rule]
    assert lines[start + 3] == f"【0001】 失敗理由: {message_of('E1')}"
    assert lines[start + 4] == f"【0002】 失敗理由: {message_of('E4')}"
    assert "サポート" in lines[start + 5]
    assert lines[start + 7] == rule
    assert body.count(rule) == 2


def test_our_additions_follow() -> None:
    body = compose(summary(calls={System.SMARTHR: 12, System.FREEE: 34}))[1]
    places(
        body,
        "─" * 30,
        "─" * 30,
        "変更なし: 90 件",
        "要確認: 1 件",
        f"【0003】 確認事項: {message_of('foreign_address')}",
        "原因ごとの対処",
        "情報取得基準日: 2024-04-01",
        "開始: 2024-03-31 23:55　終了: 2024-04-01 00:05",
        "SmartHR 12 回、freee人事労務 34 回",
        "連携履歴: https://awase.example/history/abc",
        "送信専用",
    )


def test_the_whole_mail_line_by_line() -> None:
    failures, review = (outcome("0001", "E1"), outcome("0002", "E4"), outcome("0004", "E4")), outcome("0003", "E16")
    counts = {ItemState.FAILED: 3, ItemState.CANCELLED: 1, ItemState.CONFLICT: 1}
    told = compose(summary(counts=counts, failures=failures, reviews=(review,), calls={System.FREEE: 34}))[1]
    rule = "─" * 30
    assert told.split("\n") == [
        "合わせ商事 ご担当者様",
        "",
        "SmartHRからfreee人事労務への従業員情報の同期が終わりましたので、結果をお知らせします。",
        "",
        "成功: 0 件",
        "失敗: 3 件",
        rule,
        *(f"【{each.number}】 失敗理由: {each.message}" for each in failures),
        "もう一度試しても解決しない場合は、サポートにお問い合わせください。",
        "行った操作、手順、日時とこのメールの本文を添えていただくと、早く調べられます。",
        rule,
        "",
        "変更なし: 0 件",
        "要確認: 1 件",
        "取り消し: 1 件",
        f"【0003】 確認事項: {review.message}",
        "",
        "原因ごとの対処",
        f"■ {message_of('E4')}（2 件）",
        f"　対処: {remedy_of('E4')}",
        "　対象: 【0002】【0004】",
        f"■ {message_of('E1')}（1 件）",
        f"　対処: {remedy_of('E1')}",
        "　対象: 【0001】",
        f"■ {message_of('E16')}（1 件）",
        f"　対処: {remedy_of('E16')}",
        "　対象: 【0003】",
        "",
        "情報取得基準日: 2024-04-01",
        "開始: 2024-03-31 23:55　終了: 2024-04-01 00:05",
        "APIの呼び出し: freee人事労務 34 回",
        "連携履歴: https://awase.example/history/abc",
        "",
        "このメールは送信専用のアドレスから送っています。返信はお受けできません。",
        "",
    ]


def test_a_run_without_failures_has_the_same_frame() -> None:
    body = compose(summary(counts={ItemState.SUCCEEDED: 5}, failures=(), reviews=()))[1]
    places(
        body, "成功: 5 件", "失敗: 0 件", "─" * 30, "サポート", "─" * 30, "変更なし: 0 件", "要確認: 0 件", "連携履歴"
    )
    assert "【" not in body
    assert "原因ごとの対処" not in body
    assert "取り消し" not in body


def test_both_kinds_of_questions_are_one_number() -> None:
    body = compose(summary(counts={ItemState.NEEDS_REVIEW: 2, ItemState.CONFLICT: 3, ItemState.CANCELLED: 4}))[1]
    assert "要確認: 5 件" in body
    assert "取り消し: 4 件" in body


def test_reasons_are_grouped_by_cause_the_commonest_first() -> None:
    failures = (outcome("1", "E4"), outcome("2", "too_long"), outcome("3", "too_long"))
    body = compose(summary(failures=failures, reviews=(outcome("4", "too_long"),)))[1]
    places(
        body,
        "原因ごとの対処",
        f"■ {message_of('too_long')}（3 件）",
        f"対処: {remedy_of('too_long')}",
        "対象: 【2】【3】【4】",
        f"■ {message_of('E4')}（1 件）",
        f"対処: {remedy_of('E4')}",
        "対象: 【1】",
    )


def test_long_lists_are_capped_and_the_rest_is_counted() -> None:
    failures = tuple(outcome(f"{index:05d}", "E1") for index in range(LIST_LIMIT + 7))
    body = compose(summary(counts={ItemState.FAILED: 10_000}, failures=failures, reviews=()))[1]
    assert body.count("失敗理由") == LIST_LIMIT
    assert f"ほか {10_000 - LIST_LIMIT} 件" in body
    assert len(body) < 20_000


@pytest.mark.parametrize(("people", "rest"), [(10, ""), (11, " ほか 1 件"), (13, " ほか 3 件")])
def test_a_group_names_ten_and_counts_the_rest(people: int, rest: str) -> None:
    failures = tuple(outcome(f"{number}", "E1") for number in range(people))
    body = compose(summary(counts={ItemState.FAILED: people}, failures=failures, reviews=()))[1]
    named = "".join(f"【{number}】" for number in range(10))
    assert f"　対象: {named}{rest}\n" in body


def test_even_one_that_is_left_out_is_counted() -> None:
    body = compose(summary(counts={ItemState.FAILED: 2}, failures=(outcome("1", "E1"),), reviews=()))[1]
    assert "ほか 1 件（連携履歴で確認できます）" in body


@pytest.mark.parametrize(
    ("text", "line"), [("12345", "12345"), ("123456", "1234…"), (" 1\n2 \t 3 ", "1 2 3"), ("", "")]
)
def test_a_text_from_outside_is_one_line_of_at_most_so_many_signs(text: str, line: str) -> None:
    assert one_line(text, 5) == line


def test_the_rest_is_counted_when_only_some_are_handed_over() -> None:
    body = compose(summary(counts={ItemState.FAILED: 9}, failures=(outcome("1", "E1"),), reviews=()))[1]
    assert "ほか 8 件" in body


def test_what_stopped_the_whole_run_is_told() -> None:
    body = compose(summary(counts={}, failures=(), reviews=(), run_error="needs_consent"))[1]
    places(body, "書き込んでいません", message_of("needs_consent"), remedy_of("needs_consent"), "サポート")


@pytest.mark.parametrize(
    "company",
    [
        "悪\r\nBcc: thief@example.com",
        "悪\nBcc: thief@example.com",
        "悪\u2028Bcc: thief@example.com",
        "悪\x0b\x85Bcc: thief@example.com",
        "悪\u202eBcc: thief@example.com",
        "悪\ud800Bcc: thief@example.com",
    ],
)
def test_a_company_name_cannot_forge_headers_or_lines(company: str) -> None:
    subject, body = compose(summary(company=company))
    assert subject.endswith("｜悪 Bcc: thief@example.com")
    message = EmailMessage()
    message["Subject"] = subject
    message.set_content(body)
    assert message["Bcc"] is None
    assert b"\nBcc:" not in message.as_bytes()
    assert body.startswith("悪 Bcc: thief@example.com ご担当者様\n")


def test_numbers_cannot_forge_lines_either() -> None:
    forged = Outcome("1】\n【9999】 失敗理由: 偽", "E1", "x\ny", "z\nw")
    lines = compose(summary(failures=(forged,), reviews=()))[1].splitlines()
    assert not any(line.startswith("【9999】") for line in lines)
    assert "w" not in lines


def test_a_blank_number_is_said_and_a_very_long_one_cut() -> None:
    body = compose(summary(failures=(outcome("", "E8"), outcome("7" * 255, "E8"))))[1]
    assert "【番号なし】 失敗理由" in body
    assert max(len(line) for line in body.splitlines()) < 400


def test_the_mail_shows_nothing_of_its_people_in_logs() -> None:
    assert "0001" not in repr(summary())


def test_who_was_left_out_is_told_with_the_reasons() -> None:
    left = {"left_before": 2, "joins_later": 1}
    counts = {ItemState.SUCCEEDED: 1, ItemState.LEFT_OUT: 3}
    _, body = compose(summary(counts=counts, left_out=left, only_target_changed=4, failures=(), reviews=()))
    places(body, "対象外: 3 件", "退職しているため、対象外です。（2 件）", "入社するため、対象外です。（1 件）")
    assert "反映先だけが変わっています: 4 件" in body
