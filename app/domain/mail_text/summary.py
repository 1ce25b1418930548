"""The summary mail of a run: what the app that people know tells, in its order, then our additions.

Plain text; holds employee numbers, counts and reasons, never names or values. `one_line` first puts every text from
outside on one line, so that a company's name or a number can forge neither a header nor a line of the body.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from app.domain.enums import Direction, System, Trigger
from app.domain.error_catalogue.catalogue import Who, message_of, remedy_of, who_of
from app.domain.mail_text.kinds import beside, counted, opening, told_as
from app.domain.mapping import BY_KEY
from app.domain.runs.dates import JAPAN
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import ItemState, RunState
from app.domain.vendors.answer import VendorAnswer

LIST_LIMIT = 50
"""How many employees the mail names one by one; the history page holds all of them."""
_NUMBERS_IN_GROUP = 10
_LONGEST_NAME = 60
_LONGEST_TEXT = 300
_NOT_VISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_RULE = "─" * 30


@dataclass(frozen=True)
class Outcome:
    """One employee whom a person has to look at: a code of the error catalogue with its texts."""

    number: str
    code: str
    message: str
    remedy: str
    cause: str = ""
    who: Who | None = None
    items: tuple[str, ...] = ()
    """Keys of the items that are concerned."""
    answers: tuple[VendorAnswer, ...] = field(default=(), repr=False)
    """What the vendors said, without names and values."""


@dataclass(frozen=True)
class RunSummary:
    """What the mail tells. `failures` and `reviews` may be shorter than their counts: the rest is "ほか n 件"."""

    direction: Direction
    company: str
    run_url: str
    started_at: datetime
    finished_at: datetime
    as_of_date: date
    counts: Mapping[ItemState, int]
    failures: Sequence[Outcome] = field(default=(), repr=False)
    reviews: Sequence[Outcome] = field(default=(), repr=False)
    told: Sequence[Outcome] = field(default=(), repr=False)
    """Employees who were written and of whom something else is to be known; their state counts them already."""
    told_count: int = 0
    calls: Mapping[System, int] = field(default_factory=dict)
    trigger: Trigger | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Catalogue code → people whom the run has left out."""
    only_target_changed: int = 0
    looked_at: int = 0
    """How many people were only looked at; they stand in no count."""
    kind: RunKind = RunKind.SYNC
    result: RunState | None = None
    run_error: str | None = None
    """Catalogue code of the error that stopped the whole run, or None."""


def compose(summary: RunSummary) -> tuple[str, str]:
    """(subject, body). The subject is one line."""
    body = [*_documented_part(summary), "", *_our_part(summary)]
    return _subject(summary), "\n".join(body) + "\n"


def _subject(summary: RunSummary) -> str:
    written = summary.counts.get(ItemState.SUCCEEDED, 0)
    what = told_as(summary.kind, summary.direction, result=summary.result, written=written)
    return f"{what}｜{one_line(summary.company, _LONGEST_NAME)}"


def _documented_part(summary: RunSummary) -> Iterable[str]:
    failed = summary.counts.get(ItemState.FAILED, 0)
    yield f"{one_line(summary.company, _LONGEST_NAME)} ご担当者様"
    yield ""
    yield opening(summary.kind, summary.direction, result=summary.result)
    yield ""
    yield from counted(summary.counts, stopped=summary.run_error is not None)
    yield _RULE
    if summary.run_error is not None:
        yield f"最後まで行えませんでした: {message_of(summary.run_error, summary)}"
        yield f"対処: {remedy_of(summary.run_error, summary)}"
        yield f"対応する人: {who_of(summary.run_error, summary).label}"
    yield from _listed(summary.failures, total=failed, reason="失敗理由")
    yield "もう一度試しても解決しない場合は、サポートにお問い合わせください。"
    yield "行った操作、手順、日時とこのメールの本文を添えていただくと、早く調べられます。"
    yield _RULE


