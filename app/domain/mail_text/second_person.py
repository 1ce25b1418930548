"""The mails about changes that wait for a second person. Without personal data: how many people, which items, until
when. The reason of the emergency way is told as the administrator wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.domain.enums import Direction
from app.domain.mail_text.letter import (
    GAP,
    LONGEST_NAME,
    LONGEST_TEXT,
    Draft,
    Kind,
    Line,
    Words,
    fact,
    greeting,
    linked,
    no_reply,
    one_line,
    said,
)
from app.domain.mail_text.notices import moment, way_of

ACCOUNTS, INCOMES = "accounts", "incomes"
"""What waits where it is more than single items."""
_LONGEST_REASON = 1000


def second_person_needed(
    say: Words, company: str, *, direction: Direction, items: Sequence[str], until: datetime, link: str
) -> Draft:
    """`items`: what waits, as ACCOUNTS, INCOMES or keys of items."""
    name, way = one_line(company, LONGEST_NAME), way_of(say, direction)
    what = say("mail.with").join(_thing(say, each) for each in items)
    lines = (
        greeting(say, name),
        GAP,
        said(say("mail.second.waits", way=way, items=what)),
        said(say("mail.second.until_then")),
        GAP,
        said(say("mail.second.please")),
        GAP,
        linked(link),
        GAP,
        said(say("mail.second.until", at=moment(until))),
        *no_reply(say),
    )
    return Draft(say("mail.second.subject", way=way, company=name), lines)


def _thing(say: Words, item: str) -> str:
    return say(f"mail.second.{item}") if item in (ACCOUNTS, INCOMES) else say.item(item)


def second_person_expired(say: Words, company: str, *, direction: Direction, people: int, link: str) -> Draft:
    """Nobody has decided in time."""
    name, way = one_line(company, LONGEST_NAME), way_of(say, direction)
    lines = (
        greeting(say, name),
        GAP,
        said(say("mail.expired.withdrawn", way=way, n=people)),
        said(say("mail.expired.again")),
        GAP,
        linked(link),
        *no_reply(say),
    )
    return Draft(say("mail.expired.subject", company=name), lines)


def decided_alone(
    say: Words, company: str, *, direction: Direction, people: int, who: str, reason: str, at: datetime, link: str
) -> Draft:
    """For all administrators. `who`: the administrator who has approved alone."""
    name, way = one_line(company, LONGEST_NAME), way_of(say, direction)
    lines = (
        said(say("mail.alone.greeting")),
        GAP,
        said(say("mail.alone.approved", company=name, way=way, n=people)),
        GAP,
        fact(say("mail.alone.who_label"), one_line(who, LONGEST_TEXT)),
        fact(say("mail.alone.at_label"), moment(at)),
        said(say("mail.alone.reason")),
        *(Line(Kind.BULLET, one_line(line, _LONGEST_REASON)) for line in reason.splitlines() if line.strip()),
        GAP,
        said(say("mail.alone.look")),
        GAP,
        linked(link),
        *no_reply(say),
    )
    return Draft(say("mail.alone.subject", company=name), lines)
