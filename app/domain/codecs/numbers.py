"""Codecs of numbers: those of fixed length with hyphens, insured person's numbers, and yen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from app.domain.codecs.base import (
    DIGIT_COUNT,
    LETTERS_IN_NUMBER,
    UNKNOWN_VALUE,
    WIDTH,
    CannotEncode,
    Raw,
    digits_of,
    text_of,
    text_to_write,
)
from app.domain.japanese.kana import fold_hyphens, narrow, stable
from app.domain.japanese.normal_form import Rule, carried, normal
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, FieldState, Plain, Unconvertible
from app.domain.vendors.assumptions import INTEGER_LIMIT

HYPHEN_PLACES = Unconvertible("hyphen_places")


def with_plain_hyphens(text: str) -> str:
    """Hyphens of any kind, a ー typed for one, and blanks between the digits as "-"; the sign 〒 left out."""
    return re.sub(r"[\s-]+", "-", fold_hyphens(text.removeprefix("〒").strip(), long_vowel=True))


@dataclass(frozen=True)
class Grouped:
    """A number of fixed length with hyphens at fixed places: 基礎年金番号 4-6, 雇用保険 4-6-1, 郵便番号 3-4.

    The plain form has the hyphens; `hyphens` says whether this vendor's form has them too. A hyphen at any other place
    is a question: a digit may be missing before it and one too many behind it.
    """

    groups: tuple[int, ...]
    hyphens: bool
    rules: tuple[Rule, ...] = (WIDTH, Rule("rule_hyphens", with_plain_hyphens))
    name: str = "grouped_digits"
    lossy: bool = False
    reads: ClassVar[str] = "hyphens_placed"
    writes: ClassVar[str] = "hyphens_left_out"

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        return self.grouped(text) if isinstance(text, str) else text

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        grouped = self.grouped(text_to_write(plain))
        if isinstance(grouped, Unconvertible):
            raise CannotEncode(grouped.reason)
        return (grouped if self.hyphens else grouped.replace("-", ""),)

    def comparable(self, plain: Plain) -> str:
        return digits_of(str(plain)) or str(plain)

    def grouped(self, text: str) -> str | Unconvertible:
        digits = digits_of(text.removeprefix("〒"))
        if digits is None:
            return LETTERS_IN_NUMBER
        if len(digits) != sum(self.groups):
            return DIGIT_COUNT
        ends = [sum(self.groups[:index]) for index in range(len(self.groups) + 1)]
        whole = "-".join(digits[start:end] for start, end in pairwise(ends))
        return whole if carried(text, self.rules) in (digits, whole) else HYPHEN_PLACES


@dataclass(frozen=True)
class NumberAsInteger:
    """被保険者整理番号 in SmartHR: a whole number, so leading zeros are lost there."""

    rules: tuple[Rule, ...] = (WIDTH,)
    name: str = "number_as_integer"
    lossy: bool = True
    writes: ClassVar[str] = "whole_number"

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        value = raw[0]
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value) if 0 <= value <= INTEGER_LIMIT else UNKNOWN_VALUE
        return number_text(value)

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        digits = compared_as_number(text_to_write(plain))
        if not digits.isascii() or not digits.isdigit():
            raise CannotEncode("letters_in_number")
        if len(digits) > 10 or int(digits) > INTEGER_LIMIT:
            raise CannotEncode("out_of_range")
        return (int(digits),)

    def comparable(self, plain: Plain) -> str:
        return compared_as_number(str(plain))


@dataclass(frozen=True)
class NumberAsText:
    """被保険者整理番号 in freee: text. `007` stays when `7` arrives."""

    max_length: int = 255
    rules: tuple[Rule, ...] = (WIDTH,)
    name: str = "number_as_text"
    lossy: bool = False
    writes: ClassVar[str] = "own_number_kept"

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        return number_text(raw[0])

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        written = text_to_write(plain, max_length=self.max_length)
        present = self.decode(current, options)
        if isinstance(present, str) and self.comparable(present) == self.comparable(written):
            return (present,)
        return (written,)

    def comparable(self, plain: Plain) -> str:
        return compared_as_number(str(plain))


def number_text(value: object) -> FieldState:
    """Digits with their leading zeros. A hyphen is not a digit here, because 12-3 is a company's own numbering."""
    text = text_of(value)
    if not isinstance(text, str):
        return text
    digits = narrow(text)
    return digits if digits.isascii() and digits.isdigit() else LETTERS_IN_NUMBER


def compared_as_number(text: str) -> str:
    digits = stable(lambda part: normal(narrow(part)), text)
    return digits.lstrip("0") or "0" if digits.isascii() and digits.isdigit() else digits


@dataclass(frozen=True)
class Yen:
    """標準報酬月額 in whole yen. 0 is no income at all (the lowest grade is far above it) and counts as blank."""

    name: str = "yen"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        value = raw[0]
        if value is None:
            return BLANK
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= INTEGER_LIMIT:
            return UNKNOWN_VALUE
        return value or BLANK

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        if isinstance(plain, bool) or not isinstance(plain, int):
            raise CannotEncode("wrong_type")
        if not 1 <= plain <= INTEGER_LIMIT:  # freee: at least 1
            raise CannotEncode("out_of_range")
        return (plain,)

    def comparable(self, plain: Plain) -> str:
        return str(plain)
