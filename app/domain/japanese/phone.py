"""Japanese telephone numbers in three parts, as freee keeps them.

The digits are never changed, except that +81 becomes the 0 that is dialled at home. Where the hyphens stand says
nothing about who is called: those that agree with the numbering plan are kept, others are put where the plan has them,
and a number that cannot exist is a question. The plan: the area codes of the phonenumbers library; 0120, 0570 and 0990
4-3-3; 0800 (free dial) 4-3-4; other 050 … 090 3-4-4, and never shorter than eleven digits.
"""

from __future__ import annotations

import re

import phonenumbers

from app.domain.japanese.kana import fold_hyphens, narrow
from app.domain.japanese.normal_form import Rule, carried
from app.domain.snapshot import Unconvertible

FOREIGN = Unconvertible("foreign_phone")
UNSPLITTABLE = Unconvertible("unsplittable_phone")

Parts = tuple[str, str, str]

_LIMITS = (5, 4, 4)  # freee's phone1, phone2, phone3
_FREE_DIAL = re.compile(r"(0800)(\d{3})(\d{4})")
_ELEVEN_DIGITS = re.compile(r"(0[25-9]0)(\d{4})(\d{4})")
_TEN_DIGITS = re.compile(r"0(?:3\d|[1-9][1-9])\d{7}")
# A "0" (in brackets) after +81 is the trunk prefix that people add for readers in Japan; no number begins with it.
_COUNTRY_CODE = re.compile(r"^\+\s*81[-\s]*(?:\(0\)|0)?[-\s]*\(?(?=[1-9])")
_BETWEEN = re.compile(r"[()\s.・-]+")
_DIGITS_AND_HYPHENS = re.compile(r"[0-9-]+")
_LONGEST = 40  # far beyond any number with its prefixes; a longer text is refused unread


def with_plain_hyphens(text: str) -> str:
    """Every hyphen, and a ー typed for one, as "-"."""
    return fold_hyphens(text, long_vowel=True)


def as_dialled_at_home(text: str) -> str:
    """+81 3 … and +81 (0)3 … → 03 …"""
    return _COUNTRY_CODE.sub("0", text)


def split_by_plan(text: str) -> str:
    """The number with the hyphens it is written with; a text that is no number of Japan stays as it is."""
    parts = _parts(text)
    return text if isinstance(parts, Unconvertible) else "-".join(parts)


RULES = (
    Rule("rule_width", narrow),
    Rule("rule_hyphens", with_plain_hyphens),
    Rule("rule_country_code", as_dialled_at_home),
    Rule("rule_phone_plan", split_by_plan),
)


def split(text: str) -> Parts | Unconvertible:
    """`03-1234-5678`, `0312345678`, `+81 3 1234 5678`, `０３（１２３４）５６７８` → ("03", "1234", "5678")."""
    return UNSPLITTABLE if len(text) > _LONGEST else _parts(carried(text.strip(), RULES))


def fits(parts: list[str]) -> bool:
    """Whether three parts are digits within freee's limits."""
    return len(parts) == 3 and all(
        part.isascii() and part.isdigit() and len(part) <= limit for part, limit in zip(parts, _LIMITS, strict=True)
    )


def _parts(text: str) -> Parts | Unconvertible:
    if (text.startswith("+") and not text.startswith("+81")) or text.startswith("010"):
        return FOREIGN
    written = _BETWEEN.sub("-", text).strip("-")
    if not _DIGITS_AND_HYPHENS.fullmatch(written):
        return UNSPLITTABLE
    digits = written.replace("-", "")
    parts = _kept(written.split("-"), digits) or _planned(digits)
    return parts if parts is not None and fits(list(parts)) else UNSPLITTABLE


def _kept(parts: list[str], digits: str) -> Parts | None:
    """The hyphens as they stand, if they agree with the plan. Somebody who writes 080-0… in three, four and four digits
    has put the hyphens on purpose."""
    if len(parts) != 3:
        return None
    eleven = _ELEVEN_DIGITS.fullmatch(digits)
    agree = eleven.groups() == tuple(parts) if eleven else _of_ten_digits(digits, checked=False) == tuple(parts)
    return (parts[0], parts[1], parts[2]) if agree else None


def _planned(digits: str) -> Parts | None:
    match = _FREE_DIAL.fullmatch(digits) or _ELEVEN_DIGITS.fullmatch(digits)
    return (match[1], match[2], match[3]) if match else _of_ten_digits(digits, checked=True)


def _of_ten_digits(digits: str, *, checked: bool) -> Parts | None:
    """Split behind the area code. `checked`: only a number that can have been given to somebody."""
    if not _TEN_DIGITS.fullmatch(digits):
        return None
    number = phonenumbers.PhoneNumber(country_code=81, national_number=int(digits))
    if checked and not phonenumbers.is_valid_number(number):
        return None
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL).split("-")
    return (written[0], written[1], written[2]) if len(written) == 3 else None
