"""Codecs of the telephone number and of 役職."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from app.domain.codecs.base import (
    UNKNOWN_VALUE,
    CannotEncode,
    Raw,
    compared_as_text,
    digits_of,
    refused,
    text_of,
    text_to_write,
)
from app.domain.japanese import phone
from app.domain.japanese.normal_form import NORMAL_FORM, Rule, normal
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, FieldState, Plain, Unconvertible
from app.domain.vendors.assumptions import POSITION_LOWEST_RANK_FIRST


@dataclass(frozen=True)
class PhoneInOne:
    """SmartHR's tel_number ↔ `03-1234-5678`. The numbering plan says which hyphens are kept and where others go."""

    rules: tuple[Rule, ...] = phone.RULES
    name: str = "phone_in_one"
    lossy: bool = False

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        text = text_of(raw[0])
        return hyphenated(text) if isinstance(text, str) else text

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        written = hyphenated(text_to_write(plain))
        if isinstance(written, Unconvertible):
            raise CannotEncode(written.reason)
        return (written,)

    def comparable(self, plain: Plain) -> str:
        return digits_of(str(plain)) or str(plain)


@dataclass(frozen=True)
class SplitPhone:
    """freee's phone1, phone2, phone3 (at most 5, 4 and 4 digits)."""

    rules: tuple[Rule, ...] = phone.RULES
    name: str = "split_phone"
    lossy: bool = False
    reads: ClassVar[str] = "phone_joined"
    writes: ClassVar[str] = "phone_split"

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        parts = [text_of(value) for value in raw[:3]]
        question = refused(parts)
        if question is not None:
            return question
        texts = [part for part in parts if isinstance(part, str)]
        return hyphenated("-".join(texts)) if texts else BLANK

    def gathered(self, raw: Raw) -> Raw:
        return ("-".join(text for value in raw[:3] if isinstance(value, str) and (text := normal(value))),)

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        (written,) = PHONE_IN_ONE.encode(plain, current, options)
        return tuple(written.split("-"))

    def comparable(self, plain: Plain) -> str:
        return PHONE_IN_ONE.comparable(plain)


PHONE_IN_ONE = PhoneInOne()


def hyphenated(text: str) -> str | Unconvertible:
    parts = phone.split(text)
    return parts if isinstance(parts, Unconvertible) else "-".join(parts)


@dataclass(frozen=True)
class FirstPosition:
    """SmartHR's `positions` (entries may be null) with the deprecated `position` beside ↔ one title.

    The codec writes a list of names: it replaces the first by rank and keeps the others. It leaves empty slots out,
    because SmartHR does not document whether it takes null as a placeholder, and the contract's entries are strings. A
    name that the 役職 master does not know would create an entry there, so the codec refuses it unless the connection
    allows it.
    """

    rules: tuple[Rule, ...] = NORMAL_FORM
    name: str = "first_position"
    lossy: bool = True
    reads: ClassVar[str] = "first_position"
    writes: ClassVar[str] = "position_placed"

    def decode(self, raw: Raw, options: MappingOptions) -> FieldState:
        if raw[0] is not None and not isinstance(raw[0], list):
            return UNKNOWN_VALUE
        entries = named_positions(raw[0] or ())
        return text_of(entries[first_by_rank(entries)]["name"] if entries else raw[1])

    def gathered(self, raw: Raw) -> Raw:
        entries = named_positions(raw[0] or ()) if isinstance(raw[0], list) else []
        return (entries[first_by_rank(entries)]["name"] if entries else raw[1],)

    def holds(self, plain: Plain, written: Raw) -> bool:
        """It writes names and reads entries."""
        return plain in written[0]

    def not_carried(self, raw: Raw, options: MappingOptions) -> tuple[str, ...]:
        several = isinstance(raw[0], list) and len(named_positions(raw[0])) > 1
        return ("other_positions",) if several else ()

    def encode(self, plain: Plain, current: Raw, options: MappingOptions) -> Raw:
        title = text_to_write(plain)
        entries = named_positions(current[0] or ()) if isinstance(current[0], list) else []
        names = [_title(entry) for entry in entries]
        first = first_by_rank(entries) if entries else 0
        if names and self.comparable(names[first]) == self.comparable(title):
            return (names,)
        if self.comparable(title) in map(self.comparable, names):
            # The employee has this title already, ranked below another one; replacing that other one would lose it.
            raise CannotEncode("position_order")
        known = self._known(title, options)
        return ([*names[:first], known, *names[first + 1 :]],)

    def comparable(self, plain: Plain) -> str:
        return compared_as_text(str(plain))

    def _known(self, title: str, options: MappingOptions) -> str:
        """The title as the master spells it."""
        for name in sorted(options.known_positions or ()):
            if self.comparable(name) == self.comparable(title):
                return name
        if options.create_positions:
            return title
        raise CannotEncode("unknown_position")


def erase_positions(current: Raw) -> Raw:
    """An empty list. Raises CannotEncode with several positions, because freee's blank says nothing of the others."""
    if isinstance(current[0], list) and len(named_positions(current[0])) > 1:
        raise CannotEncode("several_positions")
    return ([],)


def named_positions(entries: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The filled slots in their order, those with a name that cannot be carried among them."""
    return [entry for entry in entries if isinstance(entry, Mapping) and text_of(entry.get("name")) is not BLANK]


def first_by_rank(entries: list[Mapping[str, Any]], *, lowest_first: bool = POSITION_LOWEST_RANK_FIRST) -> int:
    """The index of the highest position (see POSITION_LOWEST_RANK_FIRST); without rank the slots' order counts."""

    def order(index: int) -> tuple[bool, int, int]:
        rank = entries[index].get("rank")
        if isinstance(rank, bool) or not isinstance(rank, int):
            return (True, 0, index)
        return (False, rank if lowest_first else -rank, index)

    return min(range(len(entries)), key=order)


def _title(entry: Mapping[str, Any]) -> str:
    """The name as the master spells it: SmartHR finds the position by it. Raises CannotEncode for what is no text."""
    if not isinstance(entry["name"], str):
        raise CannotEncode(UNKNOWN_VALUE.reason)
    return entry["name"]
