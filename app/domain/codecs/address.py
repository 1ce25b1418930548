"""Codecs of the two addresses. Each is told the prefecture beside its own value, SmartHR's the country as well.

What stands beside decides how a value is written, never how it compares: `comparable` leaves out any prefecture at the
head, so two systems that differ in the prefecture alone differ in that item alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from app.domain.codecs.base import (
    CODE,
    DIGIT_COUNT,
    KANA_CHARACTERS,
    LETTERS_IN_NUMBER,
    UNKNOWN_VALUE,
    CannotEncode,
    Codec,
    Raw,
    digits_of,
    own_rules,
    refused,
    text_of,
    text_to_write,
)
from app.domain.codecs.numbers import Grouped
from app.domain.japanese import address, prefectures
from app.domain.japanese.building import BuildingUnclear, Premises, divided
from app.domain.japanese.kana import TO_FULL_WIDTH, fold_hyphens, katakana, stable, without_spaces
from app.domain.japanese.normal_form import Rule, carried
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
        return own_rules(self.codec)

    @property
    def reads(self) -> str:
        return str(getattr(self.codec, "reads", ""))

    @property
    def writes(self) -> str:
        return str(getattr(self.codec, "writes", ""))

    def not_carried(self, raw: Raw, options: MappingOptions) -> tuple[str, ...]:
        return self.codec.not_carried(raw[:-1], options) if hasattr(self.codec, "not_carried") else ()

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
    reads: ClassVar[str] = "zip_code_joined"
    writes: ClassVar[str] = "zip_code_split"

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


CONTRADICTION = Unconvertible("prefecture_contradicts")


@dataclass(frozen=True)
class PrefectureName:
    """SmartHR's 都道府県, with 市区町村 beside."""

    rules: tuple[Rule, ...] = (Rule("rule_prefecture", lambda text: prefectures.full_name(text) or text),)
    name: str = "prefecture_name"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        state = prefectures.full_name(text) or UNKNOWN_VALUE if isinstance(text, str) else text
        return CONTRADICTION if contradicts(state, raw[1:]) else state

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        return (known_prefecture(plain),)

    def comparable(self, plain: Plain) -> str:
        return str(plain)


@dataclass(frozen=True)
class PrefectureCode:
    """freee's code: JIS minus one, 0 is 北海道, -1 is blank. 市区町村以降の住所 stands beside."""

    name: str = "prefecture_code"
    lossy: bool = False
    reads: ClassVar[str] = CODE
    writes: ClassVar[str] = CODE

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        code = raw[0]
        if code is None or (code == -1 and not isinstance(code, float)):
            return BLANK
        state = prefectures.name_of(code) or UNKNOWN_VALUE
        return CONTRADICTION if contradicts(state, raw[1:]) else state

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        return (prefectures.code_of(known_prefecture(plain)),)

    def comparable(self, plain: Plain) -> str:
        return str(plain)


def contradicts(prefecture: object, address_beside: Raw) -> bool:
    """Whether the address beside begins with the name of another prefecture than this one."""
    found = {named_in(value) for value in address_beside} - {None}
    return isinstance(prefecture, str) and bool(found - {prefecture})


def named_in(address_text: object) -> str | None:
    """The prefecture whose name a vendor's address begins with."""
    text = text_of(address_text)
    return prefectures.named_at_head(text) if isinstance(text, str) else None


def known_prefecture(plain: Plain) -> str:
    name = prefectures.full_name(text_to_write(plain).strip())
    if name is None:
        raise CannotEncode("unknown_value")
    return name


def prefecture_beside(value: object) -> str | None:
    """The prefecture from SmartHR's name or freee's code; None when it is not set."""
    return prefectures.full_name(value.strip()) if isinstance(value, str) else prefectures.name_of(value)


def _from_the_municipality(text: str, prefecture: str | None) -> FieldState:
    """An address without its own prefecture at the head; BLANK where nothing but the name of a prefecture is there."""
    return prefectures.without_name(text, prefecture) if address.comparable(text) else BLANK


def _text_for(plain: Plain, prefecture: str | None) -> str:
    """The address as it is written beside a prefecture: without its name. Another one's name would contradict it."""
    text = text_to_write(plain).strip()
    named = prefectures.named_at_head(text)
    if prefecture and named and named != prefecture:
        raise CannotEncode(CONTRADICTION.reason)
    return prefectures.without_name(text, prefecture)


def text_beside(held: object, prefecture: object) -> object:
    """The address text that a system holds, without the name of the prefecture that it gets beside."""
    alone = _text_for(held, prefecture_beside(prefecture)) if isinstance(held, str) and held.strip() else ""
    return alone if alone and alone != str(held).strip() else held


