"""Kana and width: one written form for readings, and the folds that comparing needs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import jaconv

HYPHENS = "-‐‑‒–—―−－﹣ｰ"
"""What people type for a hyphen. The long vowel mark ー is not among them: in kana it is a letter."""

_FULL_WIDTH_BLOCK = re.compile(r"[\uff00-\uffef\u3000]+")
_LARGE = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_HYPHEN_AFTER_KANA = re.compile(rf"(?<=[ァ-ヶー])[{HYPHENS}](?!\d)")


def narrow(text: str) -> str:
    """Full-width letters and half-width kana in their usual width, everything else untouched.

    NFKC on the whole text would also replace compatibility forms of kanji, which are different letters in a person's
    name.
    """
    return _FULL_WIDTH_BLOCK.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)


def katakana(text: str) -> str:
    """Full-width katakana: widens half-width, turns hiragana, reads a hyphen after kana as the long vowel mark."""
    turned = str(jaconv.hira2kata(unicodedata.normalize("NFKC", text)))
    return _HYPHEN_AFTER_KANA.sub("ー", turned)


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
