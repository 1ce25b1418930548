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
from app.domain.error_catalogue.entries import CATALOGUE, Who
from app.domain.errors import Refused, Sentence
from app.domain.mapping import FIELDS
from app.domain.meanwhile import OTHER_ITEMS
from app.domain.planning import plan
from app.domain.planning.mass_change import MassChangeCode, MassChangeReason, sentence
from app.domain.runs import kinds, run_state, words
from app.domain.settings import connection_settings
from app.storage.enums import ChangeState, DeliveryState, MailState, StepState, WebhookState
from app.storage.upkeep.backups import Trouble
from app.use_cases.accounts.api_keys import Scope
from app.use_cases.monitoring.audit_check import FaultKind
from app.web.i18n import LOCALES, Wording, catalogue, wording

APP = Path(__file__).resolve().parents[2] / "app"
ONLY_JAPANESE = "problems."
"""What the API tells."""
ONLY_ENGLISH = re.compile(
    r"(words\.(Role|System|RunWord|RunKind|ItemState|Step|Who|BeginReason|item|other_item)|causes)\."
)
"""What is Japanese in the domain itself."""
SHOWN = (
    kinds.RunKind,
    *(enums.Direction, enums.System, enums.Step, enums.Trigger, words.RunWord, run_state.ItemState, roles.Role),
    *(Scope, FaultKind),
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
_BUILT = re.compile(r"""["']([a-z_]+\.[\w.]*?)\.?["']\s*(?:~|\+)|f["']([a-z_]+\.[\w.]*?)\{""")
"""Keys that are put together: what stands before the variable part."""


def sources() -> Iterator[str]:
    rooms = ((APP / name).rglob("*.py") for name in ("domain", "use_cases", "web"))
    files = chain((APP / "web" / "templates").rglob("*.html"), *rooms)
    return (file.read_text(encoding="utf-8") for file in files)


def base(key: str) -> str:
    return re.sub(r"\.(one|other)$", "", key)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_text_is_there_in_every_language() -> None:
    japanese, english = (set(catalogue(locale)) for locale in LOCALES)
    untold = sorted(key for key in japanese - english if not key.startswith(ONLY_JAPANESE))
    assert untold == [], "the English is missing in app/web/texts/en"
    missing = sorted(key for key in english - japanese if not ONLY_ENGLISH.match(key))
    assert missing == [], "the Japanese is missing in app/web/texts/ja"


def test_no_text_is_empty() -> None:
    for locale in LOCALES:
        assert [key for key, text in catalogue(locale).items() if not text.strip()] == []


def test_both_languages_fill_in_the_same_places() -> None:
    japanese, english = (catalogue(locale) for locale in LOCALES)
    both = [key for key in japanese if not key.startswith(ONLY_JAPANESE)]
    differ = [key for key in both if placeholders(japanese[key]) != placeholders(english.get(key, ""))]
    assert [key for key in differ if not key.startswith("causes.")] == []
    allowed = {"source", "target", "again"}  # what every cause may name, or not, as the language likes
    assert [key for key in differ if placeholders(japanese[key] + english[key]) - allowed] == []


def test_every_text_a_page_asks_for_exists() -> None:
    asked = {key for source in sources() for key in _CALL.findall(source)}
    known = set(catalogue("ja")) | {base(key) for key in catalogue("ja")}
    assert len(asked) > 20
    assert sorted(asked - known) == [], "the part before the point is the file in app/web/texts/ja and /en"


def test_every_text_is_asked_for_somewhere() -> None:
    """Named as a whole, or by the beginning of a key that is put together. Refusals: `test_refusal_texts`."""
    whole = {key for source in sources() for key in _KEY.findall(source)}
    begun = {"".join(found) for source in sources() for found in _BUILT.findall(source)}
    unused = [
        key
        for key in catalogue("ja")
        if not key.startswith(("words.", "refusals.", "fields."))
        and base(key) not in whole
        and not any(key.startswith(b) for b in begun if b)
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
    unnamed = [row.key for row in FIELDS if f"words.item.{row.key}" not in catalogue("en")]
    assert unnamed == [], "each needs its English label under [item] in app/web/texts/en/words.toml"
    for row in FIELDS:
        assert english.item(row.key).isascii() and japanese.item(row.key) == row.label
    for path, name in OTHER_ITEMS.items():
        assert english.item(path).isascii() and english.item(path) != path and japanese.item(path) == name
    for code in CATALOGUE:
        assert english.message(code) != japanese.message(code), code


def test_a_refusal_is_told_in_the_language_of_the_page() -> None:
    refused = Refused("run_not_found")
    assert wording("ja").refusal(refused) == "この同期は見つかりません。"
    assert wording("en").refusal(refused).isascii()


def test_values_stand_in_a_refusal_as_people_write_them() -> None:
    """Numbers as the text asks, members of lists by their names, many names cut short, codes by what they mean."""
    japanese, english = wording("ja"), wording("en")
    many = Refused("unknown_employee_number", source=enums.System.FREEE, numbers=tuple(f"{n:04}" for n in range(22)))
    assert japanese.refusal(many).startswith("freee人事労務にいない従業員番号です: 0000、0001、")
    assert japanese.refusal(many).endswith("、0019 ほか2件") and english.refusal(many).endswith(", 0019 and 2 more")
    assert "従業員番号は10,000件まで" in japanese.refusal(Refused("too_many_employees", most=10_000))
    why = Refused("freee_E18", told=Sentence("refusals.freee_tokens", cause=Sentence("causes.E18")), fields=("token",))
    assert japanese.message("E18") + japanese.remedy("E18") in japanese.faults(why)["token"]
    assert f"{english.message('E18')} {english.remedy('E18')}" in english.refusal(why)
    assert japanese.tell(Sentence("causes.E18.message")) == japanese.message("E18")
    assert japanese.faults(Refused("survey_open", fields={"run": "7"}, run="7"))["run"] == "7"


@pytest.mark.parametrize("locale", LOCALES)
def test_every_way_a_backup_fails_has_its_words(locale: str) -> None:
    told = {wording(locale).refusal(Refused(f"backup_failed.{trouble}", subject="(file)")) for trouble in Trouble}
    assert len(told) == len(Trouble) and all(each.endswith("(file)") for each in told)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_alarm_has_its_words(locale: str) -> None:
    alarms = [MassChangeReason(code, 12, 5, written=3) for code in MassChangeCode]
    told = {wording(locale).tell(sentence(alarm)) for alarm in alarms}
    assert len(told) == len(alarms) and all("12" in each and "5" in each and "3" in each for each in told)


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
