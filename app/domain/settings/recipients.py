"""Who gets a mail, and in which language."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

_MAIL_ADDRESS = re.compile(r"[^@\s,;:<>()\"]{1,64}@[^@\s,;:<>()\"]{1,190}")
_PAGE = re.compile(r"https?://[^\s/@<>\"]+(/[^\s<>\"]*)?")


class Language(StrEnum):
    """In which a person reads mails."""

    JAPANESE = "ja"
    ENGLISH = "en"

    @classmethod
    def of(cls, locale: str) -> Language:
        """The language of a user's pages; Japanese for one that is not known."""
        return cls.ENGLISH if locale == cls.ENGLISH.value else cls.JAPANESE


@dataclass(frozen=True)
class Recipient:
    address: str = field(repr=False)
    language: Language = Language.JAPANESE


def by_language(recipients: Iterable[Recipient]) -> dict[Language, tuple[str, ...]]:
    """Language → the addresses that read it, each once; a language that nobody reads is left out."""
    first: dict[str, Language] = {}
    for each in recipients:
        first.setdefault(each.address, each.language)
    readers = {mine: tuple(address for address, read in first.items() if read is mine) for mine in Language}
    return {language: addresses for language, addresses in readers.items() if addresses}


def is_contact(text: str) -> bool:
    """Whether people get somewhere with it: the address of a mail, or of a page."""
    return bool(_MAIL_ADDRESS.fullmatch(text) or _PAGE.fullmatch(text))
