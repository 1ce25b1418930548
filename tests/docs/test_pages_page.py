"""docs/pages.md: what it says holds a criterion is there, and so is each picture."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "pages.md").read_text(encoding="utf-8")


def test_every_test_that_holds_a_criterion_is_there() -> None:
    folder, missing = "", []
    for name in re.findall(r"`((?:tests/\w+/)?test_\w+\.py)`", PAGE):
        folder = name.rpartition("/")[0] or folder  # a name alone stands in the folder of the one before it
        if not (ROOT / folder / name.rpartition("/")[2]).is_file():
            missing.append(name)
    assert folder and missing == []


def test_every_picture_is_there_and_small() -> None:
    """Small: whoever clones the repository carries them along."""
    pictures = re.findall(r"\]\((screenshots/[\w-]+\.png)\)", PAGE)
    assert len(pictures) >= 5
    assert [each for each in pictures if not (ROOT / "docs" / each).is_file()] == []
    assert [each for each in pictures if (ROOT / "docs" / each).stat().st_size > 250_000] == []


def test_each_criterion_says_what_holds_it_and_what_was_mended() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")][2:]
    table = [row for row in rows if row[0] and not row[0].startswith(("![", "---"))]
    assert len(table) == 10
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in table)
