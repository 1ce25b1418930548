"""What the guide tells people to press is what stands on the screens: Awase's in the guide's language, the practice
products' in Japanese, as the real ones are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pytest

from app.domain.settings.connection_settings import Automatic
from app.practice.freee.practice_freee import create_freee
from app.practice.guide.pages import LANGUAGES, texts
from app.practice.smarthr.practice_smarthr import create_smarthr
from app.practice.staff.practice_company import build_company, japan_today
from app.web.i18n import Wording, catalogue
from tests.web.visitor import Visitor

QUOTED = {"ja": re.compile("「([^」]+)」"), "en": re.compile("“([^”]+)”")}
JAPANESE = re.compile(r"[0-9]*[ぁ-んァ-ヶー一-龠々][0-9ぁ-んァ-ヶー一-龠々・]*")
STEPS = [(task, place) for task, words in texts("ja")["tasks"].items() for place in range(len(words["steps"]))]


def step(language: str, task: str, place: int) -> str:
    return str(texts(language)["tasks"][task]["steps"][place]["text"])


def named(language: str, task: str, place: int) -> list[str]:
    """What a step has in quotes, in order."""
    return QUOTED[language].findall(step(language, task, place))


@cache
def on_screens(language: str) -> dict[str, frozenset[str]]:
    """Text → the keys under which Awase's screens have it."""
    say, found = Wording(language), dict[str, set[str]]()
    shown = {**catalogue(language), "direction": say.label(Automatic.SMARTHR_TO_FREEE), "cause": say.message("E1")}
    shown["at_smarthr"] = say("attention.at", system="SmartHR")
    for key, text in shown.items():
        found.setdefault(text.rstrip("。."), set()).add(key)
    return {text: frozenset(keys) for text, keys in found.items()}


@cache
def at_practice_products() -> str:
    """Everything that stands on their pages of a person, of its form and of the import."""

    def pages() -> Iterator[str]:
        company = build_company(japan_today())
        for app in (create_smarthr(company), create_freee(company)):
            page = Visitor(app.test_client())
            page.open("/_practice/people")
            person = re.search(r"/_practice/people/[\w-]+(?=\")", page.text.split("<tbody>")[1])
            assert person
            for address in (person[0], f"{person[0]}/edit", "/_practice/people/import"):
                page.open(address)
                yield page.words

    return " ".join(pages())


@pytest.mark.parametrize(("task", "place"), STEPS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_in_quotes_stands_on_a_screen(language: str, task: str, place: int) -> None:
    for name in named(language, task, place):
        is_theirs = language == "ja" and name in at_practice_products()
        assert name.rstrip("。.") in on_screens(language) or is_theirs, name


@pytest.mark.parametrize(("task", "place"), STEPS)
def test_both_languages_name_the_same(task: str, place: int) -> None:
    """A name of Awase's screens by its key; one of the practice products word for word, also in English."""
    english = named("en", task, place)
    for name in named("ja", task, place):
        keys = on_screens("ja").get(name.rstrip("。."), frozenset())
        same = [other for other in english if keys & on_screens("en")[other.rstrip("。.")]]
        assert same or (name in at_practice_products() and name in step("en", task, place)), name


@pytest.mark.parametrize(("task", "place"), STEPS)
def test_the_english_guide_says_which_japanese_button_to_press(task: str, place: int) -> None:
    """With what it means behind it, so that somebody who does not read Japanese knows why."""
    text = step("en", task, place)
    for name in JAPANESE.findall(text):
        assert name in at_practice_products(), name
        assert re.search(re.escape(name) + r" \([a-z ]+\)", text), f"{name} is not translated"


def test_the_guide_does_name_buttons_in_each_task() -> None:
    """So that silence above means something."""
    for language in LANGUAGES:
        tasks = {task for task, place in STEPS if named(language, task, place)}
        assert len(tasks) == len(texts(language)["tasks"])
