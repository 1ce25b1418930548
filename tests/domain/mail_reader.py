"""A mail's HTML part as a person reads it: its lines, its links, and whatever it asks of others."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import zip_longest

_BLOCKS = frozenset({"p", "h1", "h2", "h3", "li"})
_MARKS = ("● ", "■ ", "・")
"""What stands for an element in the text part."""


@dataclass
class Read:
    lines: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    attributes: set[tuple[str, str]] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.read = Read()
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.read.tags.add(tag)
        self.read.attributes |= {(tag, name) for name, _ in attrs}
        self.read.links += [value or "" for name, value in attrs if name == "href"]
        if tag in _BLOCKS:
            self._inside = True
            self.read.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside &= tag not in _BLOCKS

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.read.lines[-1] += data


def read_html(html: str) -> Read:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.read


def lines_of(text: str) -> list[str]:
    """The lines of the text part that say something."""
    return [line for line in text.splitlines() if line and line != "─" * 20]


def differences(seen: list[str], text: str) -> list[tuple[str, str]]:
    """Where the lines that are seen in the HTML are not those of the text part, which may begin with a mark."""
    pairs = zip_longest(map(_plain, seen), map(_plain, lines_of(text)), fillvalue="")
    return [(html, line) for html, line in pairs if line not in (html, *(mark + html for mark in _MARKS))]


def _plain(line: str) -> str:
    return " ".join(line.split())
