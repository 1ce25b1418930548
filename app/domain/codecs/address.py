"""Codecs of the two addresses. Each is told the prefecture beside its own value, SmartHR's the country as well."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.domain.codecs.base import (
    DIGIT_COUNT,
    KANA_CHARACTERS,
    LETTERS_IN_NUMBER,
    UNKNOWN_VALUE,
    CannotEncode,
    Codec,
    Raw,
    Traced,
    digits_of,
    refused,
    text_of,
    text_to_write,
)
from app.domain.codecs.numbers import Grouped
from app.domain.japanese import address, prefectures
from app.domain.japanese.kana import fold_hyphens, full_width, katakana, stable, without_spaces
from app.domain.japanese.normal_form import Rule
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, FieldState, Plain, Unconvertible
from app.domain.vendors.assumptions import JAPAN_COUNTRY_NUMBERS

FOREIGN_ADDRESS = Unconvertible("foreign_address")


@dataclass(frozen=True)
class InJapan:
    """Wraps a codec of SmartHR's address, because freee has no place for an address abroad.

    The last of the values beside is country_number.
    """

    codec: Codec

    @property
    def name(self) -> str:
        return self.codec.name

    @property
    def lossy(self) -> bool:
        return self.codec.lossy

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self.codec.rules if isinstance(self.codec, Traced) else ()

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        return self.codec.decode(raw[:-1], options) if is_in_japan(raw[-1]) else FOREIGN_ADDRESS

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        if not is_in_japan(current[-1]):
            raise CannotEncode(FOREIGN_ADDRESS.reason)
        return self.codec.encode(plain, current[:-1], options)

    def comparable(self, plain: Plain) -> str:
        return self.codec.comparable(plain)


def is_in_japan(country_number: object) -> bool:
    """SmartHR's country_number: three digits as text, blank for most people."""
    if country_number is None:
        return True
    return isinstance(country_number, (str, int)) and str(country_number).strip().upper() in JAPAN_COUNTRY_NUMBERS


ZIP_CODE = Grouped(groups=(3, 4), hyphens=True, name="zip_code")


@dataclass(frozen=True)
class SplitZipCode:
    """freee's zipcode1 and zipcode2."""

    name: str = "split_zip_code"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        parts = [text_of(value) for value in raw[:2]]
        question = refused(parts)
        if question is not None:
            return question
        texts = [part if isinstance(part, str) else "" for part in parts]
        if not any(texts):
            return BLANK
        digits = [digits_of(text) if text else "" for text in texts]
        if None in digits:
            return LETTERS_IN_NUMBER
        return (
            ZIP_CODE.grouped("".join(digit or "" for digit in digits))
            if [len(part or "") for part in digits] == [3, 4]
            else DIGIT_COUNT
        )

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        (written,) = ZIP_CODE.encode(plain, current, options)
        return tuple(written.split("-"))

    def comparable(self, plain: Plain) -> str:
        return ZIP_CODE.comparable(plain)


@dataclass(frozen=True)
class PrefectureName:
    name: str = "prefecture_name"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        return prefectures.full_name(text) or UNKNOWN_VALUE if isinstance(text, str) else text

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        return (known_prefecture(plain),)

    def comparable(self, plain: Plain) -> str:
        return str(plain)


@dataclass(frozen=True)
class PrefectureCode:
    """freee's code: JIS minus one, 0 is 北海道, -1 is blank."""

    name: str = "prefecture_code"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        code = raw[0]
        if code is None or (code == -1 and not isinstance(code, float)):
            return BLANK
        return prefectures.name_of(code) or UNKNOWN_VALUE

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        return (prefectures.code_of(known_prefecture(plain)),)

    def comparable(self, plain: Plain) -> str:
        return str(plain)


def known_prefecture(plain: Plain) -> str:
    name = prefectures.full_name(text_to_write(plain).strip())
    if name is None:
        raise CannotEncode("unknown_value")
    return name


