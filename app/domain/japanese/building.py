"""Where 建物名 begins in the part of an address text that follows the municipality.

The text does not say it, so what SmartHR holds now decides: an unchanged 丁目・番地 before it, an unchanged 建物名 at
the end, the unchanged name of a building whose room changed. Where these disagree or say nothing, the text must have a
clear form of its own, otherwise a person is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.domain.japanese.address import folded
from app.domain.japanese.kana import fold_hyphens, narrow

# After a number these carry it on: 2丁目, 3番地の1, 4条, 12地割, 5甲.
_CARRIES_ON = re.compile(r"丁目|番|号|条|地割|線|の|ノ|之|[甲乙丙丁]|[イロハニ](?![ァ-ヶー])")
_BUILDING_WORD = re.compile(r"[ァ-ヶー]{2}|[A-Za-z]{2}|[荘館棟寮苑邸階]|団地|住宅|宿舎|社宅|号室")
# A longer number at the end, or a fourth, may be a room.
_ONLY_STREET = re.compile(r"(?:\D*\d+(?:条|地割|線)[東西南北]?)?\D*(?:\d+(?:-\d{1,2}){0,2})?")
_NUMBERS_APART = re.compile(r"\d\s+\d")
_NAME = re.compile(r"(?:\D*[^\d\s第-])")


class BuildingUnclear(Exception):
    """The text does not tell where the street ends; a person has to say it."""


@dataclass(frozen=True)
class Premises:
    """丁目・番地 and 建物名."""

    street: str = field(repr=False)
    building: str = field(repr=False)


def divided(rest: str, held: Premises) -> Premises:
    """The rest of a text as 丁目・番地 and 建物名, beside what SmartHR holds now. Raises BuildingUnclear."""
    if not held.building:
        start = _after_the_street(rest, held)
        return Premises(rest, "") if start is None else _cut(rest, start)
    starts = {_after_the_street(rest, held), _at_the_end(rest, held), _at_its_name(rest, held)} - {None}
    if len(starts) > 1:
        raise BuildingUnclear
    for start in starts or {_at_a_gap(rest)}:
        if start is not None:
            return _cut(rest, start)
    if not _has_no_building(rest) or _in_the_same_town(rest, held.street):
        raise BuildingUnclear
    return Premises(rest, "")  # in another town the building held is one of the old address


def _cut(rest: str, start: int) -> Premises:
    before = rest[:start].rstrip()
    joined_by_hyphen = fold_hyphens(before[-1:]) == "-"
    return Premises(before[:-1].rstrip() if joined_by_hyphen else before, rest[start:])


def _after_the_street(rest: str, held: Premises) -> int | None:
    """The sign after an unchanged 丁目・番地 that ends in a number, unless that number goes on."""
    street = folded(held.street)
    if not street[-1:].isdigit():
        return None
    for end in range(len(rest) - 1, 0, -1):
        if not rest[end - 1].isspace() and folded(rest[:end]) == street:
            return _first_sign(rest, end) if _begins_a_building(rest[end:], held.building) else None
    return None


def _first_sign(rest: str, start: int) -> int:
    while start < len(rest) and (rest[start].isspace() or fold_hyphens(rest[start]) == "-"):
        start += 1
    return start


def _begins_a_building(tail: str, building: str) -> bool:
    """Whether what follows the number of the house is a building, and not more of the number."""
    plain, before = folded(tail), folded(building)
    if plain[:1].isdigit() or plain.startswith("-"):
        return before[:1].isdigit() and _shape(plain.lstrip("-")) == _shape(before)
    if len(plain) < 2 or _CARRIES_ON.match(narrow(tail.lstrip())):
        return False
    if not plain[0].isalnum() and plain[0] != before[:1]:
        return False  # a comma or a bracket, which nobody asked us to take along
    if tail[0].isspace() or (before and plain.startswith(before)):
        return True
    return not plain[0].isascii() and bool(_BUILDING_WORD.search(narrow(tail)))


def _at_the_end(rest: str, held: Premises) -> int | None:
    """The sign where an unchanged 建物名 begins at the end of the text."""
    building = folded(held.building)
    for start in range(len(rest) - 1, -1, -1):
        if not rest[start].isspace() and folded(rest[start:]) == building:
            return start if _may_begin(rest[:start], held) else None
    return None


def _at_its_name(rest: str, held: Premises) -> int | None:
    """The sign where the name of the building held stands, when its room has changed."""
    match = _NAME.match(narrow(held.building))
    name = folded(match.group()) if match else ""
    if len(name) < 2:
        return None
    found = [start for start in _starts_of_words(rest, held) if folded(rest[start:]).startswith(name)]
    return found[0] if len(found) == 1 else None


def _starts_of_words(rest: str, held: Premises) -> Iterator[int]:
    signs = range(len(rest))
    return (start for start in signs if not rest[start].isspace() and _may_begin(rest[:start], held))


def _may_begin(before: str, held: Premises) -> bool:
    """Whether a building may begin after this part of the text."""
    if not before.strip():
        return not held.street
    after_a_number, is_a_number = folded(before)[-1:].isdigit(), folded(held.building)[:1].isdigit()
    if before[-1].isspace():
        return after_a_number or not is_a_number
    if not is_a_number:
        return after_a_number
    return fold_hyphens(before[-1]) == "-" and _shape(folded(before[:-1])) == _shape(folded(held.street))


def _shape(plain: str) -> str:
    """The text with 0 for each number: 麻布台0-0-0."""
    return re.sub(r"\d+", "0", plain)


def _at_a_gap(rest: str) -> int | None:
    """The sign after a space that stands between a number and what is in words a building."""
    for gap in re.finditer(r"\s+", rest):
        before, after = folded(rest[: gap.start()]), narrow(rest[gap.end() :])
        if before[-1:].isdigit() and not _CARRIES_ON.match(after) and not folded(after)[:1].isdigit():
            return gap.end() if _BUILDING_WORD.search(after) else None
    return None


def _has_no_building(rest: str) -> bool:
    plain = narrow(rest)
    clear = not _BUILDING_WORD.search(plain) and not _NUMBERS_APART.search(plain)
    return clear and bool(_ONLY_STREET.fullmatch(folded(rest)))


def _in_the_same_town(rest: str, street: str) -> bool:
    """Whether both are the same up to the first number; a 丁目・番地 that is empty may be anywhere."""
    one, other = (re.split(r"\d", folded(text), maxsplit=1)[0] for text in (rest, street))
    return not street or one == other
