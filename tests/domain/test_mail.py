"""The summary mail: exactly the documented order, then our additions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from app.domain.enums import Direction, Step, System
from app.domain.mail_text import summary as mail
from app.domain.mail_text.letter import one_line
from app.domain.mail_text.people import LIST_LIMIT, Outcome
from app.domain.mail_text.rendering import as_text
from app.domain.mail_text.summary import RunSummary
from app.domain.runs.run_state import ItemState, RunState
from app.domain.vendors.answer import VendorAnswer
from app.web.i18n import wording

JAPANESE = wording("ja")

RULE = "─" * 20


def outcome(number: str, code: str, **more: Any) -> Outcome:
    return Outcome(number, code, **more)


def compose(told: RunSummary, locale: str = "ja") -> tuple[str, str]:
    """(subject, text)"""
    draft = mail.compose(told, wording(locale))
    return draft.subject, as_text(draft.lines)


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
    lines = body.splitlines()
    assert lines[0] == "合わせ商事 ご担当者様"
    assert lines[2] == "SmartHRからfreee人事労務への従業員情報の同期が終わりましたので、結果をお知らせします。"
    start = lines.index("成功: 3件")
    assert lines[start : start + 7] == [
        "成功: 3件",
        "失敗: 2件",
        RULE,
        "従業員番号: 【0001】",
        f"失敗理由: {JAPANESE.message('E1')}",
        "従業員番号: 【0002】",
        f"失敗理由: {JAPANESE.message('E4')}",
    ]
    assert "サポート" in lines[start + 8]
    assert lines[start + 10] == RULE
    assert body.count(RULE) == 2


def test_a_rule_fits_a_telephone() -> None:
    """A full-width sign is as wide as the letters are high: 16 px at most, in 390 less the margins."""
    assert len(RULE) * 16 <= 390 - 2 * 16


def test_our_additions_follow() -> None:
    body = compose(summary(calls={System.SMARTHR: 12, System.FREEE: 34}))[1]
    places(
        body,
        RULE,
        RULE,
        "変更なし: 90件",
        "要確認: 1件",
        "● 失敗した従業員への対処",
        "● 確認が必要な従業員",
        "従業員番号: 【0003】",
        f"確認事項: {JAPANESE.message('foreign_address')}",
        "● 確認が必要な従業員への対処",
        "情報取得基準日: 2024-04-01",
        "開始: 2024-03-31 23:55",
        "終了: 2024-04-01 00:05",
        "SmartHR 12回、freee人事労務 34回",
        "連携履歴: https://awase.example/history/abc",
        "送信専用",
    )


def test_the_whole_mail_line_by_line() -> None:
    failures, review = (outcome("0001", "E1"), outcome("0002", "E4"), outcome("0004", "E4")), outcome("0003", "E16")
    counts = {ItemState.FAILED: 3, ItemState.CANCELLED: 1, ItemState.CONFLICT: 1}
    told = compose(summary(counts=counts, failures=failures, reviews=(review,), calls={System.FREEE: 34}))[1]
    towards = summary()
    assert told.split("\n") == [
        "合わせ商事 ご担当者様",
        "",
        "SmartHRからfreee人事労務への従業員情報の同期が終わりましたので、結果をお知らせします。",
        "",
        "成功: 0件",
        "失敗: 3件",
        RULE,
        "従業員番号: 【0002】",
        f"失敗理由: {JAPANESE.message('E4', towards)}",
        "従業員番号: 【0004】",
        f"失敗理由: {JAPANESE.message('E4', towards)}",
        "従業員番号: 【0001】",
        f"失敗理由: {JAPANESE.message('E1', towards)}",
        "",
        "もう一度試しても解決しない場合は、サポート（Awase の管理者）にお問い合わせください。",
        "行った操作、手順、日時とこのメールの本文を添えていただくと、早く調べられます。",
        RULE,
        "",
        "変更なし: 0件",
        "要確認: 1件",
        "取り消し: 1件",
        "",
        "● 失敗した従業員への対処",
        f"■ {JAPANESE.remedy('E4', towards)}（2件）",
        f"・{JAPANESE.message('E4', towards)}（2件） 原因: {JAPANESE.why('E4', towards)}",
        "対応する人: Awaseの管理者",
        f"■ {JAPANESE.remedy('E1', towards)}（1件）",
        f"・{JAPANESE.message('E1', towards)}（1件） 原因: {JAPANESE.why('E1', towards)}",
        "対応する人: 人事労務担当者",
        "",
        "● 確認が必要な従業員",
        "従業員番号: 【0003】",
        f"確認事項: {JAPANESE.message('E16', towards)}",
        "",
        "● 確認が必要な従業員への対処",
        f"■ {JAPANESE.remedy('E16', towards)}（1件）",
        f"・{JAPANESE.message('E16', towards)}（1件） 原因: {JAPANESE.why('E16', towards)}",
        "対応する人: 人事労務担当者",
        "",
        "情報取得基準日: 2024-04-01",
        "開始: 2024-03-31 23:55",
        "終了: 2024-04-01 00:05",
        "APIの呼び出し: freee人事労務 34回",
        "連携履歴: https://awase.example/history/abc",
        "",
        "このメールは送信専用のアドレスから送っています。返信はお受けできません。",
        "",
    ]


def test_a_run_without_failures_has_the_same_frame() -> None:
    body = compose(summary(counts={ItemState.SUCCEEDED: 5}, failures=(), reviews=()))[1]
    places(body, "成功: 5件", "失敗: 0件", RULE, "サポート", RULE, "変更なし: 0件", "要確認: 0件", "連携履歴")
    assert "【" not in body
    assert "への対処" not in body
    assert "取り消し" not in body


@pytest.mark.parametrize(
    ("contact", "line"),
    [
        ("help@example.com", "サポートの連絡先: help@example.com"),
        ("https://help.example/awase", "サポートの連絡先: https://help.example/awase"),
    ],
)
def test_where_help_is_to_be_had(contact: str, line: str) -> None:
    lines = compose(summary(help_from=contact))[1].splitlines()
    assert lines[lines.index(line) - 1] == "もう一度試しても解決しない場合は、サポートにお問い合わせください。"
    assert lines.index(line) < len(lines) - lines[::-1].index(RULE) - 1


def test_the_missing_item_is_named() -> None:
    failures = (outcome("1", "E2", items=("birth_date", "gender")), outcome("2", "E1", items=("hired_on",)))
    body = compose(summary(failures=failures))[1]
    places(body, "失敗理由: 入社年月日が入力されていません。\n", "失敗理由: 生年月日、性別が入力されていません。\n")


def test_what_the_vendor_said_stands_in_the_reason() -> None:
    answer = VendorAnswer(System.FREEE, "電話番号が不正です。", step=Step.PROFILE, named=("phone",))
    failed = outcome("1", "E17", answers=(answer, VendorAnswer(System.FREEE, "", step=Step.BANK_ACCOUNT)))
    (line,) = (line for line in compose(summary(failures=(failed,)))[1].splitlines() if line.startswith("失敗理由: "))
    assert "freee人事労務が値を受け付けませんでした。" in line and "（項目: " in line
    assert "freee人事労務の返答（本人情報）: 電話番号が不正です。" in line
    assert line.endswith("freee人事労務の返答（口座）: （説明なし）")


def test_people_whom_no_number_tells_apart_are_told_apart() -> None:
    failures = (
        outcome("", "E8", ids=((System.SMARTHR, "crew-a"), (System.FREEE, "7"))),
        outcome("", "E8", ids=((System.FREEE, "8"),)),
        outcome("", "E8", position=4),
        outcome("12", "E8", ids=((System.SMARTHR, "crew-c"),)),
        outcome("12", "E8", ids=((System.SMARTHR, "crew-d"),)),
        outcome("13", "E8", ids=((System.SMARTHR, "crew-e"),)),
    )
    body = compose(summary(counts={ItemState.FAILED: 6}, failures=failures))[1]
    named = [line for line in body.splitlines() if line.startswith("従業員番号: ")][:6]
    assert sorted(named) == sorted(
        [
            "従業員番号: 【番号なし・SmartHR の ID crew-a】",
            "従業員番号: 【番号なし・freee人事労務 の ID 8】",
            "従業員番号: 【番号なし・結果の5人目】",
            "従業員番号: 【12・SmartHR の ID crew-c】",
            "従業員番号: 【12・SmartHR の ID crew-d】",
            "従業員番号: 【13】",
        ]
    )


def test_causes_of_one_remedy_have_one_heading_and_count_everybody() -> None:
    """Also those whom the mail does not name."""
    counted = {"mail_refused": 0, "E1": 400, "unexpected": 3}
    causes = {ItemState.FAILED: {code: people for code, people in counted.items() if people}}
    body = compose(summary(counts={ItemState.FAILED: 410}, failures=(outcome("1", "E1"),), causes=causes))[1]
    assert f"■ {JAPANESE.remedy('E1', summary())}（400件）" in body
    assert f"■ {JAPANESE.remedy('unexpected', summary())}（10件）" in body
    headings = [line for line in body.splitlines() if line.startswith("■ ")]
    assert len(headings) == len({line.rpartition("（")[0] for line in headings})


@pytest.mark.parametrize(
    ("kind", "result", "subject"),
    [
        ("sync", RunState.PARTLY_FAILED, "SmartHRからfreee人事労務へ従業員情報を同期しました"),
        ("retry", RunState.SUCCEEDED, "SmartHRからfreee人事労務へ従業員情報をもう一度同期しました"),
        ("undo", RunState.SUCCEEDED, "SmartHRからfreee人事労務への従業員情報の同期を元に戻しました"),
        ("undo", RunState.CANCELLED, "SmartHRからfreee人事労務への従業員情報の同期を元に戻す処理を取り消しました"),
        ("held", RunState.SUCCEEDED, "SmartHRからfreee人事労務への同期で止めた変更の承認の結果です"),
        ("second", RunState.SUCCEEDED, "SmartHRからfreee人事労務への同期で2人目の承認を待った変更の結果です"),
        ("begin", RunState.SUCCEEDED, "SmartHRからfreee人事労務への自動同期を承認により始めました"),
    ],
)
def test_each_kind_of_run_is_called_what_it_is(kind: str, result: RunState, subject: str) -> None:
    assert compose(summary(kind=kind, result=result))[0] == f"{subject}｜合わせ商事"
    english = compose(summary(kind=kind, result=result, company="Awase"), "en")
    assert english[0].isascii() and english[1].splitlines()[2][0].isupper()


def test_an_undo_that_has_written_nothing_is_called_failed() -> None:
    subject = compose(summary(kind="undo", result=RunState.FAILED, counts={ItemState.FAILED: 2}))[0]
    assert subject.startswith("SmartHRからfreee人事労務への従業員情報の同期を元に戻す処理は失敗しました")


def test_a_run_that_tried_nobody_tells_no_zeros() -> None:
    body = compose(summary(counts={}, failures=(), reviews=(), run_error="E3"))[1]
    assert "同期を始められなかったため、だれの情報も書き込んでいません。" in body
    assert "成功" not in body and "0件" not in body


def test_those_only_looked_at_are_one_line() -> None:
    assert "選択していない従業員: 79件（何も書き込んでいません）\n" in compose(summary(looked_at=79))[1]


def test_in_english_everything_of_ours_is_english() -> None:
    answer = VendorAnswer(System.FREEE, "", step=Step.PROFILE)
    failures = (
        outcome("", "E2", items=("birth_date",), ids=((System.SMARTHR, "c1"),)),
        outcome("2", "E17", answers=(answer,)),
    )
    told = summary(company="Awase", failures=failures, help_from="help@example.com", left_out={"left_before": 2})
    subject, body = compose(told, "en")
    assert subject == "Employee data synced from SmartHR to freee HR | Awase"
    marks = str.maketrans("", "", "─●■・…")
    assert [line for line in body.splitlines() if not line.translate(marks).isascii()] == []
    places(
        body,
        "Succeeded: 3\nFailed: 2\n",
        "Employee number: [2]\nReason: freee HR did not accept the value.",
        "Employee number: [none, SmartHR ID c1]\nReason: Not filled in: Date of birth.\n",
        "Support: help@example.com",
    )


def test_both_kinds_of_questions_are_one_number() -> None:
    body = compose(summary(counts={ItemState.NEEDS_REVIEW: 2, ItemState.CONFLICT: 3, ItemState.CANCELLED: 4}))[1]
    assert "要確認: 5件" in body
    assert "取り消し: 4件" in body


def test_reasons_are_grouped_by_remedy_the_commonest_first() -> None:
    failures = (outcome("1", "E4"), outcome("2", "too_long"), outcome("3", "too_long"))
    body = compose(summary(counts={ItemState.FAILED: 3}, failures=failures, reviews=()))[1]
    places(
        body,
        "● 失敗した従業員への対処",
        f"■ {JAPANESE.remedy('too_long', summary())}（2件）",
        f"・{JAPANESE.message('too_long', summary())}（2件）",
        f"■ {JAPANESE.remedy('E4', summary())}（1件）",
        f"・{JAPANESE.message('E4', summary())}（1件）",
    )


def test_long_lists_are_capped_and_the_rest_is_counted() -> None:
    failures = tuple(outcome(f"{index:05d}", "E1") for index in range(LIST_LIMIT + 7))
    body = compose(summary(counts={ItemState.FAILED: 10_000}, failures=failures, reviews=()))[1]
    assert body.count("失敗理由") == LIST_LIMIT
    assert f"ほか {10_000 - LIST_LIMIT:,}件（連携履歴で確認できます）" in body
    assert len(body) < 20_000


def test_even_one_that_is_left_out_is_counted() -> None:
    body = compose(summary(counts={ItemState.FAILED: 2}, failures=(outcome("1", "E1"),), reviews=()))[1]
    assert "ほか 1件（連携履歴で確認できます）" in body


@pytest.mark.parametrize(
    ("text", "line"), [("12345", "12345"), ("123456", "1234…"), (" 1\n2 \t 3 ", "1 2 3"), ("", "")]
)
def test_a_text_from_outside_is_one_line_of_at_most_so_many_signs(text: str, line: str) -> None:
    assert one_line(text, 5) == line


def test_the_rest_is_counted_when_only_some_are_handed_over() -> None:
    body = compose(summary(counts={ItemState.FAILED: 9}, failures=(outcome("1", "E1"),), reviews=()))[1]
    assert "ほか 8件" in body


def test_what_stopped_the_whole_run_is_told() -> None:
    counts = {ItemState.SUCCEEDED: 1}
    body = compose(summary(counts=counts, failures=(), reviews=(), run_error="needs_consent"))[1]
    places(body, "失敗: 0件", JAPANESE.message("needs_consent"), JAPANESE.remedy("needs_consent"), "サポート")


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
    answers = (VendorAnswer(System.FREEE, "x\n従業員番号: 【9998】"),)
    forged = Outcome("1】\n従業員番号: 【9999】", "E17", items=("x\ny",), answers=answers)
    lines = compose(summary(failures=(forged,), reviews=()))[1].splitlines()
    assert len([line for line in lines if line.startswith("従業員番号")]) == 1
    assert "y" not in lines


def test_a_blank_number_is_said_and_a_very_long_one_cut() -> None:
    body = compose(summary(failures=(outcome("", "E8"), outcome("7" * 255, "E8"))))[1]
    assert "従業員番号: 【番号なし・結果の1人目】" in body
    assert max(len(line) for line in body.splitlines()) < 400


def test_the_mail_shows_nothing_of_its_people_in_logs() -> None:
    assert "0001" not in repr(summary())


def test_who_was_left_out_is_told_with_the_reasons() -> None:
    left = {"left_before": 2, "joins_later": 1}
    counts = {ItemState.SUCCEEDED: 1, ItemState.LEFT_OUT: 3}
    _, body = compose(summary(counts=counts, left_out=left, only_target_changed=4, failures=(), reviews=()))
    places(body, "対象外: 3件", "退職しているため、対象外です。（2件）", "入社するため、対象外です。（1件）")
    assert "反映先だけが変わっています: 4件" in body