def prefecture_beside(value: object) -> str | None:
    """The prefecture from SmartHR's name or freee's code; None when it is not set."""
    return prefectures.full_name(value.strip()) if isinstance(value, str) else prefectures.name_of(value)


@dataclass(frozen=True)
class AddressInParts:
    """SmartHR's 市区町村, 丁目・番地, 建物名 with the prefecture beside ↔ freee's one text.

    An address that compares as equal keeps SmartHR's split. A text that really differs is split by municipality; 建物名
    is then part of that text, so SmartHR's own 建物名 is cleared, unless the text still ends with it.
    """

    name: str = "address_in_parts"
    lossy: bool = True

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        texts = [text_of(value) for value in raw[:3]]
        question = refused(texts)
        if question is not None:
            return question
        city, street, building = (text if isinstance(text, str) else "" for text in texts)
        whole = address.joined(city, street, building if options.include_building else "")
        return prefectures.without_name(whole, prefecture_beside(raw[3])) or BLANK

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        text = text_to_write(plain).strip()
        present = self.decode(current, options)
        if isinstance(present, str) and self.comparable(present) == self.comparable(text):
            return current[:3]
        return _split_anew(text, current, options)

    def comparable(self, plain: Plain) -> str:
        return address.comparable(str(plain))


def _split_anew(text: str, current: Raw, options: MappingOptions) -> Raw:
    city, _, building = (value.strip() if isinstance(value, str) else "" for value in current[:3])
    split = address.split(text, prefecture_beside(current[3]), known_city=city)
    if split is None:
        raise CannotEncode("unsplittable_address")
    if not building:
        return (split.city, split.rest, current[2])
    if not options.include_building:
        raise CannotEncode("building_unclear")
    before = split.rest.removesuffix(building)
    if before != split.rest and (before[-1:].isspace() or not building[0].isdigit()):
        return (split.city, before.rstrip(), building)
    return (split.city, split.rest, "")


@dataclass(frozen=True)
class AddressInOne:
    """freee's 市区町村以降の住所, with the code of the prefecture beside: its name at the head is left out."""

    max_length: int = 255
    name: str = "address_in_one"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        return prefectures.without_name(text, prefecture_beside(raw[1])) or BLANK if isinstance(text, str) else text

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        return (text_to_write(plain, max_length=self.max_length),)

    def comparable(self, plain: Plain) -> str:
        return address.comparable(str(plain))


@dataclass(frozen=True)
class AddressKana:
    """The reading of an address with the prefecture beside; the plain form starts at the municipality.

    `with_prefecture`: this system's reading normally starts with the prefecture's (SmartHR). `takes_signs`: the reading
    may hold digits, letters and hyphens, in full width.
    """

    with_prefecture: bool
    takes_signs: bool = True
    max_length: int | None = None
    name: str = "address_kana"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        if not isinstance(text, str):
            return text
        kana = _written_address_kana(text)
        if kana is None:
            return KANA_CHARACTERS
        return prefectures.without_reading(kana, prefecture_beside(raw[1])) or BLANK

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        kana = _written_address_kana(text_to_write(plain))
        if kana is None or not (self.takes_signs or _ONLY_KATAKANA.fullmatch(kana)):
            raise CannotEncode(KANA_CHARACTERS.reason)
        prefecture = prefecture_beside(current[1]) if self.with_prefecture else None
        return (text_to_write(prefectures.with_reading(kana, prefecture), max_length=self.max_length),)

    def comparable(self, plain: Plain) -> str:
        return stable(_fold_kana, str(plain))


def _fold_kana(text: str) -> str:
    return without_spaces(fold_hyphens(katakana(text), long_vowel=True)).upper()


_ONLY_KATAKANA = re.compile(r"[ァ-ヺー・ヽヾ　]+")
_ADDRESS_KANA = re.compile(r"[ァ-ヺー・ヽヾ A-Za-z0-9.,()\-]+")


def _written_address_kana(text: str) -> str | None:
    kana = fold_hyphens(katakana(text)).strip()
    return full_width(kana).replace(" ", "　") if _ADDRESS_KANA.fullmatch(kana) else None
