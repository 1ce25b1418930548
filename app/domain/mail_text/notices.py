"""The mails that tell no result of a run, but news: an administrator has to authorise freee anew, SmartHR sends no
more notifications, changes wait for a person, automatic sync waits to begin, a person is invited to become a user.

Without personal data, like the summary mail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.enums import Direction, System
from app.domain.mail_text.letter import (
    GAP,
    LONGEST_NAME,
    LONGEST_TEXT,
    Draft,
    Kind,
    Line,
    Words,
    bullets,
    fact,
    greeting,
    linked,
    no_reply,
    one_line,
    said,
)
from app.domain.planning.mass_change import Effect, MassChangeReason, sentence
from app.domain.runs.dates import JAPAN

BANK = "bank"
"""Stands for the five items of a bank account, which are one thing in a mail."""


def consent_needed(say: Words, company: str, *, link: str, days: int) -> Draft:
    """`link` leads to the page that begins the authorisation; it is good for `days`."""
    name = one_line(company, LONGEST_NAME)
    lines = (
        greeting(say, name),
        GAP,
        said(say("mail.consent.stopped")),
        said(say("mail.consent.please")),
        GAP,
        linked(link),
        GAP,
        said(say("mail.consent.days", n=days)),
        said(say("mail.consent.nothing_lost")),
        *no_reply(say),
    )
    return Draft(say("mail.consent.subject", company=name), lines)


def run_held(
    say: Words, company: str, *, direction: Direction, reasons: Sequence[MassChangeReason], link: str
) -> Draft:
    """`reasons`: why the run is held. `link` leads to the page that shows all plans."""
    name, way = one_line(company, LONGEST_NAME), way_of(say, direction)
    lines = (
        greeting(say, name),
        GAP,
        said(say("mail.held.stopped", way=way)),
        said(say("mail.held.rest")),
        GAP,
        Line(Kind.SECTION, say("mail.held.why")),
        *bullets(say.tell(sentence(each)) for each in reasons),
        GAP,
        said(say("mail.held.please")),
        GAP,
        linked(link),
        *no_reply(say),
    )
    return Draft(say("mail.held.subject", way=way, company=name), lines)


@dataclass(frozen=True)
class Expected:
    """What approving the preview of a beginning would do. `gathered`: people whom webhooks have named meanwhile."""

    people: int
    consequences: Mapping[Effect, int]
    questions: int
    gathered: int


def automatic_begins(say: Words, company: str, *, direction: Direction, expected: Expected, link: str) -> Draft:
    """`link` leads to the preview with which the automatic sync begins."""
    name = one_line(company, LONGEST_NAME)
    ways = {"source": say.label(direction.source), "target": say.label(direction.target)}
    found = [(effect, expected.consequences.get(effect, 0)) for effect in Effect]
    counts = (
        fact(say("mail.begin.to_write_label"), say("mail.people", n=expected.people)),
        *bullets(say(f"mail.begin.{effect.value}", n=count) for effect, count in found if count),
        *_counted(say, "mail.begin.questions_label", expected.questions),
        *_counted(say, "mail.begin.gathered_label", expected.gathered),
    )
    lines = (
        greeting(say, name),
        GAP,
        said(say("mail.begin.waits", **ways)),
        said(say("mail.begin.nothing_yet")),
        GAP,
        *counts,
        GAP,
        said(say("mail.begin.please")),
        GAP,
        linked(link),
        GAP,
        said(say("mail.begin.unchosen")),
        *no_reply(say),
    )
    return Draft(say("mail.begin.subject", **ways, company=name), lines)


def _counted(say: Words, label: str, people: int) -> tuple[Line, ...]:
    return (fact(say(label), say("mail.people", n=people)),) if people else ()


def unreadable(say: Words, company: str, *, items: Sequence[tuple[System, str]], link: str) -> Draft:
    """`items`: (system, key) of what the token reads for nobody any more, a bank account as BANK. `link` leads to the
    page where an administrator answers."""
    name = one_line(company, LONGEST_NAME)
    lines = (
        greeting(say, name),
        GAP,
        said(say("mail.unreadable.gone")),
        GAP,
        *bullets(f"{say.label(system)}: {_item(say, key)}" for system, key in items),
        GAP,
        said(say("mail.unreadable.unknown")),
        said(say("mail.unreadable.until")),
        GAP,
        *bullets((say("mail.unreadable.if_rights"), say("mail.unreadable.if_deleted"))),
        GAP,
        linked(link),
        *no_reply(say),
    )
    return Draft(say("mail.unreadable.subject", company=name), lines)


def _item(say: Words, key: str) -> str:
    return say("mail.bank_account") if key == BANK else say.item(key)


def webhook_silent(say: Words, company: str, *, connection_key: str, since: datetime | None) -> Draft:
    """`since`: when SmartHR switched the registration off; None: it was deleted or changed there."""
    name = one_line(company, LONGEST_NAME)
    what = say("mail.webhook.off", at=moment(since)) if since is not None else say("mail.webhook.gone")
    lines = (
        greeting(say, name),
        GAP,
        said(what),
        said(say("mail.webhook.meanwhile")),
        GAP,
        said(say("mail.webhook.please")),
        said(f"flask connection check {connection_key} --repair"),
        *no_reply(say),
    )
    return Draft(say("mail.webhook.subject", company=name), lines)


def invited(say: Words, link: str, *, role: StrEnum, until: datetime) -> Draft:
    """An invitation to become a user. `link` is good once, and only until `until`."""
    lines = (
        said(say("mail.invitation.invited")),
        GAP,
        fact(say("mail.invitation.role_label"), say.label(role)),
        GAP,
        said(say("mail.invitation.please")),
        GAP,
        linked(one_line(link, LONGEST_TEXT)),
        GAP,
        said(say("mail.invitation.until", at=moment(until))),
        said(say("mail.invitation.not_you")),
        *no_reply(say),
    )
    return Draft(say("mail.invitation.subject"), lines)


def way_of(say: Words, direction: Direction) -> str:
    return say("mail.way", source=say.label(direction.source), target=say.label(direction.target))


def moment(at: datetime) -> str:
    """In Japan's time, to the minute."""
    return f"{at.astimezone(JAPAN):%Y-%m-%d %H:%M}"