def _our_part(summary: RunSummary) -> Iterable[str]:
    counts = summary.counts
    reviews = counts.get(ItemState.NEEDS_REVIEW, 0) + counts.get(ItemState.CONFLICT, 0)
    if counts or summary.run_error is None:
        yield f"変更なし: {counts.get(ItemState.UNCHANGED, 0)} 件"
        yield f"要確認: {reviews} 件"
    if counts.get(ItemState.CANCELLED, 0):
        yield f"取り消し: {counts[ItemState.CANCELLED]} 件"
    if counts.get(ItemState.LEFT_OUT, 0):
        yield f"対象外: {counts[ItemState.LEFT_OUT]} 件"
    yield from beside(summary.looked_at)
    for code, people in summary.left_out.items():
        yield f"　{message_of(code, summary)}（{people} 件）"
    if summary.only_target_changed:
        yield f"変更なしのうち、反映先だけが変わっています: {summary.only_target_changed} 件"
        yield f"　対処: {remedy_of('only_target_changed', summary)}"
    yield from _listed(summary.reviews, total=reviews, reason="確認事項")
    if summary.told_count:
        yield f"書き込みの間に変わった可能性がある項目: {summary.told_count} 件"
        yield from _listed(summary.told, total=summary.told_count, reason="お知らせ")
    yield from _grouped([*summary.failures, *summary.reviews, *summary.told])
    yield ""
    yield f"情報取得基準日: {summary.as_of_date.isoformat()}"
    yield f"開始: {_clock(summary.started_at)}　終了: {_clock(summary.finished_at)}"
    if summary.calls:
        yield "APIの呼び出し: " + "、".join(f"{system.label} {count} 回" for system, count in summary.calls.items())
    yield f"連携履歴: {one_line(summary.run_url, _LONGEST_TEXT)}"
    yield ""
    yield "このメールは送信専用のアドレスから送っています。返信はお受けできません。"


def _listed(outcomes: Sequence[Outcome], *, total: int, reason: str) -> Iterable[str]:
    """One line per employee, the first LIST_LIMIT of them."""
    shown = outcomes[:LIST_LIMIT]
    for outcome in shown:
        yield f"{_bracketed(outcome.number)} {reason}: {one_line(outcome.message, _LONGEST_TEXT)}{_items(outcome)}"
        yield from (_answered(each) for each in outcome.answers)
    left_out = max(total, len(outcomes)) - len(shown)
    if left_out > 0:
        yield f"ほか {left_out} 件（連携履歴で確認できます）"


def _items(outcome: Outcome) -> str:
    named = (*outcome.items, *(key for answer in outcome.answers for key in answer.named))
    labels = [BY_KEY[key].label for key in dict.fromkeys(named) if key in BY_KEY]
    return f"（項目: {'、'.join(labels)}）" if labels else ""


def _answered(answer: VendorAnswer) -> str:
    vendor = answer.system.label if answer.system else "製品"
    step = f"（{answer.step.label}）" if answer.step else ""
    return f"　{vendor}の返答{step}: {one_line(answer.words, _LONGEST_TEXT) or '（説明なし）'}"


def _grouped(outcomes: Sequence[Outcome]) -> Iterable[str]:
    """Employees grouped by what happened and what to do about it, the largest group first. No two groups have the same
    heading, because no two entries of the catalogue have the same message and different remedies."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.message, outcome.remedy), []).append(outcome)
    if groups:
        yield ""
        yield "原因ごとの対処"
    for (message, remedy), members in sorted(groups.items(), key=lambda group: -len(group[1])):
        yield f"■ {one_line(message, _LONGEST_TEXT)}（{len(members)} 件）"
        if members[0].cause:
            yield f"　原因: {one_line(members[0].cause, _LONGEST_TEXT)}"
        if remedy:
            yield f"　対処: {one_line(remedy, _LONGEST_TEXT)}"
        if members[0].who:
            yield f"　対応する人: {members[0].who.label}"
        yield f"　対象: {_numbers(members)}"


def _numbers(members: Sequence[Outcome]) -> str:
    shown = "".join(_bracketed(member.number) for member in members[:_NUMBERS_IN_GROUP])
    left_out = len(members) - _NUMBERS_IN_GROUP
    return f"{shown} ほか {left_out} 件" if left_out > 0 else shown


def _bracketed(number: str) -> str:
    return f"【{one_line(number, _LONGEST_NAME) or '番号なし'}】"


def _clock(instant: datetime) -> str:
    return instant.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M")


def one_line(text: str, longest: int) -> str:
    """The text on one line, cut to `longest`: each invisible sign (line ends, direction marks, halves of a surrogate
    pair) becomes a blank."""
    visible = "".join(" " if unicodedata.category(sign) in _NOT_VISIBLE else sign for sign in text)
    line = " ".join(visible.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
