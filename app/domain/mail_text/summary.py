"""The summary mail of a run: what the app that people know tells, in its order and its form, then our additions.

It holds employee numbers, counts and reasons, never names or values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from app.domain.enums import Direction, System, Trigger
from app.domain.mail_text.healed import healed_part
from app.domain.mail_text.letter import (
    GAP,
    LONGEST_NAME,
    LONGEST_TEXT,
    RULE,
    Draft,
    Kind,
    Line,
    Words,
    fact,
    greeting,
    no_reply,
    one_line,
    said,
)
from app.domain.mail_text.people import Outcome, counted, people, remedies
from app.domain.runs.dates import JAPAN
from app.domain.runs.run_state import ItemState, RunState

_MAY_COME_TO_NOTHING = frozenset({"undo", "begin"})
_REVIEWS = (ItemState.NEEDS_REVIEW, ItemState.CONFLICT)


@dataclass(frozen=True)
class RunSummary:
    """What the mail tells. `failures` and `reviews` may be shorter than their counts: the rest is "ほか n件"."""

    direction: Direction
    company: str
    run_url: str
    started_at: datetime
    finished_at: datetime
    as_of_date: date
    counts: Mapping[ItemState, int]
    failures: Sequence[Outcome] = field(default=(), repr=False)
    reviews: Sequence[Outcome] = field(default=(), repr=False)
    causes: Mapping[ItemState, Mapping[str, int]] = field(default_factory=dict)
    """State → catalogue code → employees; {}: as `failures` and `reviews` have them."""
    told: Sequence[Outcome] = field(default=(), repr=False)
    """Employees who were written and of whom something else is to be known; their state counts them already."""
    told_count: int = 0
    healed: Sequence[str] = field(default=(), repr=False)
    """Numbers of employees of whom an earlier mail told and who wait for nobody any more; may be fewer than their
    count."""
    healed_count: int = 0
    calls: Mapping[System, int] = field(default_factory=dict)
    trigger: Trigger | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Catalogue code → people whom the run has left out."""
    only_target_changed: int = 0
    run_error: str | None = None
    """Catalogue code of the error that stopped the whole run, or None."""
    kind: str = "sync"
    """What the run is for people: "sync", "retry", "undo", "held", "second" or "begin" (approvals of what waited)."""
    result: RunState | None = None
    looked_at: int = 0
    """How many people were only looked at; they stand in no count."""
    help_from: str = field(default="", repr=False)
    """Where help is to be had: an address of a mail or of a page, or "" where none is set."""

    @property
    def failed(self) -> int:
        return self.counts.get(ItemState.FAILED, 0)

    @property
    def tried_nobody(self) -> bool:
        """The whole run was stopped before it had tried anybody: two zeros would tell nothing."""
        return self.run_error is not None and not any(self.counts.values())

    @property
    def to_review(self) -> int:
        return sum(self.counts.get(state, 0) for state in _REVIEWS)


def compose(summary: RunSummary, say: Words) -> Draft:
    """The mail in the language of these words. Its subject is one line."""
    return Draft(_subject(summary, say), (*_documented_part(summary, say), GAP, *_our_part(summary, say)))


def _subject(summary: RunSummary, say: Words) -> str:
    """A sync keeps the documented words; what is a repetition, an undo or an approval is called so."""
    company, ways = one_line(summary.company, LONGEST_NAME), _products(summary, say)
    if summary.result is RunState.CANCELLED:
        what = say("mail.cancelled_subject", work=_work(summary, say))
    elif summary.kind in _MAY_COME_TO_NOTHING and summary.result is RunState.FAILED and not _written(summary):
        what = say("mail.failed_subject", work=_work(summary, say))
    else:
        what = say(f"mail.subject.{summary.kind}", **ways)
    return say("mail.of_company", subject=what, company=company)


def _work(summary: RunSummary, say: Words) -> str:
    return say(f"mail.work.{summary.kind}", **_products(summary, say))


def _intro(summary: RunSummary, say: Words) -> str:
    cancelled = summary.result is RunState.CANCELLED
    text = say("mail.intro_cancelled" if cancelled else "mail.intro", work=_work(summary, say))
    return text[:1].upper() + text[1:]


def _products(summary: RunSummary, say: Words) -> dict[str, str]:
    return {"source": say.label(summary.direction.source), "target": say.label(summary.direction.target)}


def _written(summary: RunSummary) -> int:
    return summary.counts.get(ItemState.SUCCEEDED, 0)


# ── the documented part: labels and order are what people's mail rules know ───────────────────────────────────────────


