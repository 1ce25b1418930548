"""Number and kana of a person in the one form in which people are compared."""

from __future__ import annotations

from app.domain.employee import Person
from app.domain.japanese.kana import fold_hyphens, katakana, large_kana, narrow, without_spaces
from app.domain.japanese.normal_form import normal


def comparable_number(number: str) -> str:
    """社員番号 in one form: full-width digits as half-width, no blanks around. Leading zeros count."""
    return normal(narrow(normal(number)))


def comparable_kana(person: Person) -> str:
    """Kana of the full name in one form, "" when not known: width, hiragana, blanks, small letters, and whether a
    hyphen or a ー is written do not count."""
    if not person.last_name_kana or not person.first_name_kana:
        return ""
    return _folded(person.last_name_kana + person.first_name_kana)


def comparable_given_name(person: Person) -> str:
    """Kana of the given name in the same form."""
    return _folded(person.first_name_kana)


def _folded(kana: str) -> str:
    return without_spaces(large_kana(fold_hyphens(katakana(normal(kana)), long_vowel=True)))
