"""What every mail is made of: lines of a few kinds, from which its text and its HTML are made (`rendering`).

A mail is written once, in the language of who reads it: `Draft`. Its words come from the catalogue of the pages
(`Words`), so that a thing has one name on pages and in mails. `one_line` first puts every text from outside on one
line, so that a company's name or a number can forge neither a header nor a line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from app.domain.error_catalogue.catalogue import Happened
from app.domain.settings.recipients import Language

LONGEST_NAME = 60
LONGEST_TEXT = 300
_NOT_VISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class Words(Protocol):
    """The words of one language, as pages say them."""

    @property
    def locale(self) -> str: ...

    def __call__(self, key: str, /, **values: Any) -> str:
        """The text of a key. Raises KeyError."""
        ...

    def tell(self, sentence: Any) -> str: ...

    def label(self, word: Any) -> str: ...

    def item(self, key: str) -> str: ...

    def message(self, code: str, where: Happened = ...) -> str: ...

    def why(self, code: str, where: Happened = ...) -> str: ...

    def remedy(self, code: str, where: Happened = ...) -> str: ...

    def who(self, code: str, where: Happened = ...) -> str: ...


class Kind(StrEnum):
    """What a line is. In the text each has its own mark at the beginning of the line, in the HTML its own element."""

    TEXT = "text"
    SECTION = "section"  # the title of a part
    HEADING = "heading"  # of a group within a part
    BULLET = "bullet"
    FACT = "fact"  # label: text
    PERSON = "person"  # a fact with which the lines about one person begin
    RULE = "rule"
    GAP = "gap"


@dataclass(frozen=True)
class Line:
    """One line of a mail. `link`: where its text leads to in the HTML part."""

    kind: Kind
    text: str = field(default="", repr=False)
    label: str = ""
    link: str = field(default="", repr=False)

    @property
    def words(self) -> str:
        """What the line says, in the text and in the HTML alike."""
        return f"{self.label}: {self.text}" if self.label else self.text


@dataclass(frozen=True)
class Draft:
    """What a mail says, in one language."""

    subject: str = field(repr=False)
    lines: tuple[Line, ...] = field(repr=False)


@dataclass(frozen=True)
class Letter:
    """A mail as it leaves, for all who read it in one language. `html` "": an earlier version had text only."""

    language: Language
    to: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(default="", repr=False)


Writer = Callable[[Words], Draft]
"""Writes a mail in the language of these words."""

RULE = Line(Kind.RULE)
GAP = Line(Kind.GAP)


def said(text: str) -> Line:
    return Line(Kind.TEXT, text)


def fact(label: str, text: str, *, link: str = "") -> Line:
    return Line(Kind.FACT, text, label, link)


def linked(address: str) -> Line:
    """The address of a page, on a line of its own."""
    return Line(Kind.TEXT, address, link=address)


def bullets(texts: Iterable[str]) -> tuple[Line, ...]:
    return tuple(Line(Kind.BULLET, one_line(text, LONGEST_TEXT)) for text in texts)


def greeting(say: Words, company: str) -> Line:
    return said(say("mail.greeting", company=one_line(company, LONGEST_NAME)))


def no_reply(say: Words) -> tuple[Line, ...]:
    """The end of every mail."""
    return GAP, said(say("mail.no_reply"))


def one_line(text: str, longest: int) -> str:
    """The text on one line, cut to `longest`: each invisible sign (line ends, direction marks, halves of a surrogate
    pair) becomes a blank."""
    visible = "".join(" " if unicodedata.category(sign) in _NOT_VISIBLE else sign for sign in text)
    line = " ".join(visible.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
