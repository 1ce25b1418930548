"""Japanese telephone numbers in three parts, as freee keeps them."""

from __future__ import annotations

import re
import unicodedata

import phonenumbers

from app.domain.japanese.kana import fold_hyphens
from app.domain.snapshot import Unconvertible

FOREIGN = Unconvertible("foreign_phone")
UNSPLITTABLE = Unconvertible("unsplittable_phone")

_LIMITS = (5, 4, 4)  # phone1, phone2, phone3 (freee-hr-api 6.1)
_MOBILE = re.compile(r"(0[5-9]0)(\d{4})(\d{4})")
_BETWEEN = re.compile(r"[()\s.・]+")
_LONGEST = 40  # far beyond any number with its prefixes; a longer text is refused unread


def split(text: str) -> tuple[str, str, str] | Unconvertible:
    """`03-1234-5678`, `0312345678`, `+81 3 1234 5678`, `０３（１２３４）５６７８` → ("03", "1234", "5678").

    Hyphens that fit freee's limits are kept; otherwise the area codes of the phonenumbers library decide.
    """
    plain = fold_hyphens(unicodedata.normalize("NFKC", text)).replace("ー", "-").strip()
    if len(plain) > _LONGEST:
        return UNSPLITTABLE
    parts = [part for part in _BETWEEN.sub("-", plain).split("-") if part]
    if len(parts) == 3 and fits(parts) and parts[0].startswith("0") and not parts[0].startswith("010"):
        return (parts[0], parts[1], parts[2])
    return _split_by_area(plain)


def fits(parts: list[str]) -> bool:
    """Whether three parts are digits within freee's limits."""
    return len(parts) == 3 and all(
        part.isascii() and part.isdigit() and len(part) <= limit for part, limit in zip(parts, _LIMITS, strict=True)
    )


def _split_by_area(text: str) -> tuple[str, str, str] | Unconvertible:
    # A "0" in brackets after +81 is the trunk prefix that people add for readers in Japan.
    dialled = re.sub(r"^\+81[-\s]*\(0\)", "+81", text)
    if re.search(r"[^\d+()\-\s.・]", dialled):
        return UNSPLITTABLE
    try:
        number = phonenumbers.parse(dialled, "JP")
    except phonenumbers.NumberParseException:
        return FOREIGN if dialled.startswith("+") else UNSPLITTABLE
    if number.country_code != 81:
        return FOREIGN
    mobile = _MOBILE.fullmatch(f"0{number.national_number}")
    if mobile:
        return (mobile[1], mobile[2], mobile[3])
    if not phonenumbers.is_valid_number(number):
        return UNSPLITTABLE
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL).split("-")
    return (written[0], written[1], written[2]) if fits(written) else UNSPLITTABLE
