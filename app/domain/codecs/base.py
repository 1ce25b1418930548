"""Conversions between a vendor's values and one plain form: text, kana, dates, yes/no, closed lists.

A codec is given the values of its row's paths, followed by the values of the paths beside them (`mapping.Place`), and
answers in the same order. `decode` never raises: a value that has no counterpart is Unconvertible. `encode` raises
CannotEncode. Numbers, addresses, telephone and positions, and the bank account have modules of their own.

A codec changes a value only by named rules: those of the normal form, and its own (`rules`); what they do not
bring into a form both systems take is a question for a person. What a codec does besides, because the two systems keep
a value in different places or words, it names in `reads` and `writes`. `steps` follows one value through all of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Protocol

from app.domain.errors import ItemError
from app.domain.japanese.kana import HYPHENS, TO_READING, fold_hyphens, katakana, narrow, stable, without_spaces
from app.domain.japanese.normal_form import (
    Rule,
    carried,
    is_plain,
    length_at_most,
    normal,
    question,
)
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, FieldState, Missing, Plain, Unconvertible

Raw = tuple[Any, ...]

UNKNOWN_VALUE = Unconvertible("unknown_value")
KANA_CHARACTERS = Unconvertible("kana_characters")
KANA_HYPHEN = Unconvertible("kana_hyphen")
LETTERS_IN_NUMBER = Unconvertible("letters_in_number")
DIGIT_COUNT = Unconvertible("digit_count")
IMPOSSIBLE_DATE = Unconvertible("impossible_date")


class CannotEncode(ItemError):
    """The plain value has no place in the target as it stands. `reason` is a stable word, `key` the row of FIELDS."""

    def __init__(self, reason: str, *, key: str | None = None) -> None:
        super().__init__(reason, key or "")
        self.reason = reason
        self.key = key
        self.keys = (key,) if key else ()


class Codec(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def lossy(self) -> bool:
        """True when a value may come back shorter or cut differently than it was sent, though it compares as equal."""
        ...

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState: ...

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        """The values for the paths. `current`: what the target holds at the paths and beside them, None for nothing."""
        ...

    def comparable(self, plain: Plain) -> str:
        """A form that is equal for two writings of the same value, whichever system they come from; idempotent."""
        ...


def own_rules(codec: Codec) -> tuple[Rule, ...]:
    """The rules by which a codec changes texts after those of the normal form: its `rules`, if it has some."""
    rules: tuple[Rule, ...] = getattr(codec, "rules", ())
    return rules


def text_of(value: object) -> str | Missing | Unconvertible:
    """A vendor's text in normal form; null and what is blank then are BLANK, what cannot be carried is a question."""
    if value is None:
        return BLANK
    if not isinstance(value, str):
        return UNKNOWN_VALUE
    if is_plain(value):
        return value.strip() or BLANK
    text = normal(value)
    if not text:
        return BLANK
    reason = question(value)
    return Unconvertible(reason) if reason else text


def refused(states: Iterable[FieldState]) -> Unconvertible | None:
    """The first that cannot be converted, of the parts of one value."""
    return next((state for state in states if isinstance(state, Unconvertible)), None)


def text_to_write(plain: Plain, *, max_length: int | None = None) -> str:
    """The text in normal form. Raises CannotEncode for what is not one; a text too long is never cut."""
    text = text_of(plain)
    if isinstance(text, Unconvertible) and isinstance(plain, str):
        raise CannotEncode(text.reason)
    if not isinstance(text, str):
        raise CannotEncode("wrong_type")
    if max_length is not None and length_at_most(text) > max_length:
        raise CannotEncode("too_long")
    return text


# Signs that are neither blanks nor of another width: ASCII, kana without separate marks, kanji.
_COMPARED = re.compile("[!-~\u3005-\u3007\u3041-\u3096\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")


def compared_as_text(text: str) -> str:
    """The text without regard to width and to the number of spaces. Capitals and kanji variants stay different."""
    if _COMPARED.fullmatch(text):
        return text
    return stable(lambda part: " ".join(narrow(normal(part)).split()), text)


