"""Law: every reason has a remedy. Whatever code an item, a note, a question, a run, a connection or a refused request
ends with: people are told what happened, why, what to do and who does it, in both languages, with the products of this
direction, and nothing is asked that this kind of run does not offer.

The codes come from the source (`reasons_in_source`), so that no code can be shipped without its texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest

from app.domain.enums import Direction, System, Trigger
from app.domain.error_catalogue.catalogue import Place, UnknownCode, checked, entry_of, who_of
from app.domain.error_catalogue.entries import CATALOGUE, Who
from app.storage.links import link_reading
from app.web.i18n import LOCALES, wording
from tests.domain import reasons_in_source

CODES = sorted(CATALOGUE)
"""All that the source makes, as the first test shows."""
ONLY_DOCUMENTED = frozenset({"E15"})
"""Of the documented list, but Awase names the item that cannot be read instead."""
PLACES = [Place(direction, trigger) for direction in Direction for trigger in Trigger]


@cache
def found() -> list[reasons_in_source.Found]:
    """What the source makes. To read all of it takes seconds, so it is not done where tests are only collected."""
    return list(reasons_in_source.codes())


_HOLES = re.compile(r"[{}]|\bNone\b|  ")
_WRITES_TO = {
    "ja": r"{}(?:人事労務)?(?:に|へ)(?:は)?(?:反映|書き込|登録でき|渡せ)",
    "en": r"(?:written|go|carried|sent) to {}",
}
_NO_DATE_TO_CHOOSE = {"ja": r"情報取得基準日にして|基準日を変え", "en": r"with (?:a|another) reference date"}
_NOT_IN_AUTOMATIC = {
    "ja": _NO_DATE_TO_CHOOSE["ja"] + r"|もう一度同期|もう一度元に戻",
    "en": _NO_DATE_TO_CHOOSE["en"] + r"|[Ss]ync (?:this person )?again|repeat the run|run it again|[Rr]etry the",
}
_OF_A_RUN = r"自動で繰り返し|もう一度同期|[Rr]etry the|[Rr]epeat the|run it again|[Ss]ync (?:this person )?again"
_ASKS = {"ja": r"ください", "en": r"^(?:Check|Enter|Correct|Decide|Contact|Choose|Ask|Tell)\b"}
_COMMAND = re.compile(r"\bflask\b")


def told(code: str, place: Place, locale: str) -> tuple[str, str, str, str]:
    """What happened, why, what to do, and who does it."""
    words = wording(locale)
    return (
        words.message(code, place),
        words.why(code, place),
        words.remedy(code, place),
        words.label(who_of(code, place)),
    )


def places_of(code: str) -> Iterator[Place]:
    """Where the code can come up."""
    towards = entry_of(code).towards
    yield from (each for each in PLACES if each.direction and towards in (None, each.direction.target))


# ── every code ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_code_in_the_source_has_an_entry() -> None:
    missing = {(each.module, each.line, each.code) for each in found() if each.code not in CATALOGUE}
    place = "an Entry in app/domain/error_catalogue/entries.py, its texts in app/web/texts/*/causes.toml"
    assert sorted(missing) == [], f"each needs {place}"


def test_the_search_finds_every_entry() -> None:
    """So it sees what the app makes, and no entry is left from a code of before."""
    unseen = set(CATALOGUE) - {each.code for each in found()}
    assert unseen == ONLY_DOCUMENTED


def test_the_search_follows_a_code_to_where_it_is_written() -> None:
    """Through a constant, a condition, a dictionary, a generator, a text with a hole, and the return of a function
    of another module."""
    codes = {each.code for each in found()}
    assert {"hidden_person", "overwritten_since", "control_signs", "no_recipient", "E13"} <= codes
    assert {"left_before", "other_way_waits", "waits_for_second_person", "quarantined", "numbers_swapped"} <= codes
    assert {f"list_incomplete_{system.value}" for system in System} <= codes


def test_a_code_without_an_entry_cannot_be_stored_or_told() -> None:
    with pytest.warns(UnknownCode, match="word_of_next_year"):
        assert checked("word_of_next_year") == "word_of_next_year"
    with pytest.warns(UnknownCode):
        assert entry_of("word_of_next_year") is CATALOGUE["unexpected"]


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("code", CODES)
def test_every_code_has_cause_remedy_and_who(code: str, locale: str) -> None:
    """In both directions, in manual and automatic runs and when a run is taken back."""
    end = "。" if locale == "ja" else "."
    for place in [Place(), *places_of(code)]:
        message, why, remedy, who = told(code, place, locale)
        for text in (message, why, remedy):
            assert text.endswith(end), (place, text)
            assert not _HOLES.search(text), (place, text)
        assert who


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("code", CODES)
def test_no_text_speaks_of_the_other_direction(code: str, locale: str) -> None:
    for place in places_of(code):
        assert place.direction is not None
        source = {"ja": {System.FREEE: "freee"}, "en": {System.FREEE: "freee HR"}}[locale].get(
            place.direction.source, "SmartHR"
        )
        for text in told(code, place, locale):
            assert not re.search(_WRITES_TO[locale].format(source), text), (place, text)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("code", CODES)
def test_no_remedy_asks_for_what_the_run_does_not_offer(code: str, locale: str) -> None:
    """In an automatic run nobody chooses a reference date or starts the run once more; an undo has the date of the run
    that it takes back."""
    for place in places_of(code):
        remedy = told(code, place, locale)[2]
        assert place.trigger is not None
        if place.trigger.is_automatic:
            assert not re.search(_NOT_IN_AUTOMATIC[locale], remedy), (place, remedy)
        if place.trigger is Trigger.UNDO:
            assert not re.search(_NO_DATE_TO_CHOOSE[locale], remedy), (place, remedy)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("code", CODES)
def test_every_remedy_can_be_followed_by_who_is_named(code: str, locale: str) -> None:
    """Where nobody has to act, nothing is asked; nobody but operators is sent to the command line."""
    for place in places_of(code):
        remedy = told(code, place, locale)[2]
        if who_of(code, place) is Who.SYSTEM:
            assert not re.search(_ASKS[locale], remedy), (place, remedy)
        if who_of(code, place) is not Who.OPS:
            assert not _COMMAND.search(remedy), (place, remedy)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("place", PLACES, ids=lambda each: f"{each.direction}-{each.trigger}")
def test_headings_that_are_alike_have_the_same_remedy(place: Place, locale: str) -> None:
    """Pages and mails list the people by what happened: under one heading there is one thing to do, and one who does
    it."""
    here = [code for code in CATALOGUE if place in places_of(code)]
    remedies = {(m, r, w) for m, _, r, w in (told(code, place, locale) for code in here)}
    headings = Counter(message for message, _, _ in remedies)
    assert [message for message, times in headings.items() if times > 1] == []


@pytest.mark.parametrize("locale", LOCALES)
def test_where_no_run_is_concerned_none_is_to_be_repeated(locale: str) -> None:
    """The settings of a connection ask the vendors as well, and have their errors; so do pages and commands."""
    for code in CATALOGUE:
        remedy = told(code, Place(), locale)[2]
        assert not re.search(_OF_A_RUN, remedy), code


def test_an_entry_of_one_direction_names_the_products_as_they_are_there() -> None:
    to_freee = told("E17", Place(Direction.SMARTHR_TO_FREEE, Trigger.MANUAL), "ja")
    to_smarthr = told("E17", Place(Direction.FREEE_TO_SMARTHR, Trigger.SCHEDULE), "ja")
    assert to_freee[0] == "freee人事労務が値を受け付けませんでした。"
    assert to_smarthr[0] == "SmartHRが値を受け付けませんでした。"
    assert to_freee[2].endswith("その後、この従業員をもう一度同期してください。")
    assert to_smarthr[2].endswith("直した後は、次の自動同期で反映します。")


# ── questions ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("locale", LOCALES)
def test_every_question_on_the_page_of_links_says_what_to_do(locale: str) -> None:
    for code in link_reading.QUESTIONS:
        assert wording(locale)(f"links.remedies.{code}").strip(), code
