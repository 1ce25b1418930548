"""The catalogues of texts: complete in both languages, the same placeholders, nothing missing, nothing unused."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from itertools import chain
from pathlib import Path

import pytest

from app.domain import enums
from app.domain.access import roles
from app.domain.error_catalogue.catalogue import CATALOGUE, Who
from app.domain.errors import Refused
from app.domain.mapping import FIELDS
from app.domain.meanwhile import OTHER_ITEMS
from app.domain.planning import plan
from app.domain.runs import kinds, run_state, words
from app.domain.settings import connection_settings
from app.storage.enums import ChangeState, DeliveryState, MailState, StepState, WebhookState
from app.web.i18n import LOCALES, Wording, catalogue, wording

APP = Path(__file__).resolve().parents[2] / "app"
ONLY_ENGLISH = re.compile(
    r"(words\.(Role|System|RunWord|RunKind|ItemState|Step|Who|Scope|BeginReason|item|other_item)|causes|refusals)\."
)
"""What is Japanese in the domain itself."""
SHOWN = (
    kinds.RunKind,
    *(enums.Direction, enums.System, enums.Step, enums.Trigger, words.RunWord, run_state.ItemState, roles.Role),
    *(plan.PlanKind, plan.Severity, Who, ChangeState, DeliveryState, MailState, StepState, WebhookState),
    *(
        connection_settings.Automatic,
        connection_settings.BlankPolicy,
        connection_settings.ConflictPolicy,
        connection_settings.MailPolicy,
        connection_settings.PayType,
    ),
)
_CALL = re.compile(r"""(?<![\w.])(?:t|words|wording_here\(\)|told|say)\(\s*["']([a-z_]+\.[\w.]+)["']\s*[,)]""")
_KEY = re.compile(r"""["']([a-z_]+(?:\.\w+)+)["']""")
_REFUSED = re.compile(r"""(?:Refused|_wrong)\(\s*(?:"[a-z_]+",\s*)?"([a-z_]+)",""")
_BUILT = re.compile(r"""["']([a-z_]+\.[\w.]*?)\.?["']\s*(?:~|\+)|f["']([a-z_]+\.[\w.]*?)\{""")
"""Keys that are put together: what stands before the variable part."""


def sources() -> Iterator[str]:
    mails = (APP / "domain" / "mail_text").rglob("*.py")
    files = chain((APP / "web" / "templates").rglob("*.html"), (APP / "web").rglob("*.py"), mails)
    return (file.read_text(encoding="utf-8") for file in files)


def base(key: str) -> str:
    return re.sub(r"\.(one|other)$", "", key)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_text_is_there_in_every_language() -> None:
    japanese, english = (set(catalogue(locale)) for locale in LOCALES)
    assert sorted(japanese - english) == []
    assert sorted(key for key in english - japanese if not ONLY_ENGLISH.match(key)) == []


def test_no_text_is_empty() -> None:
    for locale in LOCALES:
        assert [key for key, text in catalogue(locale).items() if not text.strip()] == []


def test_both_languages_fill_in_the_same_places() -> None:
    japanese, english = (catalogue(locale) for locale in LOCALES)
    assert [key for key in japanese if placeholders(japanese[key]) != placeholders(english.get(key, ""))] == []


def test_every_text_a_page_asks_for_exists() -> None:
    asked = {key for source in sources() for key in _CALL.findall(source)}
    known = set(catalogue("ja")) | {base(key) for key in catalogue("ja")}
    assert len(asked) > 20
    assert sorted(asked - known) == []


def test_every_text_is_asked_for_somewhere() -> None:
    """Named as a whole, or by the beginning of a key that is put together."""
    whole = {key for source in sources() for key in _KEY.findall(source)}
    begun = {"".join(found) for source in sources() for found in _BUILT.findall(source)}
    unused = [
        key
        for key in catalogue("ja")
        if not key.startswith("words.") and base(key) not in whole and not any(key.startswith(b) for b in begun if b)
    ]
    assert unused == []


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("words", SHOWN, ids=lambda each: each.__name__)
def test_every_member_of_a_list_has_a_name(words: type[StrEnum], locale: str) -> None:
    one_word = run_state.ItemState.CONFLICT  # 要確認 has two states
    names = [wording(locale).label(member) for member in words if member is not one_word]
    assert all(name.strip() for name in names)
    assert len(set(names)) == len(names)


def test_every_item_and_every_cause_has_english_words() -> None:
    english, japanese = wording("en"), wording("ja")
    for row in FIELDS:
        assert english.item(row.key).isascii() and japanese.item(row.key) == row.label
    for path, name in OTHER_ITEMS.items():
        assert english.item(path).isascii() and english.item(path) != path and japanese.item(path) == name
    for code, entry in CATALOGUE.items():
        assert english.message(code) not in (code, entry.message), code
        assert bool(english.remedy(code)) == bool(entry.remedy), code


def test_a_refusal_is_told_in_the_language_of_the_page() -> None:
    refused = Refused("run_not_found", "この同期は見つかりません。")
    assert wording("ja").refusal(refused) == "この同期は見つかりません。"
    assert wording("en").refusal(refused).isascii()


def test_every_refusal_has_english_words() -> None:
    """Also one whose code stands on the line below `Refused(`."""
    files = chain((APP / "use_cases").rglob("*.py"), (APP / "domain").rglob("*.py"))
    raised = {code for file in files for code in _REFUSED.findall(file.read_text(encoding="utf-8"))}
    assert len(raised) > 30
    assert sorted(code for code in raised if f"refusals.{code}" not in catalogue("en")) == []


def test_numbers_choose_their_form() -> None:
    assert wording("en")("layout.people", n=1) == "1 person"
    assert wording("en")("layout.people", n=1200) == "1,200 people"
    assert wording("ja")("layout.people", n=1200) == "1,200人"


def test_dates_as_people_write_them() -> None:
    moment = datetime(2026, 11, 22, 15, 4, tzinfo=UTC)  # the next day in Japan
    assert wording("ja").instant(moment) == "2026年11月23日 00:04"
    assert wording("en").instant(moment) == "Nov 23, 2026 00:04"
    assert wording("ja").day(date(2026, 1, 5)) == "2026年1月5日"
    assert (wording("ja").month("2026-01"), wording("en").month("2026-01")) == ("2026年1月", "Jan 2026")


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0秒"), (59.4, "59秒"), (60, "1分"), (5_400, "2時間"), (200_000, "2日")]
)
def test_spans_are_told_in_the_largest_unit(seconds: float, told: str) -> None:
    assert wording("ja").span(seconds) == told


def test_an_unknown_language_is_japanese() -> None:
    assert Wording("xx").locale == "ja"
