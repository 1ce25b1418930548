"""Mails about a connection, once per occasion: freee has to be authorised anew, SmartHR sends no more notifications.

Plain text without personal data, like the summary mail (`domain.mail`).
"""

from __future__ import annotations

from datetime import datetime

from app.domain.dates import JAPAN
from app.domain.mail import one_line

_LONGEST_NAME = 60


def consent_needed(company: str, *, link: str, days: int) -> tuple[str, str]:
    """(subject, body). `link` leads to the page that begins the authorisation; it is good for `days`."""
    name = one_line(company, _LONGEST_NAME)
    lines = (
        f"{name} ご担当者様",
        "",
        "freee人事労務の認可が無効になったため、従業員情報の同期を止めています。",
        "freee の管理者の方が次のページを開いて、認可をやり直してください。",
        "",
        link,
        "",
        f"このページは {days} 日間使えます。認可が済むと、待っている同期は自動で続きます。",
        "この間に届いた変更の通知は失われません。",
        "",
        "このメールは送信専用のアドレスから送っています。返信はお受けできません。",
    )
    return f"【要対応】freee人事労務の認可をやり直してください｜{name}", "\n".join(lines) + "\n"


def webhook_silent(company: str, *, connection_key: str, since: datetime | None) -> tuple[str, str]:
    """(subject, body). `since`: when SmartHR switched the registration off; None: it was deleted or changed there."""
    name = one_line(company, _LONGEST_NAME)
    what = (
        f"SmartHR の Webhook が {since.astimezone(JAPAN):%Y-%m-%d %H:%M} に無効になりました。"
        if since is not None
        else "SmartHR の Webhook の登録が、削除または変更されています。"
    )
    lines = (
        f"{name} ご担当者様",
        "",
        what,
        "SmartHR での変更がすぐには反映されません。定期的な照合は続いているため、変更が失われることはありません。",
        "",
        "直すには、Awase を動かしているサーバーで次のコマンドを実行してください。",
        f"flask connection check {connection_key} --repair",
        "",
        "このメールは送信専用のアドレスから送っています。返信はお受けできません。",
    )
    return f"【要対応】SmartHRからの通知が届いていません｜{name}", "\n".join(lines) + "\n"