def _documented_part(summary: RunSummary, say: Words) -> Iterator[Line]:
    yield greeting(say, summary.company)
    yield GAP
    yield said(_intro(summary, say))
    yield GAP
    if summary.tried_nobody:
        yield said(say("mail.tried_nobody"))
    else:
        yield fact(say("mail.succeeded_label"), _exactly(_written(summary), say))
        yield fact(say("mail.failed_label"), _exactly(summary.failed, say))
    yield RULE
    if summary.run_error is not None:
        yield from _stopped(summary, summary.run_error, say)
    yield from people(say, summary.failures, summary, total=summary.failed, reason=say("mail.failed_because"))
    yield from _help(summary.help_from, say)
    yield RULE


def _exactly(number: int, say: Words) -> str:
    """A number without separators, as mail rules read it."""
    return say("mail.count", n=str(number))


def _stopped(summary: RunSummary, code: str, say: Words) -> Iterator[Line]:
    yield fact(say("mail.stopped_label"), one_line(say.message(code, summary), LONGEST_TEXT))
    yield fact(say("mail.remedy_label"), one_line(say.remedy(code, summary), LONGEST_TEXT))
    yield fact(say("mail.who_label"), say.who(code, summary))
    yield GAP


def _help(help_from: str, say: Words) -> Iterator[Line]:
    yield GAP
    if help_from:
        link = help_from if "://" in help_from else f"mailto:{help_from}"
        yield said(say("mail.help_at"))
        yield fact(say("mail.help_label"), help_from, link=link)
    else:
        yield said(say("mail.help"))
    yield said(say("mail.help_with"))


# ── ours ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _our_part(summary: RunSummary, say: Words) -> Iterator[Line]:
    yield from _counts(summary, say)
    failed = counted(summary.failures, summary.causes.get(ItemState.FAILED, {}), summary.failed)
    yield from remedies(say, failed, summary, title=say("mail.to_do_failed"))
    yield from _reviews(summary, say)
    yield from _told(summary, say)
    yield from healed_part(summary.healed, summary.healed_count, say)
    yield GAP
    yield fact(say("mail.as_of_label"), summary.as_of_date.isoformat())
    yield fact(say("mail.started_label"), _clock(summary.started_at))
    yield fact(say("mail.finished_label"), _clock(summary.finished_at))
    if summary.calls:
        each = (say("mail.calls_of", system=say.label(system), n=count) for system, count in summary.calls.items())
        yield fact(say("mail.calls_label"), say("mail.and").join(each))
    url = one_line(summary.run_url, LONGEST_TEXT)
    yield fact(say("mail.history_label"), url, link=url)
    yield from no_reply(say)


def _counts(summary: RunSummary, say: Words) -> Iterator[Line]:
    counts = summary.counts
    if not summary.tried_nobody:
        yield fact(say.label(ItemState.UNCHANGED), _exactly(counts.get(ItemState.UNCHANGED, 0), say))
        yield fact(say("mail.review_label"), _exactly(summary.to_review, say))
    for state in (ItemState.CANCELLED, ItemState.LEFT_OUT):
        if counts.get(state, 0):
            yield fact(say.label(state), _exactly(counts[state], say))
    if summary.looked_at:
        yield said(say("mail.looked_at", n=summary.looked_at))
    for code, number in summary.left_out.items():
        yield _bullet(say("mail.cause", message=say.message(code, summary), n=number))
    if summary.only_target_changed:
        yield fact(say("mail.target_changed_label"), _exactly(summary.only_target_changed, say))
        yield fact(say("mail.remedy_label"), one_line(say.remedy("only_target_changed", summary), LONGEST_TEXT))


def _reviews(summary: RunSummary, say: Words) -> Iterator[Line]:
    if not summary.to_review and not summary.reviews:
        return
    yield GAP
    yield Line(Kind.SECTION, say("mail.review_title"))
    yield from people(say, summary.reviews, summary, total=summary.to_review, reason=say("mail.review_because"))
    known = [(code, number) for state in _REVIEWS for code, number in summary.causes.get(state, {}).items()]
    causes = {code: sum(number for each, number in known if each == code) for code, _ in known}
    reviewed = counted(summary.reviews, causes, summary.to_review)
    yield from remedies(say, reviewed, summary, title=say("mail.to_do_review"))


def _told(summary: RunSummary, say: Words) -> Iterator[Line]:
    if not summary.told_count:
        return
    yield GAP
    yield Line(Kind.SECTION, say("mail.moved_title", n=summary.told_count))
    yield from people(say, summary.told, summary, total=summary.told_count, reason=say("mail.moved_because"))
    causes = counted(summary.told, {}, 0)
    yield from remedies(say, causes, summary, title=say("mail.to_do_moved"))


def _bullet(text: str) -> Line:
    return Line(Kind.BULLET, one_line(text, LONGEST_TEXT))


def _clock(instant: datetime) -> str:
    return instant.astimezone(JAPAN).strftime("%Y-%m-%d %H:%M")
