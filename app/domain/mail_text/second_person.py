"""The mails about changes that wait for a second person. Plain text without personal data: how many people, which
items, until when. The reason of the emergency way is told as the administrator wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.domain.enums import Direction
from app.domain.mail_text.summary import one_line
from app.domain.runs.dates import JAPAN

_LONGEST_NAME = 60
_END = ("", "このメールは送信専用のアドレスから送っています。返信はお受けできません。")


def second_person_needed(
    company: str, *, direction: Direction, items: Sequence[str], until: datetime, link: str
) -> tuple[str, str]:
    """(subject, body). `items`: what waits, in words ("口座")."""
    name, way = one_line(company, _LONGEST_NAME), _way(direction)
    lines = (
        f"{name} ご担当者様",
        "",
        f"{way}で、{'と'.join(items)}の変更が、2人目の承認を待っています。",
        "承認されるまで、この変更は反映しません。ほかの変更はいつもどおり反映します。",
        "",
        "同期を始めた人や承認した人とは別の利用者が、次のページで内容を確かめて、承認するか取り下げてください。",
        "",
        link,
        "",
        f"{_moment(until)} までに承認がないと取り下げます。違いが残っていれば、次に見つけたときにまた提案します。",
        *_END,
    )
    return f"【要承認】{way}: 2人目の承認を待っています｜{name}", "\n".join(lines) + "\n"


def second_person_expired(company: str, *, direction: Direction, people: int, link: str) -> tuple[str, str]:
    """(subject, body): nobody has decided in time."""
    name, way = one_line(company, _LONGEST_NAME), _way(direction)
    lines = (
        f"{name} ご担当者様",
        "",
        f"{way}で2人目の承認を待っていた変更（{people}人）を、期限が過ぎたため取り下げました。何も反映していません。",
        "違いが残っていれば、次に見つけたときにまた提案します。",
        "",
        link,
        *_END,
    )
    return f"【お知らせ】承認の期限が過ぎました｜{name}", "\n".join(lines) + "\n"


def decided_alone(
    company: str, *, direction: Direction, people: int, who: str, reason: str, at: datetime, link: str
) -> tuple[str, str]:
    """(subject, body) for all administrators. `who`: the administrator who has approved alone."""
    name, way = one_line(company, _LONGEST_NAME), _way(direction)
    lines = (
        "管理者の皆様",
        "",
        f"{name} の{way}で、2人目の承認を待っていた変更（{people}人）を、管理者が1人で承認しました（緊急の承認）。",
        "",
        f"承認した管理者: {who}",
        f"日時: {_moment(at)}",
        "理由:",
        *(f"  {line}" for line in reason.splitlines()),
        "",
        "心当たりがないときは、すぐに内容を確かめてください。",
        "",
        link,
        *_END,
    )
    return f"【重要】口座などの変更を1人で承認しました｜{name}", "\n".join(lines) + "\n"


def _way(direction: Direction) -> str:
    return f"{direction.source.label} から {direction.target.label} への同期"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(JAPAN):%Y-%m-%d %H:%M}"
