"""The people whom a mail names, two lines each, and the causes of all of them, grouped by what has to be done.

A person is named by number. Where that names nobody (it is blank, or two people have it), the vendor's id stands beside
it, and where there is none, the place in the results; names and values never stand in a mail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.domain.enums import System
from app.domain.error_catalogue.catalogue import Happened
from app.domain.mail_text.letter import GAP, LONGEST_NAME, LONGEST_TEXT, Kind, Line, Words, fact, one_line, said
from app.domain.vendors.answer import VendorAnswer

LIST_LIMIT = 50
"""How many employees the mail names one by one; the history page holds all of them."""
UNEXPECTED = "unexpected"
_MISSING = frozenset({"E1", "E2"})
"""A required item is blank: what is missing is named instead of what could be."""


@dataclass(frozen=True)
class Outcome:
    """One employee whom a person has to look at. `code`: of the error catalogue; `items`: keys of the items concerned;
    `unreadable`: the fields that could not be read."""

    number: str = field(repr=False)
    code: str
    items: tuple[str, ...] = ()
    unreadable: tuple[tuple[System, str], ...] = ()
    answers: tuple[VendorAnswer, ...] = field(default=(), repr=False)
    """What the vendors said, without names and values."""
    ids: tuple[tuple[System, str], ...] = field(default=(), repr=False)
    """How the systems call the employee; the first one that is known is told."""
    link: str = field(default="", repr=False)
    """The page of the system whose id is the first."""
    position: int = 0
    """The place in the results of the run, from 0."""


def people(say: Words, outcomes: Sequence[Outcome], where: Happened, *, total: int, reason: str) -> Iterator[Line]:
    """Two lines per employee, the first LIST_LIMIT of them, those with the commonest cause first. `reason`: how the
    second line is called; `total`: of all, those that are not handed over included."""
    frequent = Counter(each.code for each in outcomes)
    ordered = sorted(outcomes, key=lambda each: (-frequent[each.code], each.code, each.position))
    seen = Counter(number for number, _, _ in {(_number(each), each.ids, each.position) for each in outcomes})
    doubtful = {number for number, times in seen.items() if times > 1 or not number}
    for each in ordered[:LIST_LIMIT]:
        link = each.link if _number(each) in doubtful else ""
        yield Line(Kind.PERSON, say("mail.number", number=_named(say, each, doubtful)), say("mail.number_label"), link)
        yield fact(reason, reason_of(say, each, where))
    rest = max(total, len(outcomes)) - min(len(outcomes), LIST_LIMIT)
    if rest > 0:
        yield said(say("mail.rest", n=rest))


def _named(say: Words, each: Outcome, doubtful: Collection[str]) -> str:
    number = _number(each) or say("mail.no_number")
    if _number(each) not in doubtful:
        return number
    known = next(((system, person_id) for system, person_id in each.ids if person_id), None)
    if known is None:
        return say("mail.number_at", number=number, place=str(each.position + 1))
    return say("mail.number_id", number=number, system=say.label(known[0]), id=one_line(known[1], LONGEST_NAME))


def _number(each: Outcome) -> str:
    return one_line(each.number, LONGEST_NAME)


# ── the reason ────────────────────────────────────────────────────────────────────────────────────────────────────────


def reason_of(say: Words, each: Outcome, where: Happened) -> str:
    """Why, on one line: what happened, the items that are concerned, and what the vendors said."""
    return " ".join([_what(say, each, where), *(_answered(say, answer) for answer in each.answers)])


def _what(say: Words, each: Outcome, where: Happened) -> str:
    named = dict.fromkeys((*each.items, *(key for answer in each.answers for key in answer.named)))
    items = say("mail.and").join(one_line(say.item(key), LONGEST_NAME) for key in named)
    if each.code in _MISSING and items:
        return say("mail.missing", items=items)
    fields = say("mail.and").join(
        say("mail.item_of", system=say.label(system), item=one_line(say.item(key), LONGEST_NAME))
        for system, key in each.unreadable
    )
    message = one_line(say.message(each.code, where), LONGEST_TEXT)
    shown = say("mail.items", items=items) if items else ""
    return message + shown + (say("mail.items", items=fields) if fields else "")


def _answered(say: Words, answer: VendorAnswer) -> str:
    vendor = say.label(answer.system) if answer.system else say("mail.product")
    step = say("mail.step", step=say.label(answer.step)) if answer.step else ""
    words = one_line(answer.words, LONGEST_TEXT) or say("mail.no_words")
    return say("mail.answer", vendor=vendor, step=step, words=words)


# ── what has to be done ───────────────────────────────────────────────────────────────────────────────────────────────


def counted(outcomes: Sequence[Outcome], known: Mapping[str, int], total: int) -> dict[str, int]:
    """Cause → people, which add up to `total`. `known`: as the results count them; what they count under no cause is an
    unexpected error."""
    found = Counter(known or Counter(each.code for each in outcomes))
    found[UNEXPECTED] += max(0, total - found.total())
    return {code: people for code, people in found.items() if people}


def remedies(say: Words, causes: Mapping[str, int], where: Happened, *, title: str) -> Iterator[Line]:
    """One heading per remedy, that of most people first, with its causes below and how many people each has."""
    groups: dict[tuple[str, str], dict[str, int]] = {}
    for code, number in causes.items():
        groups.setdefault((say.remedy(code, where), say.who(code, where)), {})[code] = number
    if groups:
        yield GAP
        yield Line(Kind.SECTION, title)
    for (remedy, who), codes in sorted(groups.items(), key=lambda group: -sum(group[1].values())):
        heading = one_line(remedy or say("mail.no_remedy"), LONGEST_TEXT)
        yield Line(Kind.HEADING, say("mail.heading", remedy=heading, n=sum(codes.values())))
        for code, number in sorted(codes.items(), key=lambda cause: -cause[1]):
            yield _cause(say, code, number, where)
        yield fact(say("mail.who_label"), who)


def _cause(say: Words, code: str, number: int, where: Happened) -> Line:
    message, why = (one_line(each, LONGEST_TEXT) for each in (say.message(code, where), say.why(code, where)))
    told = say("mail.cause", message=message, n=number)
    return Line(Kind.BULLET, say("mail.cause_why", cause=told, why=why) if why else told)
