"""The mails that tell no result of a run, but news: an administrator has to authorise freee anew, SmartHR sends no
more notifications, changes wait for a person, automatic sync waits to begin, a person is invited to become a user.

Plain text without personal data, like the summary mail (`domain.mail`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.enums import Direction, System
from app.domain.mail_text.summary import one_line
from app.domain.planning.mass_change import Effect
from app.domain.runs.dates import JAPAN

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


def run_held(company: str, *, direction: Direction, reasons: Sequence[str], link: str) -> tuple[str, str]:
    """(subject, body). `reasons`: why the run is held, in words. `link` leads to the page that shows all plans."""
    name = one_line(company, _LONGEST_NAME)
    way = f"{direction.source.label} から {direction.target.label} への同期"
    lines = (
        f"{name} ご担当者様",
        "",
        f"{way}で、確認なしに書き込める1日の人数を超えたため、次の変更を書き込む前に止めました。",
        "止めた変更は、承認されるまでどの同期も書き込みません。ほかの変更の同期は続いています。",
        "",
        "【止めた理由】",
        *(f"・{reason}" for reason in reasons),
        "",
        "次のページで止めた変更の内容を確かめて、承認するか取り下げてください。",
        "",
        link,
        "",
        "このメールは送信専用のアドレスから送っています。返信はお受けできません。",
    )
    return f"【要確認】{way}で、確認を待っている変更があります｜{name}", "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Expected:
    """What approving the preview of a beginning would do. `gathered`: people whom webhooks have named meanwhile."""

    people: int
    consequences: Mapping[Effect, int]
    questions: int
    gathered: int


def automatic_begins(company: str, *, direction: Direction, expected: Expected, link: str) -> tuple[str, str]:
    """(subject, body). `link` leads to the preview with which the automatic sync begins."""
    name = one_line(company, _LONGEST_NAME)
    found = expected.consequences
    parts = (
        ("新規登録", found.get(Effect.CREATE, 0)),
        ("退職", found.get(Effect.RETIRE, 0)),
        ("値の消去", found.get(Effect.BLANK, 0)),
        ("口座の変更", found.get(Effect.BANK, 0)),
    )
    lines = (
        f"{name} ご担当者様",
        "",
        f"{direction.source.label} から {direction.target.label} への自動同期は、確認してから始まります。",
        "まだ何も書き込んでいません。承認されるまで、自動では書き込みません。",
        "",
        f"書き込む予定の従業員: {expected.people} 人",
        *(f"・{what}: {count} 人" for what, count in parts if count),
        *([f"人の判断が必要な従業員: {expected.questions} 人"] if expected.questions else []),
        *([f"変更の通知が届き、承認を待っている従業員: {expected.gathered} 人"] if expected.gathered else []),
        "",
        "次のページで内容を確かめて、承認するか取り下げてください。",
        "",
        link,
        "",
        "選ばなかった従業員の差分は、どちらかの値が変わるまで自動では書き込みません。",
        "",
        "このメールは送信専用のアドレスから送っています。返信はお受けできません。",
    )
    return (
        f"【要確認】自動同期を始める前の確認（{direction.source.label} → {direction.target.label}）｜{name}",
        "\n".join(lines) + "\n",
    )


def unreadable(company: str, *, items: Sequence[tuple[System, str]], link: str) -> tuple[str, str]:
    """(subject, body). `items`: (system, label) of what the token reads for nobody any more. `link` leads to the page
    where an administrator answers."""
    name = one_line(company, _LONGEST_NAME)
    lines = (
        f"{name} ご担当者様",
        "",
        "これまで値のあった次の項目が、どの従業員についても読めなくなりました。",
        "",
        *(f"・{system.label}: {label}" for system, label in items),
        "",
        "アクセストークンの許可がなくなったのか、全員の値が削除されたのかを、Awase は区別できません。",
        "どちらか分かるまで、これらの項目は同期しません。もう一方の値を消すこともありません。",
        "",
        "・許可がなくなったときは、アクセストークンに参照の許可を戻してください。次の照合で同期に戻ります。",
        "・全員の値を削除したときは、次のページで「全員の値を削除した」と答えてください。",
        "",
        link,
        "",
        "このメールは送信専用のアドレスから送っています。返信はお受けできません。",
    )
    return f"【要確認】読めなくなった項目があります｜{name}", "\n".join(lines) + "\n"


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


def invited(link: str, *, role: str, until: datetime) -> tuple[str, str]:
    """(subject, body) of an invitation to become a user. `link` is good once, and only until `until`."""
    lines = (
        "Awase(SmartHR と freee人事労務の従業員情報をそろえるサービス)の利用者として招待されました。",
        "",
        f"役割: {role}",
        "",
        "次のページを開いて、パスワードを決めてください。このメールアドレスがログイン名になります。",
        "",
        link,
        "",
        f"このページは {until.astimezone(JAPAN):%Y-%m-%d %H:%M} まで、一度だけ使えます。",
        "心当たりがないときは、このメールを破棄してください。何も起こりません。",
        "",
        "このメールは送信専用のアドレスから送っています。返信はお受けできません。",
    )
    return "【Awase】利用者としての招待", "\n".join(lines) + "\n"