def digits_of(text: str) -> str | None:
    """The ASCII digits of a text, without width, hyphens and spaces; None when the text holds anything else."""
    if text.isascii() and text.isdigit():
        return text
    plain = without_spaces(fold_hyphens(narrow(normal(text)), long_vowel=True)).replace("-", "")
    return plain if plain.isascii() and plain.isdigit() else None


WIDTH = Rule("rule_width", narrow)
CODE = "code"
"""What a codec does that turns a system's own words or codes into ours, and back: `reads` and `writes`."""


@dataclass(frozen=True)
class Text:
    """Free text, compared without regard to width and to the number of spaces.

    `rules`: how the text is written beyond the normal form. 社員番号 has `WIDTH`, because it is a key: １２３ is 123.
    """

    max_length: int | None = None
    rules: tuple[Rule, ...] = ()
    name: str = "text"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        return text_of(carried(text, self.rules)) if isinstance(text, str) else text

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        return (text_to_write(carried(text_to_write(plain), self.rules), max_length=self.max_length),)

    def comparable(self, plain: Plain) -> str:
        return compared_as_text(str(plain))


@dataclass(frozen=True)
class Katakana:
    """A reading: accepts half-width kana, hiragana and spaces; keeps and writes full-width katakana."""

    max_length: int | None = None
    rules: tuple[Rule, ...] = TO_READING
    name: str = "katakana"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        return written_kana(text) if isinstance(text, str) else text

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        written = written_kana(text_to_write(plain))
        if isinstance(written, Unconvertible):
            raise CannotEncode(written.reason)
        return (text_to_write(written, max_length=self.max_length),)

    def comparable(self, plain: Plain) -> str:
        return stable(lambda text: without_spaces(katakana(normal(text))), str(plain))


_KANA = re.compile(r"(?=.*[ァ-ヺ])[ァ-ヺー・ヽヾ　]+")
_HYPHEN = re.compile(rf"[{HYPHENS}]")


def written_kana(text: str) -> str | Unconvertible:
    """The reading as both systems take it. Nobody can tell whether a hyphen stands between two names or for ー."""
    if _KANA.fullmatch(text):  # none of the rules finds anything in it
        return text
    kana = carried(text, TO_READING)
    if _KANA.fullmatch(kana):
        return kana
    return KANA_HYPHEN if _KANA.fullmatch(_HYPHEN.sub("ー", kana)) else KANA_CHARACTERS


@dataclass(frozen=True)
class Date:
    """`YYYY-MM-DD` ↔ date."""

    name: str = "date"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        value = raw[0]
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        text = text_of(value)
        return parsed_date(text) or IMPOSSIBLE_DATE if isinstance(text, str) else text

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        if not isinstance(plain, date) or isinstance(plain, datetime):
            raise CannotEncode("wrong_type")
        return (plain.isoformat(),)

    def comparable(self, plain: Plain) -> str:
        return plain.isoformat() if isinstance(plain, date) else str(plain)


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parsed_date(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class YesNo:
    """true ↔ true. false is a value of its own; only null is blank."""

    name: str = "yes_no"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        value = raw[0]
        if value is None:
            return BLANK
        return value if isinstance(value, bool) else UNKNOWN_VALUE

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        if not isinstance(plain, bool):
            raise CannotEncode("wrong_type")
        return (plain,)

    def comparable(self, plain: Plain) -> str:
        return "true" if plain is True else "false" if plain is False else str(plain)


@dataclass(frozen=True)
class Choice:
    """A vendor's closed list ↔ our words. `words` pairs (vendor's, ours); `blank` are the vendor's words for nothing.

    `refused` pairs (vendor's, reason): the vendor's words without a counterpart. Any other word is an unknown value.
    """

    words: tuple[tuple[str, str], ...]
    blank: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    name: str = "choice"
    lossy: bool = False
    reads: ClassVar[str] = CODE
    writes: ClassVar[str] = CODE

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        if not isinstance(text, str):
            return text
        if text in self.blank:
            return BLANK
        reason = dict(self.refused).get(text)
        return Unconvertible(reason) if reason else dict(self.words).get(text, UNKNOWN_VALUE)

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        for theirs, ours in self.words:
            if ours == plain:
                return (theirs,)
        raise CannotEncode("unknown_value")

    def comparable(self, plain: Plain) -> str:
        return str(plain)
