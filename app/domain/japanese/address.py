"""Address text: one form for comparing, and splitting 市区町村以降の住所 back into 市区町村 and 丁目・番地.

Comparing ignores only what is safe to ignore: width, spaces, hyphens, 丁目・番地・号 between numbers, ヶ and ケ. The
splitter knows today's municipalities (Japan Post) and refuses a name it does not know, instead of guessing by 市 or 町.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache

from app.domain.japanese.kana import fold_hyphens, stable, without_spaces
from app.domain.japanese.municipalities import MUNICIPALITIES

_KANJI_DIGITS = {sign: value for value, sign in enumerate("〇一二三四五六七八九")}
_KANJI_NUMBER = re.compile(r"([〇一二三四五六七八九十]{1,3})(?=丁目|条|番町)")
_BETWEEN_NUMBERS = re.compile(r"(?<=\d)(?:丁目|番地の?|番の?|号の?|の)(?=\d)")
# 番 and 号 only where they end a number: 3番町 is a name, 101号室 a room, 3号棟 a building.
_AFTER_NUMBER = re.compile(r"(?<=\d)(?:丁目|番地|番(?=\s|$|-)|号(?=\s|$|-))")
_NUMBER_OF_HOUSE = re.compile(r"(-\d+)号")
_LONG_VOWEL_BETWEEN = re.compile(r"(?<=\d)ー(?=\d)")
_SPACE_BETWEEN_NUMBERS = re.compile(r"(?<=\d)\s+(?=\d)")
_DISTRICT = re.compile(r"(?:.{1,4}?郡|三宅島|八丈島)(?=.+[町村]$)")
_WARD_OF_A_CITY = re.compile(r"(.+市)(?=.+区$)")
# People type either sign for the same place. The length must not change, because the splitter counts signs.
_VARIANTS = str.maketrans("ヶヵ龍竈鰺檮", "ケカ竜釜鯵梼")


def joined(city: str, street: str, building: str = "") -> str:
    """市区町村 + 丁目・番地 (+ a space and 建物名, so that 101 after 1-2-3 stays a number of its own)."""
    text = f"{city}{street}"
    return f"{text} {building}" if text and building else text + building


def comparable(text: str) -> str:
    """A form that is equal for two writings of one address; idempotent. Only for comparing: never show or write it."""
    return stable(_fold, text)


def _fold(text: str) -> str:
    plain = fold_hyphens(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper())).strip()
    plain = _LONG_VOWEL_BETWEEN.sub("-", plain.translate(_VARIANTS))
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


def split(text: str, prefecture: str | None, *, known_city: str = "") -> Split | None:
    """The longest municipality of the prefecture at the head, and the rest; None when that is not clear.

    `known_city`: what SmartHR holds as 市区町村 now; it counts when the table does not know the head of the text (a
    municipality renamed since). The result holds the city as the source wrote it, without spaces.
    """
    signs = [(sign, place) for place, sign in enumerate(text) if not sign.isspace()]
    head = _for_matching("".join(sign for sign, _ in signs))
    length = max((len(name) for name in _names(prefecture or "") if head.startswith(name)), default=0)
    if not length and prefecture and len(known_city) > 1 and head.startswith(_for_matching(known_city)):
        length = len(known_city)
    if not length:
        return None
    city = "".join(sign for sign, _ in signs[:length])
    return Split(city=city, rest=text[signs[length - 1][1] + 1 :].strip())


def _for_matching(text: str) -> str:
    """The text with each sign replaced by exactly one sign, so that positions in the text stay the same."""
    return "".join(_narrow_sign(sign) for sign in text).translate(_VARIANTS)


def _narrow_sign(sign: str) -> str:
    narrow = unicodedata.normalize("NFKC", sign)
    return narrow if len(narrow) == 1 else sign


@cache
def _names(prefecture: str) -> frozenset[str]:
    """Every way to write a municipality of the prefecture: 西多摩郡瑞穂町, 瑞穂町; 横浜市中区, 横浜市."""
    full = MUNICIPALITIES.get(prefecture, ())
    short = [_DISTRICT.sub("", name, count=1) for name in full]
    unique = {name for name in short if short.count(name) == 1}
    cities = {match.group(1) for name in full if (match := _WARD_OF_A_CITY.match(name))}
    return frozenset(_for_matching(name) for name in {*full, *unique, *cities})
