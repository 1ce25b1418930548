"""Kana and width: one written form for readings, and the folds that comparing needs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import jaconv

from app.domain.japanese.normal_form import Rule, carried, composed

HYPHENS = "-‐‑‒–—―−－﹣ｰ"
"""What people type for a hyphen. The long vowel mark ー is not among them: in kana it is a letter."""

_FULL_WIDTH_BLOCK = re.compile(r"[\uff00-\uffef\u3000]+")
_LARGE = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_SEPARATE_MARK = re.compile(r"(?<=[ぁ-ゖァ-ヺゝヽ])(?:[゛゜]|[ 　]?[\u3099\u309a])")
_COMBINING = {"゛": "\u3099", "゜": "\u309a"}


def narrow(text: str) -> str:
    """Full-width letters and half-width kana in their usual width, everything else untouched.

    NFKC on the whole text would also replace compatibility forms of kanji, which are different letters in a person's
    name.
    """
    return _FULL_WIDTH_BLOCK.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)


def with_joined_marks(text: str) -> str:
    """カ゛ → ガ: a voiced mark of its own belongs to the kana before it; one that cannot carry it keeps it apart."""
    joined = _SEPARATE_MARK.sub(lambda match: _COMBINING.get(match.group(), match.group().strip()), text)
    return composed(joined)


def without_hiragana(text: str) -> str:
    return str(jaconv.hira2kata(text))


TO_KATAKANA = (
    Rule("rule_width", narrow),
    Rule("rule_marks", with_joined_marks),
    Rule("rule_katakana", without_hiragana),
)
"""The rules from any kana to full-width katakana. A hyphen stays a hyphen: スミス-ジョーンズ is two names, not a long
vowel."""


def katakana(text: str) -> str:
    """Full-width katakana: widens half-width, joins voiced marks, turns hiragana. Other signs stay as they are."""
    return carried(text, TO_KATAKANA)


def with_wide_kana(text: str) -> str:
    """Kana, letters and digits in their usual width, the blanks between the words of a reading in full width."""
    return narrow(text).replace(" ", "　")


TO_READING = (Rule("rule_width", with_wide_kana), *TO_KATAKANA[1:])
"""The same for the reading of a name, which both systems keep with full-width blanks."""


def large_kana(text: str) -> str:
    """ャュョッ and the other small letters as large ones, as bank forms write them."""
    return text.translate(_LARGE)


def full_width(text: str) -> str:
    """Every ASCII sign in its full-width form, kana untouched."""
    return str(jaconv.h2z(text, kana=False, ascii=True, digit=True))


def fold_hyphens(text: str, *, long_vowel: bool = False) -> str:
    """The text with every kind of hyphen as "-"; with `long_vowel`, ー becomes "-" as well."""
    signs = HYPHENS + ("ー" if long_vowel else "")
    return re.sub(f"[{signs}]", "-", text)


def without_spaces(text: str) -> str:
    return "".join(text.split())


def stable(fold: Callable[[str], str], text: str) -> str:
    """The text after applying the fold until it changes nothing: without a space two signs may become one."""
    while (again := fold(text)) != text:
        text = again
    return text


def in_full_width(text: str) -> str:
    """Kana, letters, digits and signs in full width, blanks too."""
    return full_width(narrow(text)).replace(" ", "　")


def with_wide_hyphens(text: str) -> str:
    """Every kind of hyphen as the full-width one; ー stays ー."""
    return fold_hyphens(text).replace("-", "－")


TO_FULL_WIDTH = (
    Rule("rule_width", in_full_width),
    *TO_KATAKANA[1:],
    Rule("rule_hyphens", with_wide_hyphens),
)
"""The rules for kana among which letters, digits and hyphens may stand: 名義, and the reading of an address."""
