"""Address text: one form for comparing, and splitting 市区町村以降の住所 back into 市区町村 and 丁目・番地.

Comparing ignores only what is safe to ignore: width, spaces, hyphens, 丁目・番地・号 between numbers, ヶ and ケ, and
the name of a prefecture at the head, which is an item of its own. The splitter knows the municipalities of the
table that it is given and the one SmartHR holds, and refuses a name it does not know, instead of guessing by 市 or 町.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from app.domain.japanese.kana import fold_hyphens, stable, without_spaces
from app.domain.japanese.municipalities import VARIANTS, Municipalities, for_matching
from app.domain.japanese.prefectures import named_at_head, without_name

_KANJI_DIGITS = {sign: value for value, sign in enumerate("〇一二三四五六七八九")}
_KANJI_NUMBER = re.compile(r"([〇一二三四五六七八九十]{1,3})(?=丁目|条|番町)")
_BETWEEN_NUMBERS = re.compile(r"(?<=\d)(?:丁目|番地の?|番の?|号の?|の)(?=\d)")
# 番 and 号 only where they end a number: 3番町 is a name, 101号室 a room, 3号棟 a building.
_AFTER_NUMBER = re.compile(r"(?<=\d)(?:丁目|番地|番(?=\s|$|-)|号(?=\s|$|-))")
_NUMBER_OF_HOUSE = re.compile(r"(-\d+)号")
_LONG_VOWEL_BETWEEN = re.compile(r"(?<=\d)ー(?=\d)")
_SPACE_BETWEEN_NUMBERS = re.compile(r"(?<=\d)\s+(?=\d)")
_WARD = re.compile(r"[^\d区]{1,3}区")


def joined(city: str, street: str, building: str = "") -> str:
    """市区町村 + 丁目・番地 (+ a space and 建物名, so that 101 after 1-2-3 stays a number of its own).

    Latin letters and digits get a space between 市区町村 and 丁目・番地, too: Minato-ku and Shiba stay two words.
    """
    text = f"{city} {street}" if _in_a_word(city[-1:]) and _in_a_word(street[:1]) else f"{city}{street}"
    return f"{text} {building}" if text and building else text + building


def _in_a_word(sign: str) -> bool:
    narrow = unicodedata.normalize("NFKC", sign)
    return narrow[:1].isdigit() or unicodedata.name(narrow[:1] or " ", "").startswith("LATIN")


def comparable(text: str) -> str:
    """A form that is equal for two writings of one address; idempotent. Only for comparing: never show or write it.

    It leaves out a prefecture at the head, whichever it is and whatever stands beside the text, so that it is the same
    for a system that has the prefecture in its own field and one that does not.
    """
    return stable(lambda part: _without_prefecture(_fold(part)), text)


def folded(text: str) -> str:
    """The form of a part of an address: two writings of one street or building are equal."""
    return stable(_fold, text)


def _without_prefecture(text: str) -> str:
    return without_name(text, named_at_head(text))


def _fold(text: str) -> str:
    plain = fold_hyphens(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper())).strip()
    plain = _LONG_VOWEL_BETWEEN.sub("-", plain.translate(VARIANTS))
    plain = _KANJI_NUMBER.sub(lambda match: str(_number(match.group())), plain)
    plain = _AFTER_NUMBER.sub("", _BETWEEN_NUMBERS.sub("-", plain))
    plain = without_spaces(_SPACE_BETWEEN_NUMBERS.sub("-", plain))
    return _NUMBER_OF_HOUSE.sub(r"\1", plain)


def _number(kanji: str) -> int:
    """一…九十九 and 〇 as a number: 二十三 → 23."""
    tens, ten, ones = kanji.partition("十")
    if not ten:
        return int("".join(str(_KANJI_DIGITS[sign]) for sign in kanji))
    units = "".join(str(_KANJI_DIGITS.get(sign, 0)) for sign in ones)
    return _tens(tens) * 10 + int(units or "0")


def _tens(kanji: str) -> int:
    return int("".join(str(_KANJI_DIGITS[sign]) for sign in kanji)) if kanji else 1


@dataclass(frozen=True)
class Split:
    city: str = field(repr=False)
    rest: str = field(repr=False)


_NOWHERE = Split("", "")
_ENDS_A_MUNICIPALITY = tuple("市区町村")


def split(text: str, prefecture: str | None, *, table: Municipalities, held: Split = _NOWHERE) -> Split | None:
    """The longest municipality of the table at the head, and the rest; None when that is not clear.

    `held`: 市区町村 and 丁目・番地 as SmartHR has them now. Its municipality counts beside the prefecture's, because it
    may be one that is gone (a ward, a town that was merged); it also counts against a longer one whose name SmartHR
    already has further back (横浜市 and 中区本町1). The result holds the city as the source wrote it, without spaces.
    """
    signs = [(sign, place) for place, sign in enumerate(text) if not sign.isspace()]
    head = for_matching("".join(sign for sign, _ in signs))
    listed = max((len(name) for name in table.near(prefecture) if head.startswith(name)), default=0)
    known = _known_length(text, signs, head, held, prefecture, table)
    keeps = known >= listed or _matched(held.city + held.rest)[:listed] == head[:listed]
    length = known if known and keeps else listed if prefecture else 0
    if not length or (not known and _has_an_unknown_ward(head, length, prefecture, table)):
        return None
    city = "".join(sign for sign, _ in signs[:length])
    return Split(city=city, rest=text[signs[length - 1][1] + 1 :].strip())


def _known_length(
    text: str, signs: list[tuple[str, int]], head: str, held: Split, prefecture: str | None, table: Municipalities
) -> int:
    """The number of signs of the head that are SmartHR's municipality, 0 where it does not stand there as a whole."""
    known = _matched(held.city)
    if len(known) < 2 or not head.startswith(known) or _is_elsewhere(known, prefecture, table):
        return 0
    before, after = head[len(known) - 1], head[len(known) :]
    apart = not after or text[signs[len(known) - 1][1] + 1].isspace()
    if before.isdigit():
        ends = apart and not after[:1].isdigit()
    else:
        ends = apart or before in _ENDS_A_MUNICIPALITY or _alike(after[0], _matched(held.rest)[:1])
    return len(known) if ends else 0


def _has_an_unknown_ward(head: str, length: int, prefecture: str | None, table: Municipalities) -> bool:
    """Whether a city that has wards is followed by one that is not among them, such as 浜松市 by 中区 since 2024."""
    return head[:length] in table.cities_with_wards(prefecture or "") and bool(_WARD.match(head[length:]))


def _alike(one: str, other: str) -> bool:
    return one == other or (one.isdigit() and other.isdigit())


def _is_elsewhere(name: str, prefecture: str | None, table: Municipalities) -> bool:
    """Whether this is a municipality, but of other prefectures only."""
    return bool(prefecture) and name not in table.of(prefecture or "") and name in table.near(None)


def _matched(text: str) -> str:
    return _without_prefecture(for_matching(without_spaces(text)))
