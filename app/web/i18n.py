"""Every text of the screens, by key: catalogues in texts/<locale>/*.toml, and dates and numbers as people write them.

A key is `<file>.<name>`, for example `history.title`. A text may hold {names}. A text that depends on a number is a
table with `one` and `other`; the value `n` decides between them. The Japanese catalogue is complete by definition; a
test checks that the English one is.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from app.domain.error_catalogue.catalogue import ANYWHERE, Happened, entry_of, occasion, who_of
from app.domain.errors import Refused, Sentence
from app.domain.mapping import BY_KEY
from app.domain.meanwhile import OTHER_ITEMS
from app.domain.runs.dates import JAPAN
from app.domain.runs.kinds import RunKind

FOLDER = Path(__file__).parent / "texts"
LOCALES = ("ja", "en")
DEFAULT = "ja"
MOST_LISTED = 20
"""How many of many names a sentence lists."""
_PLACES = re.compile(r"\{(source|target|again)\}")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Wording:
    """The texts of one language."""

    def __init__(self, locale: str) -> None:
        self.locale = locale if locale in LOCALES else DEFAULT
        self._texts = catalogue(self.locale)

    def __call__(self, key: str, /, **values: Any) -> str:
        """The text of a key. Raises KeyError for a key that is not in the catalogue."""
        found = self._pattern(key, values)
        shown = {name: self.number(v) if type(v) is int else v for name, v in values.items()}
        return found.format(**shown) if values else found

    def _pattern(self, key: str, values: Mapping[str, Any]) -> str:
        return self._texts[key] if key in self._texts else self._texts[f"{key}.{_form(values.get('n'))}"]

    def of_kind(self, name: str, kind: RunKind, /, **values: Any) -> str:
        """The text kinds.`name` for a run of this kind; for one that has none of its own, the text for a sync."""
        mine = f"kinds.{name}.{kind.value}"
        known = mine in self._texts or f"{mine}.other" in self._texts
        return self(mine if known else f"kinds.{name}.{RunKind.SYNC.value}", **values)

    # ── words of the domain, which holds the Japanese; texts/<locale>/words.toml holds the others ──

    def label(self, word: Any) -> str:
        """A member of a closed list (a state, a direction, a system, a step, a role), as people call it."""
        if self.locale == DEFAULT and hasattr(word, "label"):
            return str(word.label)
        return self._texts[f"words.{type(word).__name__}.{word.value}"]

    def item(self, key: str) -> str:
        """The name of an item of FIELDS, or of another one that a note can name."""
        if key not in BY_KEY:
            name = f"words.other_item.{key.replace('.', '_')}"
            return OTHER_ITEMS.get(key, key) if self.locale == DEFAULT else self._texts.get(name, key)
        if self.locale == DEFAULT:
            return BY_KEY[key].label
        return self._texts[f"words.item.{key}"]

    # ── the error catalogue: texts/<locale>/causes.toml ──

    def message(self, code: str, where: Happened = ANYWHERE) -> str:
        """What a code means, in the run (or direction and trigger) where it came up."""
        return self._told_of(code, ("message",), where)

    def why(self, code: str, where: Happened = ANYWHERE) -> str:
        """Why it happened."""
        return self._told_of(code, ("cause",), where)

    def remedy(self, code: str, where: Happened = ANYWHERE) -> str:
        """What a person can do about it there."""
        return self._told_of(code, (occasion(where), "remedy"), where)

    def who(self, code: str, where: Happened = ANYWHERE) -> str:
        """Who has to do that."""
        return self.label(who_of(code, where))

    def _told_of(self, code: str, parts: tuple[str, ...], where: Happened) -> str:
        """The first of these texts that the code has, with its places filled; any other brace is left as it is."""
        say, known = self._texts, entry_of(code).code
        words = {name: say[f"causes.words.{name}"] for name in ("source", "target")}
        if where.direction is not None:
            words = {name: self.label(getattr(where.direction, name)) for name in words}
        words["again"] = say[f"causes.words.again_{occasion(where)}"]
        pattern = next(say[key] for part in parts if (key := f"causes.{known}.{part}") in say)
        text = _PLACES.sub(lambda found: words[found[1]], pattern)
        return text[:1].upper() + text[1:] if where.direction is None and pattern.startswith("{") else text

    def refusal(self, refused: Refused) -> str:
        """Why a request is refused."""
        return self.tell(refused.told)

    def faults(self, refused: Refused) -> dict[str, str]:
        """Field → what is wrong with it."""
        return {path: self.tell(told) for path, told in refused.fields.items()}

    def tell(self, told: Any) -> str:
        """A text with its values; a value alone as it stands in a text."""
        if isinstance(told, tuple):
            shown = self("refusals.comma").join(map(self.tell, told[:MOST_LISTED]))
            return shown if len(told) <= MOST_LISTED else self("refusals.more", shown=shown, n=len(told) - MOST_LISTED)
        if isinstance(told, Enum):
            return self.label(told)
        if not isinstance(told, Sentence):
            return str(told)
        if told.key.startswith("causes."):
            return self._cause(*told.key.split(".")[1:])
        values = {name: v if isinstance(v, int | float) else self.tell(v) for name, v in told.values.items()}
        return self._pattern(told.key, values).format(**values)

    def _cause(self, code: str, only: str = "") -> str:
        remedy = "" if only else self.remedy(code)
        return ("" if self.locale == DEFAULT else " ").join(filter(None, (self.message(code), remedy)))

    # ── numbers, dates, spans ─────────────────────────────────────────────────────────────────────────────────────

    def number(self, value: float) -> str:
        return f"{value:,}"

    def day(self, value: date) -> str:
        if self.locale == DEFAULT:
            return f"{value.year}年{value.month}月{value.day}日"
        return f"{_MONTHS[value.month - 1]} {value.day}, {value.year}"

    def month(self, value: str) -> str:
        """`YYYY-MM` as people write a month."""
        year, month = (int(part) for part in value.split("-"))
        return f"{year}年{month}月" if self.locale == DEFAULT else f"{_MONTHS[month - 1]} {year}"

    def instant(self, value: datetime) -> str:
        """The moment in Japan's time, to the minute."""
        local = value.astimezone(JAPAN)
        return f"{self.day(local.date())} {local:%H:%M}"

    def braked(self, seconds: int, until: datetime) -> str:
        """That an attempt to sign in has to wait, for how long, and until when."""
        wait = seconds if seconds < 60 else math.ceil(seconds / 60) * 60
        return self("sign_in.too_many", span=self.span(wait), at=f"{until.astimezone(JAPAN):%H:%M:%S}")

    def span(self, seconds: float) -> str:
        """A duration in the largest unit that fits."""
        for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
            if seconds >= size:
                return self(f"layout.span_{unit}", n=round(seconds / size))
        return self("layout.span_second", n=max(0, round(seconds)))


@cache
def wording(locale: str) -> Wording:
    return Wording(locale)


@cache
def catalogue(locale: str) -> Mapping[str, str]:
    """Key → text of one language, all files of its folder."""
    found: dict[str, str] = {}
    for file in sorted((FOLDER / locale).glob("*.toml")):
        found |= _flat(tomllib.loads(file.read_text(encoding="utf-8")), file.stem)
    return found


def _flat(table: Mapping[str, Any], path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in table.items():
        key = f"{path}.{name}"
        found |= _flat(value, key) if isinstance(value, dict) else {key: str(value)}
    return found


def _form(number: object) -> str:
    return "one" if number == 1 else "other"
