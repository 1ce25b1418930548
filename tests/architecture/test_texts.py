"""Law: use cases hold codes and values; what people read about them stands in one catalogue per language."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from app.web.i18n import LOCALES, catalogue

APP = Path(__file__).parents[2] / "app"
JAPANESE = re.compile(r"[\u3001-\u30ff\u3400-\u9fff\uff66-\uff9f]")
"""Kana, 漢字 and Japanese punctuation; not the full-width forms of ASCII signs, which are no words."""
ERRORS = APP / "domain" / "errors.py"
"""Makes the text of a refusal out of its code."""
OUR_OWN = frozenset({"told", "status", "fields"})
"""What a refusal takes beside the values of its text."""
OF_EVERY_LIST = {"refusals.comma", "refusals.more"}
BOTH = ("refusals.", "fields.")
BEFORE = {"Sentence": "", "Refused": "refusals."}
"""What stands before the key that a call is given."""


@dataclass(frozen=True)
class Place:
    """A place that makes a text: a pattern of its key, and what it fills in (None: that is not written out there)."""

    where: str
    key: str
    values: frozenset[str] | None


def japanese_in(tree: ast.Module) -> list[tuple[int, str]]:
    """(line, text) of each text, or part of one that is put together, with Japanese in it; without docstrings."""
    bodies = (node.body for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list))
    alone = {id(each.value) for body in bodies for each in body if isinstance(each, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in alone)
    return [(node.lineno, node.value) for node in texts if isinstance(node.value, str) and JAPANESE.search(node.value)]


@cache
def places() -> tuple[Place, ...]:
    return tuple(_places())


def _places() -> Iterator[Place]:
    for path in sorted(APP.rglob("*.py")):
        if "practice" in path.parts or path == ERRORS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") == "Refused" for base in node.bases):
                calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
                yield from (_place(path, each, "refusals.") for each in calls if _name(each) == "__init__")
            elif (
                isinstance(node, ast.Call) and node.args and _name(node) in ("Sentence", "Refused") and not _tells(node)
            ):
                yield _place(path, node, "" if _name(node) == "Sentence" else "refusals.")


def _tells(node: ast.Call) -> bool:
    """Whether a refusal is given another text than that of its code."""
    return any(each.arg == "told" for each in node.keywords)


def _name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _place(path: Path, node: ast.Call, before: str) -> Place:
    where, key = f"{path.relative_to(APP)}:{node.lineno}", node.args[0]
    parts = key.values if isinstance(key, ast.JoinedStr) else [key]
    written = (re.escape(part.value) if isinstance(part, ast.Constant) else r"\w+" for part in parts)
    names = [each.arg for each in node.keywords]
    values = None if None in names else frozenset(name for name in names if name and name not in OUR_OWN)
    return Place(where, re.escape(before) + "".join(map(str, written)), values)


def _texts(pattern: str, locale: str) -> dict[str, str]:
    return {key: text for key, text in catalogue(locale).items() if re.fullmatch(rf"{pattern}(\.one|\.other)?", key)}


def _holes(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_no_japanese_stands_in_a_use_case() -> None:
    found = {
        f"{path.relative_to(APP)}:{line}": text
        for path in sorted((APP / "use_cases").rglob("*.py"))
        for line, text in japanese_in(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_the_law_sees_texts_and_leaves_docstrings_and_comments() -> None:
    source = '"""説明"""\nA = f"{1}件"  # 件\n\n\ndef f() -> str:\n    """説明"""\n    return "、".join("ab")\n'
    assert japanese_in(ast.parse(source)) == [(2, "件"), (7, "、")]


@pytest.mark.parametrize("locale", LOCALES)
def test_every_refusal_has_its_text_and_fills_it(locale: str) -> None:
    wrong = {}
    for place in places():
        if place.key.startswith("causes"):
            continue
        texts = _texts(place.key, locale)
        filled = [text for text in texts.values() if place.values in (None, _holes(text))]
        if not filled or (len(texts) != len(filled) and r"\w" not in place.key):
            wrong[place.where] = (place.key, place.values, texts)
    assert len(places()) > 150
    assert wrong == {}


def test_every_text_of_a_refusal_is_told_somewhere() -> None:
    told = {key for place in places() for key in _texts(place.key, "ja")}
    ours = {key for key in catalogue("ja") if key.startswith(BOTH)}
    assert ours - told == OF_EVERY_LIST
