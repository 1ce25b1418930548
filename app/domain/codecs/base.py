"""Conversions between a vendor's values and one plain form: text, kana, dates, yes/no, closed lists.

A codec is given the values of its row's paths, followed by the values of the paths beside them (`mapping.Place`), and
answers in the same order. `decode` never raises: a value that has no counterpart is Unconvertible. `encode` raises
CannotEncode. Numbers, addresses, telephone and positions, and the bank account have modules of their own.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from app.domain.errors import ItemError
from app.domain.japanese.kana import fold_hyphens, katakana, narrow, stable, without_spaces
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, FieldState, Missing, Plain, Unconvertible

Raw = tuple[Any, ...]

UNKNOWN_VALUE = Unconvertible("unknown_value")
KANA_CHARACTERS = Unconvertible("kana_characters")
LETTERS_IN_NUMBER = Unconvertible("letters_in_number")
DIGIT_COUNT = Unconvertible("digit_count")
IMPOSSIBLE_DATE = Unconvertible("impossible_date")


class CannotEncode(ItemError):
    """The plain value has no place in the target as it stands. `reason` is a stable word, `key` the row of FIELDS."""

    def __init__(self, reason: str, *, key: str | None = None) -> None:
        super().__init__(reason, key or "")
        self.reason = reason
        self.key = key


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


def text_of(value: object) -> str | Missing | Unconvertible:
    """A vendor's text without outer spaces; null, "" and spaces are BLANK."""
    if value is None:
        return BLANK
    if not isinstance(value, str):
        return UNKNOWN_VALUE
    return value.strip() or BLANK


def text_to_write(plain: Plain, *, max_length: int | None = None) -> str:
    if not isinstance(plain, str) or not plain.strip():
        raise CannotEncode("wrong_type")
    if max_length is not None and len(plain) > max_length:
        raise CannotEncode("too_long")
    return plain


def compared_as_text(text: str) -> str:
    """The text without regard to width and to the number of spaces. Capitals and kanji variants stay different."""
    return stable(lambda part: " ".join(narrow(part).split()), text)


def digits_of(text: str) -> str | None:
    """The ASCII digits of a text, without width, hyphens and spaces; None when the text holds anything else."""
    plain = without_spaces(fold_hyphens(unicodedata.normalize("NFKC", text), long_vowel=True)).replace("-", "")
    return plain if plain.isascii() and plain.isdigit() else None


@dataclass(frozen=True)
class Text:
    """Free text, compared without regard to width and to the number of spaces."""

    max_length: int | None = None
    name: str = "text"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        return text_of(raw[0])

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        return (text_to_write(plain, max_length=self.max_length),)

    def comparable(self, plain: Plain) -> str:
        return compared_as_text(str(plain))


@dataclass(frozen=True)
class Katakana:
    """A reading: accepts half-width kana, hiragana and spaces; keeps and writes full-width katakana."""

    max_length: int | None = None
    name: str = "katakana"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        return written_kana(text) or KANA_CHARACTERS if isinstance(text, str) else text

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        written = written_kana(text_to_write(plain))
        if written is None:
            raise CannotEncode("kana_characters")
        return (text_to_write(written, max_length=self.max_length),)

    def comparable(self, plain: Plain) -> str:
        return stable(lambda text: without_spaces(katakana(text)), str(plain))


_KANA = re.compile(r"[ァ-ヺー・ヽヾ ]+")


def written_kana(text: str) -> str | None:
    """The reading as both systems take it, or None when it holds other signs than katakana."""
    kana = katakana(text).strip()
    return kana.replace(" ", "　") if _KANA.fullmatch(kana) else None


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
