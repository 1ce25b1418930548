"""The mails that are no summary, word for word: what happened, what to do, where."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction
from app.domain.mail_text import notices
from app.domain.mail_text.letter import Draft
from app.domain.mail_text.rendering import as_text
from app.domain.planning.mass_change import MassChangeCode, MassChangeReason
from app.web.i18n import wording

LINK = "https://awase.example/page/abc"
LATE = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)  # the day after in Japan
NO_REPLY = "このメールは送信専用のアドレスから送っています。返信はお受けできません。"


SAY = wording("ja")


def parts(mail: Draft) -> tuple[str, list[str]]:
    """(subject, lines): every line of the body ends, and it begins with the first."""
    body = as_text(mail.lines)
    assert body.endswith("\n")
    return mail.subject, body[:-1].split("\n")


def test_freee_has_to_be_authorised_anew() -> None:
    assert parts(notices.consent_needed(SAY, "合わせ商事", link=LINK, days=7)) == (
        "【要対応】freee人事労務の認可をやり直してください｜合わせ商事",
        [
            "合わせ商事 ご担当者様",
            "",
            "freee人事労務の認可が無効になったため、従業員情報の同期を止めています。",
            "freee の管理者の方が次のページを開いて、認可をやり直してください。",
            "",
            LINK,
            "",
            "このページは 7日間使えます。認可が済むと、待っている同期は自動で続きます。",
            "この間に届いた変更の通知は失われません。",
            "",
            NO_REPLY,
        ],
    )


def test_a_run_is_held_for_these_reasons() -> None:
    reasons = [MassChangeReason(MassChangeCode.RETIRES, 12, 5), MassChangeReason(MassChangeCode.BANK_ACCOUNTS, 4, 3, 1)]
    mail = notices.run_held(SAY, "合わせ商事", direction=Direction.FREEE_TO_SMARTHR, reasons=reasons, link=LINK)
    assert parts(mail) == (
        "【要確認】freee人事労務 から SmartHR への同期で、確認を待っている変更があります｜合わせ商事",
        [
            "合わせ商事 ご担当者様",
            "",
            "freee人事労務 から SmartHR への同期で、確認なしに書き込める1日の人数を超えたため、"
            "次の変更を書き込む前に止めました。",
            "止めた変更は、承認されるまでどの同期も書き込みません。ほかの変更の同期は続いています。",
            "",
            "● 止めた理由",
            "・退職にする人が12人（1日の上限5人）",
            "・口座を書き込む人が4人（1日の上限3人、うち1人は書き込み済み）",
            "",
            "次のページで止めた変更の内容を確かめて、承認するか取り下げてください。",
            "",
            LINK,
            "",
            NO_REPLY,
        ],
    )


@pytest.mark.parametrize(
    ("since", "what"),
    [
        (LATE, "SmartHR の Webhook が 2026-11-23 00:30 に無効になりました。"),
        (None, "SmartHR の Webhook の登録が、削除または変更されています。"),
    ],
)
def test_smarthr_sends_nothing_any_more(since: datetime | None, what: str) -> None:
    assert parts(notices.webhook_silent(SAY, "合わせ商事", connection_key="renshu", since=since)) == (
        "【要対応】SmartHRからの通知が届いていません｜合わせ商事",
        [
            "合わせ商事 ご担当者様",
            "",
            what,
            "SmartHR での変更がすぐには反映されません。定期的な照合は続いているため、変更が失われることはありません。",
            "",
            "直すには、Awase を動かしているサーバーで次のコマンドを実行してください。",
            "flask connection check renshu --repair",
            "",
            NO_REPLY,
        ],
    )


def test_an_invitation_says_the_role_and_until_when() -> None:
    assert parts(notices.invited(SAY, LINK, role=Role.ADMIN, until=LATE)) == (
        "【Awase】利用者としての招待",
        [
            "Awase(SmartHR と freee人事労務の従業員情報をそろえるサービス)の利用者として招待されました。",
            "",
            "役割: 管理者",
            "",
            "次のページを開いて、パスワードを決めてください。このメールアドレスがログイン名になります。",
            "",
            LINK,
            "",
            "このページは 2026-11-23 00:30 まで、一度だけ使えます。",
            "心当たりがないときは、このメールを破棄してください。何も起こりません。",
            "",
            NO_REPLY,
        ],
    )


def test_a_long_or_forged_company_name_stays_one_short_line() -> None:
    forged = "悪\r\nBcc: thief@example.com" + "長" * 100
    for mail in (
        notices.consent_needed(SAY, forged, link=LINK, days=7),
        notices.run_held(SAY, forged, direction=Direction.SMARTHR_TO_FREEE, reasons=[], link=LINK),
        notices.webhook_silent(SAY, forged, connection_key="renshu", since=None),
    ):
        subject, body = mail.subject, as_text(mail.lines)
        name = subject.partition("｜")[2]
        assert len(name) == 60
        assert name.startswith("悪 Bcc:")
        assert body.startswith(f"{name} ご担当者様\n")
