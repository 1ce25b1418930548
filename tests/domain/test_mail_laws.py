"""What holds for every summary mail: its counts add up, nobody is named twice, and text and HTML say the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.domain.enums import Direction, Step, System, Trigger
from app.domain.error_catalogue.entries import CATALOGUE
from app.domain.mail_text import notices, second_person
from app.domain.mail_text.letter import Draft
from app.domain.mail_text.people import LIST_LIMIT, Outcome
from app.domain.mail_text.rendering import letter
from app.domain.mail_text.summary import RunSummary, compose
from app.domain.mapping import FIELDS
from app.domain.planning.mass_change import Effect, MassChangeCode, MassChangeReason
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.recipients import Language
from app.domain.vendors.answer import VendorAnswer
from app.web.i18n import wording
from tests.domain.mail_reader import differences, read_html
from tests.properties import examples

NOW = datetime(2026, 11, 22, 3, 4, tzinfo=UTC)
LINK = "https://awase.example/runs/3f1c0a5e-6f0a-4e57-9a35-1c6f2c0a9b11"
AWKWARD = st.text(max_size=80) | st.sampled_from(
    [
        *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "A&B &amp; Co", "{company}"),
        *("悪\r\nBcc: x@y.z", "\u200b\u202e", "■ x（9件）", "従業員番号: 【1】"),
    ]
)
CODES = st.sampled_from(sorted(CATALOGUE))
KEYS = st.sampled_from([row.key for row in FIELDS])
SYSTEMS, STEPS = st.sampled_from(list(System)), st.sampled_from(list(Step)) | st.none()
ANSWERS = st.builds(VendorAnswer, SYSTEMS, AWKWARD, step=STEPS, named=st.lists(KEYS, max_size=2).map(tuple))
NUMBERS = st.sampled_from(["", " ", "1", "2", "0003", "A-4"]) | AWKWARD
COUNTS = st.integers(0, 3) | st.integers(0, 12_000)


@st.composite
def outcomes(draw: st.DrawFn, most: int) -> tuple[Outcome, ...]:
    """People of one run: each has a place of its own, and ids that nobody else has."""
    people = []
    for position in range(draw(st.integers(0, most))):
        systems = draw(st.lists(SYSTEMS, unique=True, max_size=2))
        people.append(
            Outcome(
                draw(NUMBERS),
                draw(CODES),
                items=tuple(draw(st.lists(KEYS | AWKWARD, max_size=2))),
                unreadable=tuple(draw(st.lists(st.tuples(SYSTEMS, KEYS), max_size=2))),
                answers=tuple(draw(st.lists(ANSWERS, max_size=2))),
                ids=tuple((system, f"{system.value}-{position}") for system in systems),
                link=draw(st.sampled_from(["", "https://practice.smarthr.jp/crews/1"])),
                position=position,
            )
        )
    return tuple(people)


@st.composite
def summaries(draw: st.DrawFn) -> RunSummary:
    failures, reviews, told = draw(outcomes(LIST_LIMIT + 3)), draw(outcomes(6)), draw(outcomes(3))
    more = {state: draw(COUNTS) for state in ItemState}
    counts = {**more, ItemState.FAILED: len(failures) + draw(COUNTS)}
    counts |= {ItemState.CONFLICT: len(reviews) + draw(COUNTS)}
    causes = {
        state: draw(causes_of(counts[state]))
        for state in (ItemState.FAILED, ItemState.NEEDS_REVIEW, ItemState.CONFLICT)
        if draw(st.booleans())
    }
    return RunSummary(
        direction=draw(st.sampled_from(list(Direction))),
        company=draw(AWKWARD),
        run_url=LINK,
        started_at=NOW,
        finished_at=NOW,
        as_of_date=date(2026, 11, 22),
        counts=counts,
        failures=failures,
        reviews=reviews,
        causes=causes,
        told=told,
        told_count=len(told),
        calls=draw(st.dictionaries(SYSTEMS, COUNTS)),
        trigger=draw(st.sampled_from(list(Trigger)) | st.none()),
        left_out=draw(st.dictionaries(CODES, COUNTS, max_size=2)),
        only_target_changed=draw(st.integers(0, 3)),
        run_error=draw(CODES | st.none()),
        kind=draw(st.sampled_from(["sync", "retry", "undo", "held", "second", "begin"])),
        result=draw(st.sampled_from(list(RunState)) | st.none()),
        looked_at=draw(COUNTS),
        help_from=draw(st.sampled_from(["", "help@example.com", "https://help.example/?a=1&b=2"])),
    )


@st.composite
def causes_of(draw: st.DrawFn, people: int) -> Mapping[str, int]:
    """How the results count these people by cause; some may stand under none."""
    found: Counter[str] = Counter()
    while people > 0 and draw(st.booleans()):
        part = draw(st.integers(1, people))
        found[draw(CODES)] += part
        people -= part
    return dict(found)


def sums_of_headings(text: str, title: str) -> int | None:
    """What the headings below a title count, None when there is no such title."""
    _, found, rest = text.partition(f"● {title}\n")
    part = re.split(r"^(?:● |$)", rest, maxsplit=1, flags=re.MULTILINE)[0]
    headings = [line for line in part.splitlines() if line.startswith("■ ")]
    counted = [int(line.rpartition("（")[2].removesuffix("件）").replace(",", "")) for line in headings]
    return sum(counted) if found else None


@examples(50)
@given(summaries())
def test_the_headings_count_every_failure_once(told: RunSummary) -> None:
    text = letter(compose(told, wording("ja")), Language.JAPANESE, ()).text
    assert (sums_of_headings(text, "失敗した従業員への対処") or 0) == told.failed
    assert (sums_of_headings(text, "確認が必要な従業員への対処") or 0) == told.to_review


@examples(50)
@given(summaries())
def test_each_failed_person_is_named_once_and_the_rest_counted(told: RunSummary) -> None:
    """And nobody's line can be taken for another's."""
    text = letter(compose(told, wording("ja")), Language.JAPANESE, ()).text
    documented = text.split("─" * 20)[1]
    lines = documented.splitlines()
    named = [line for line in lines if line.startswith("従業員番号: 【") and line.endswith("】")]
    assert len(named) == len(set(named)) == min(len(told.failures), LIST_LIMIT)
    assert len([line for line in lines if line.startswith("失敗理由: ")]) == len(named)
    assert all(lines[lines.index(line) + 1].startswith("失敗理由: ") for line in named)
    rest = told.failed - len(named)
    assert (f"ほか {rest:,}件（連携履歴で確認できます）" in lines) == (rest > 0)


@examples(50)
@given(summaries(), st.sampled_from(list(Language)))
def test_text_and_html_say_the_same(told: RunSummary, language: Language) -> None:
    same(compose(told, wording(language.value)), language)


def same(draft: Draft, language: Language) -> None:
    written = letter(draft, language, ("hr@example.com",))
    read = read_html(written.html)
    assert differences(read.lines, written.text) == []
    assert read.tags <= {
        *("html", "head", "meta", "title", "style", "body", "main"),
        *("p", "h2", "h3", "ul", "li", "hr", "div", "span", "a"),
    }
    assert not {name for _, name in read.attributes} & {"src", "style", "onerror", "onclick", "background", "srcset"}
    assert all(link.startswith(("https://", "http://", "mailto:")) for link in read.links)
    assert "url(" not in written.html and "@import" not in written.html
    assert f'<html lang="{language.value}">' in written.html
    assert "\n" not in written.subject and "\r" not in written.subject


@examples(60)
@given(AWKWARD, st.sampled_from(list(Direction)), AWKWARD, st.sampled_from(list(Language)))
def test_notices_say_the_same_in_both_parts(company: str, way: Direction, words: str, language: Language) -> None:
    say = wording(language.value)
    ways: dict[str, Any] = {"direction": way, "link": LINK}
    reasons = [MassChangeReason(code, 12, 5, 1) for code in MassChangeCode]
    expected = notices.Expected(12, dict.fromkeys(Effect, 2), 1, 3)
    items = [(System.SMARTHR, "birth_date"), (System.FREEE, notices.BANK)]
    waits = [second_person.ACCOUNTS, second_person.INCOMES]
    for draft in (
        notices.consent_needed(say, company, link=LINK, days=30),
        notices.run_held(say, company, reasons=reasons, **ways),
        notices.automatic_begins(say, company, expected=expected, **ways),
        notices.unreadable(say, company, items=items, link=LINK),
        notices.webhook_silent(say, company, connection_key="renshu", since=NOW),
        notices.webhook_silent(say, company, connection_key="renshu", since=None),
        second_person.second_person_needed(say, company, items=waits, until=NOW, **ways),
        second_person.second_person_expired(say, company, people=3, **ways),
        second_person.decided_alone(say, company, people=3, who=words, reason=words, at=NOW, **ways),
    ):
        same(draft, language)
