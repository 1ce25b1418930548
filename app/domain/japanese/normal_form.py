"""The one normal form of a text, reached by named rules; what it must not hold is a question for a person.

The rules change nothing that a reader of the text could see: how a letter is coded (NFC), signs without any form,
blanks at the edges, and which of the blanks of one width is used. Two kinds of letters are left as they are, although
Unicode has a "simpler" letter for them, because in a name they are different letters: the compatibility forms of kanji
(U+FA19 for U+795E), and a kanji with a variation selector behind it (the two forms of 葛).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A change of a value that has a name. `name` is a code of the error catalogue, which says why it does no harm."""

    name: str
    apply: Callable[[str], str]


def carried(text: str, rules: Iterable[Rule]) -> str:
    """The text after all rules, in their order."""
    for rule in rules:
        text = rule.apply(text)
    return text


_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
# Unicode's signs that are ignored when shown (Default_Ignorable_Code_Point) without the variation selectors, and three
# more that nobody can see: the annotation marks and the Braille blank.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
_SELECTOR_OF_NOTHING = re.compile(f"(?<![{_HAN}])[{_SELECTORS}]+|(?<=[{_SELECTORS}])[{_SELECTORS}]+")
_COMPATIBILITY_KANJI = re.compile("([\uf900-\ufaff\U0002f800-\U0002fa1f])")
_OTHER_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f]")


def composed(text: str) -> str:
    """NFC, without the compatibility forms of kanji, which NFC would replace by another letter."""
    if unicodedata.is_normalized("NFC", text):
        return text
    return "".join(
        part if _COMPATIBILITY_KANJI.fullmatch(part) else unicodedata.normalize("NFC", part)
        for part in _COMPATIBILITY_KANJI.split(text)
    )


def without_invisible(text: str) -> str:
    """Signs without form out; a variation selector stays where it belongs to a kanji."""
    return _SELECTOR_OF_NOTHING.sub("", _INVISIBLE.sub("", text))


def with_usual_blanks(text: str) -> str:
    """The blank that does not break, the narrow one and their like as the usual one; the full-width one stays."""
    return _OTHER_BLANKS.sub(" ", text)


NORMAL_FORM = (
    Rule("rule_invisible", without_invisible),
    Rule("rule_composed", composed),
    Rule("rule_blanks", with_usual_blanks),
    Rule("rule_edges", str.strip),
)

# Signs for which nothing of the above is needed: ASCII, kana without separate marks, kanji, full and half width.
_NOTHING_TO_DO = re.compile("[ -~\u3000-\u3029\u3030-\u3096\u309b-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff9f]*")


def is_plain(text: str) -> bool:
    """Whether the text needs none of the rules but that of the edges, and raises no question."""
    return _NOTHING_TO_DO.fullmatch(text) is not None


def normal(text: str) -> str:
    """The normal form of a text; idempotent. It says nothing about whether the text can be carried: see `question`."""
    return text.strip() if _NOTHING_TO_DO.fullmatch(text) else carried(text, NORMAL_FORM)


# Overrides turn the letters themselves round, so that the text reads differently without them; a joiner is a part of
# the spelling in the scripts of this range; the selector U+FE0F asks for an emoji.
_REORDERED = re.compile("[\u202d\u202e]")
_JOINED = re.compile("[\u200c\u200d]")
_SCRIPTS_WITH_JOINERS = re.compile("[\u0600-\u1cff]")
_EMOJI_ASKED_FOR = re.compile(f"(?<![{_HAN}])\ufe0f")
_KANJI_BEYOND = re.compile("[\U00020000-\U0003fffd]")


def question(text: str) -> str | None:
    """Why this text cannot be carried, as a word of the catalogue, or None. Line breaks, tabs and control signs are
    never copied into a field of one line; 外字 and broken signs look different or like nothing elsewhere."""
    if _NOTHING_TO_DO.fullmatch(text):
        return None
    if _REORDERED.search(text) or _EMOJI_ASKED_FOR.search(text):
        return "unusable_signs"
    if _JOINED.search(text) and _SCRIPTS_WITH_JOINERS.search(text):
        return "unusable_signs"
    return next((word for sign in normal(text) if (word := _question_of(sign))), None)


def _question_of(sign: str) -> str | None:
    category = unicodedata.category(sign)
    if category in ("Cc", "Zl", "Zp"):
        return "control_signs"
    if category == "Co":
        return "private_signs"
    if _KANJI_BEYOND.match(sign):
        return None
    broken = category in ("Cs", "Cn") or sign in "\ufffc\ufffd\u20e3"
    is_picture = sign > "\uffff" and category[0] == "S"
    return "unusable_signs" if broken or is_picture else None


def length_at_most(text: str) -> int:
    """The length as the strictest system counts it: a sign beyond U+FFFF is two units of UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
