"""The promises say what is tried: every test that docs/promises.md names exists, and every law names one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMISES = ROOT / "docs" / "promises.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
HEADING = re.compile(r"^## ", re.MULTILINE)


def laws() -> dict[str, str]:
    """Heading → text of each law."""
    parts = HEADING.split(PROMISES.read_text(encoding="utf-8"))[1:]
    return {part.splitlines()[0]: part for part in parts}


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("law", laws())
def test_every_test_that_a_law_names_exists(law: str) -> None:
    named = TEST.findall(laws()[law])
    assert named, "a promise without a test is a wish"
    missing = [f"{file}::{test}" for file, test in named if test not in names_in(ROOT / file)]
    assert missing == []


def test_the_readme_links_to_the_promises() -> None:
    assert "](docs/promises.md" in (ROOT / "README.md").read_text(encoding="utf-8")
