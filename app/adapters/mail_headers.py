"""Headers of mails whatever signs they hold: encoded words (RFC 2047) of at most 75 characters that split no sign, on
lines of at most 76 characters.

Python's own folding (3.11) is not used: its lines have up to 78 characters, it divides a sign from its marks, and it
loses a blank in some names.
"""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Iterator
from email.policy import Policy
from email.utils import formataddr, getaddresses
from functools import reduce

LONGEST_LINE = 76
LONGEST_WORD = 75
_BEGIN, _END = "=?utf-8?b?", "?="


class Header(str):
    """A header as text, with the lines in which it leaves. `name` and `fold` are what the library asks of a header."""

    name: str
    lines: tuple[str, ...]

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {f'{policy.linesep} '.join(self.lines)}{policy.linesep}"


def text_header(name: str, text: str) -> Header:
    """A header of free text, such as Subject."""
    room = LONGEST_LINE - len(name) - 2
    plain = text.isascii() and text.isprintable() and "=?" not in text and len(text) <= room and text == text.strip()
    return _header(name, text, [text] if plain else [*encoded_words(text, room)])


def address_header(name: str, addresses: Iterable[str]) -> Header:
    """A header of addresses, each with or without the name of a person or service."""
    text = ", ".join(addresses)
    pairs = [pair for pair in getaddresses([text]) if pair[1]]
    words = [word for nth, pair in enumerate(pairs) for word in _address(*pair, last=nth + 1 == len(pairs))]
    lines: list[str] = reduce(_with, words, [" " * (len(name) + 2)])
    return _header(name, text, [lines[0].strip(), *lines[1:]] if words else [text])


def encoded_words(text: str, room: int) -> Iterator[str]:
    """The text as encoded words; the first has `room` characters, the others a line."""
    word, longest = b"", min(room, LONGEST_WORD)
    for sign in _signs(text):
        if word and len(_BEGIN) + _encoded_length(word + sign) + len(_END) > longest:
            yield _word(word)
            word, longest = b"", LONGEST_WORD
        word += sign
    yield _word(word)


def _header(name: str, text: str, lines: list[str]) -> Header:
    header = Header(text)
    header.name, header.lines = name, tuple(lines)
    return header


def _word(content: bytes) -> str:
    return f"{_BEGIN}{b64encode(content).decode()}{_END}"


def _encoded_length(content: bytes) -> int:
    return -(-len(content) // 3) * 4


def _signs(text: str) -> Iterator[bytes]:
    """What people see as one sign, with the marks that belong to it (濁点, the form of a 漢字), as UTF-8. A sign with
    endless marks is divided between two of them."""
    sign = ""
    for each in text:
        together = (sign + each).encode("utf-8", "replace")
        if sign and not (unicodedata.category(each).startswith("M") and len(together) <= 32):
            yield sign.encode("utf-8", "replace")
            sign = ""
        sign += each
    if sign:
        yield sign.encode("utf-8", "replace")


def _address(display: str, address: str, *, last: bool) -> Iterator[str]:
    """The words of one address, between which a line may end."""
    end = "" if last else ","
    if not display:
        yield address + end
    elif display.isascii() and "=?" not in display:
        yield from f"{formataddr((display, address))}{end}".split(" ")
    else:
        yield from encoded_words(display, LONGEST_LINE // 2)
        yield f"<{address}>{end}"


def _with(lines: list[str], word: str) -> list[str]:
    """The lines with one more word, on a new line where the last one has no room for it. The first line has the
    header's name, each other one begins with a blank."""
    last = lines[-1]
    if not last.strip():
        return [*lines[:-1], last + word]
    before = 0 if len(lines) == 1 else 1
    if before + len(last) + 1 + len(word) <= LONGEST_LINE:
        return [*lines[:-1], f"{last} {word}"]
    return [*lines, word]
