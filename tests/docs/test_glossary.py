"""The glossary says what is true: every identifier it names stands in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def identifiers() -> list[str]:
    """The words in code style of the second column of every table."""
    found: list[str] = []
    for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) >= 3:
            found += re.findall(r"`(\w+)`", cells[1])
    return found


@pytest.fixture(scope="module")
def code() -> set[str]:
    """Every word of the product's code, and the names of its modules."""
    files = [path for folder in ("app", "workers") for path in (ROOT / folder).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return {*re.findall(r"\w+", text), *(path.stem for path in files)}


def test_the_glossary_has_rows() -> None:
    assert len(identifiers()) > 40


def test_every_identifier_of_the_glossary_stands_in_the_code(code: set[str]) -> None:
    assert [word for word in identifiers() if word not in code] == []
