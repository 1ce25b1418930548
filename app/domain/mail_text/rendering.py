"""A mail as text and as HTML, both from the same lines.

The HTML asks nobody for anything (no pictures, no fonts, no scripts, no address but the links that the text names as
well), escapes whatever it says, follows the reader's light or dark colours and never scrolls sideways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from app.domain.mail_text.letter import Draft, Kind, Letter, Line, Words, Writer
from app.domain.settings.recipients import Language, Recipient, by_language

RULE_TEXT = "─" * 20
"""So many full-width signs fit a telephone's width."""
_MARKS = {Kind.SECTION: "● ", Kind.HEADING: "■ ", Kind.BULLET: "・"}
_ELEMENTS = {Kind.SECTION: "h2", Kind.HEADING: "h3", Kind.BULLET: "li"}
_LINKS = ("https://", "http://", "mailto:")
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 16px; background: #ffffff; color: #1f2328;
  font-family: -apple-system, "Hiragino Sans", "Noto Sans CJK JP", "Noto Sans JP", Meiryo, sans-serif;
  font-size: 16px; line-height: 1.7; overflow-wrap: anywhere; -webkit-text-size-adjust: 100%; }
main { max-width: 640px; margin: 0 auto; }
p { margin: 0; }
p.person { margin-top: 12px; }
h2 { font-size: 18px; line-height: 1.5; margin: 8px 0 4px; }
h3 { font-size: 16px; line-height: 1.6; margin: 16px 0 2px; }
ul { margin: 0; padding-left: 24px; }
hr { border: 0; border-top: 1px solid #8c959f; margin: 16px 0; }
.gap { height: 14px; }
.label { color: #57606a; }
a { color: #0550ae; }
@media (prefers-color-scheme: dark) {
  body { background: #16181b; color: #e6e8ea; }
  hr { border-top-color: #6e7681; }
  .label { color: #adb5bd; }
  a { color: #8ab8ff; }
}
"""


def letters(wording: Callable[[str], Words], recipients: Iterable[Recipient], write: Writer) -> tuple[Letter, ...]:
    """What leaves for these recipients: one letter per language that somebody reads, Japanese first."""
    return tuple(
        letter(write(wording(language.value)), language, to) for language, to in by_language(recipients).items()
    )


def letter(draft: Draft, language: Language, to: Sequence[str]) -> Letter:
    return Letter(
        language=language,
        to=tuple(to),
        subject=draft.subject,
        text=as_text(draft.lines),
        html=as_html(draft, language),
    )


def as_text(lines: Sequence[Line]) -> str:
    """The lines one below the other; every line ends."""
    return "".join(f"{_in_text(line)}\n" for line in lines)


def _in_text(line: Line) -> str:
    return RULE_TEXT if line.kind is Kind.RULE else _MARKS.get(line.kind, "") + line.words


def as_html(draft: Draft, language: Language) -> str:
    """A whole page."""
    head = (
        f'<!doctype html>\n<html lang="{language.value}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="format-detection" content="telephone=no">\n'
        f"<title>{escape(draft.subject)}</title>\n<style>{_STYLE}</style>\n</head>\n"
    )
    return f"{head}<body>\n<main>\n{''.join(_elements(draft.lines))}</main>\n</body>\n</html>\n"


def _elements(lines: Sequence[Line]) -> Iterator[str]:
    for is_list, group in groupby(lines, lambda line: line.kind is Kind.BULLET):
        inside = "".join(f"{_element(line)}\n" for line in group)
        yield f"<ul>\n{inside}</ul>\n" if is_list else inside


def _element(line: Line) -> str:
    if line.kind is Kind.RULE:
        return "<hr>"
    if line.kind is Kind.GAP:
        return '<div class="gap"></div>'
    name = _ELEMENTS.get(line.kind, "p")
    kind = ' class="person"' if line.kind is Kind.PERSON else ""
    return f"<{name}{kind}>{_inside(line)}</{name}>"


def _inside(line: Line) -> str:
    label = f'<span class="label">{escape(line.label)}:</span> ' if line.label else ""
    text = escape(line.text)
    if line.link.startswith(_LINKS):
        text = f'<a href="{escape(line.link)}">{text}</a>'
    return label + text