@dataclass(frozen=True)
class AddressInParts:
    """SmartHR's 市区町村, 丁目・番地, 建物名 with the prefecture beside ↔ freee's one text.

    An address that compares as equal keeps SmartHR's split, and every part that compares as equal stays as it is. The
    rest is split by municipality (`address.split`) and by building (`building.divided`); what is unclear is refused.
    """

    name: str = "address_in_parts"
    lossy: bool = True
    reads: ClassVar[str] = "address_joined"
    writes: ClassVar[str] = "address_split"

    def not_carried(self, raw: Raw, options: MappingOptions) -> tuple[str, ...]:
        return ("building",) if isinstance(text_of(raw[2]), str) and not options.include_building else ()

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        texts = [text_of(value) for value in raw[:3]]
        question = refused(texts)
        if question is not None:
            return question
        city, street, premises = (text if isinstance(text, str) else "" for text in texts)
        whole = address.joined(city, street, premises if options.include_building else "")
        return _from_the_municipality(whole, prefecture_beside(raw[3]))

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        text = _text_for(plain, prefecture_beside(current[3]))
        if self._holds(current, text, options):
            return current[:3]
        written = _split_anew(text, current, options)
        if not self._holds((*written, current[3]), text, options):
            raise CannotEncode("building_unclear")
        return written

    def _holds(self, raw: Raw, text: str, options: MappingOptions) -> bool:
        present = self.decode(raw, options)
        return isinstance(present, str) and self.comparable(present) == self.comparable(text)

    def comparable(self, plain: Plain) -> str:
        return address.comparable(str(plain))


def _split_anew(text: str, current: Raw, options: MappingOptions) -> Raw:
    city, street, premises = (value.strip() if isinstance(value, str) else "" for value in current[:3])
    split = address.split(
        text, prefecture_beside(current[3]), table=options.municipalities, held=address.Split(city, street)
    )
    if split is None or (street and not split.rest):
        raise CannotEncode("unsplittable_address")
    if premises and not options.include_building:
        raise CannotEncode("building_unclear")
    after = _premises(split.rest, Premises(street, premises), options)
    same_city = address.comparable(split.city) == address.comparable(city)
    pairs = zip((after.street, after.building), current[1:3], strict=True)
    return (current[0] if same_city else split.city, *(_kept(part, held) for part, held in pairs))


def _premises(rest: str, held: Premises, options: MappingOptions) -> Premises:
    if not options.include_building:
        return Premises(rest, held.building)
    try:
        return divided(rest, held)
    except BuildingUnclear:
        raise CannotEncode("building_unclear") from None


def _kept(part: str, held: object) -> object:
    """What SmartHR holds, character for character, where the new part is only another writing of it."""
    before = held if isinstance(held, str) else ""
    return held if address.folded(part) == address.folded(before) else part


@dataclass(frozen=True)
class AddressInOne:
    """freee's 市区町村以降の住所, with the code of the prefecture beside: its name at the head is left out."""

    max_length: int = 255
    name: str = "address_in_one"
    lossy: bool = False
    reads: ClassVar[str] = "prefecture_left_out"
    writes: ClassVar[str] = "prefecture_left_out"

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        return _from_the_municipality(text, prefecture_beside(raw[1])) if isinstance(text, str) else text

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        return (text_to_write(_text_for(plain, prefecture_beside(current[1])), max_length=self.max_length),)

    def comparable(self, plain: Plain) -> str:
        return address.comparable(str(plain))


@dataclass(frozen=True)
class AddressKana:
    """The reading of an address with the prefecture beside; the plain form starts at the municipality.

    `with_prefecture`: this system's reading normally starts with the prefecture's (SmartHR). `takes_signs`: the reading
    may hold digits, letters and hyphens, in full width. A reading that names another prefecture than the one beside
    (after a move) is carried as it is.
    """

    with_prefecture: bool
    takes_signs: bool = True
    max_length: int | None = None
    rules: tuple[Rule, ...] = TO_FULL_WIDTH
    name: str = "address_kana"
    lossy: bool = False
    reads: ClassVar[str] = "prefecture_reading_left_out"
    writes: ClassVar[str] = "prefecture_reading_fitted"

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        if not isinstance(text, str):
            return text
        kana = _written_address_kana(text)
        if kana is None:
            return KANA_CHARACTERS
        return prefectures.without_reading(kana, prefecture_beside(raw[1])) if self.comparable(kana) else BLANK

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        kana = _written_address_kana(text_to_write(plain))
        if kana is None or not (self.takes_signs or _ONLY_KATAKANA.fullmatch(kana)):
            raise CannotEncode(KANA_CHARACTERS.reason)
        placed = prefectures.with_reading if self.with_prefecture else prefectures.without_reading
        return (text_to_write(placed(kana, prefecture_beside(current[1])), max_length=self.max_length),)

    def comparable(self, plain: Plain) -> str:
        return stable(_fold_kana, str(plain))


def _fold_kana(text: str) -> str:
    """Without the reading of any prefecture at the head, so that the form is the same whatever stands beside."""
    plain = without_spaces(katakana(text))
    plain = prefectures.without_reading(plain, prefectures.read_at_head(plain))
    return fold_hyphens(plain, long_vowel=True).upper()


_ONLY_KATAKANA = re.compile(r"[ァ-ヺー・ヽヾ　]+")
_ADDRESS_KANA = re.compile(r"[ァ-ヺー・ヽヾ　Ａ-Ｚａ-ｚ０-９．，（）－]+")


def _written_address_kana(text: str) -> str | None:
    kana = carried(text.strip(), TO_FULL_WIDTH)
    return kana if _ADDRESS_KANA.fullmatch(kana) else None


def moved_reading(held: str, *, before: object, after: object) -> str:
    """SmartHR's reading of an address whose 都道府県 changes: the new one's reading in place of the one before.

    A reading without a prefecture, or with one that was not beside it, stays as it is.
    """
    kana, old, new = _written_address_kana(held.strip()), prefecture_beside(before), prefecture_beside(after)
    read = prefectures.read_at_head(kana or "")
    if kana is None or read is None or new in (None, read) or old not in (None, read):
        return held
    return prefectures.READINGS[str(new)] + prefectures.without_reading(kana, read)
