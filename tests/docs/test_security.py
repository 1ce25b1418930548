"""SECURITY.md says what is tried: its tests exist, no row is without one, and nothing unexpected lies at the top."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.test_promises import TEST, names_in

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
TOP = {
    *(
        ".env.example",
        ".gitignore",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "Procfile",
        "README.md",
        "SECURITY.md",
    ),
    *("pyproject.toml", "requirements.txt", "requirements-dev.txt", "requirements-supply.txt", "wsgi.py"),
    "requirements-telemetry.txt",
    *(".ci", "app", "docs", "tests", "workers"),
}
"""What may lie at the top of the repository: whoever adds a file there says so here."""


def rows(heading: str) -> list[list[str]]:
    """The cells of each row of the table below a heading."""
    part = PAGE.partition(f"\n## {heading}")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("heading", ["Threat model", "ASVS 5.0"])
def test_every_row_names_tests_that_exist(heading: str) -> None:
    found = rows(heading)
    assert len(found) > 15
    missing = [
        f"{file}::{test}"
        for row in found
        for file, test in TEST.findall(row[-1])
        if not (ROOT / file).is_file() or test not in names_in(ROOT / file)
    ]
    assert missing == []
    assert [row[:-1] for row in found if not TEST.findall(row[-1])] == []


def test_the_tables_are_whole() -> None:
    threats, asvs = rows("Threat model"), rows("ASVS 5.0")
    assert {len(row) for row in threats} == {4} and {len(row) for row in asvs} == {3}
    assert threats[0][0], "the first row says who"
    numbers = [tuple(int(part) for part in row[0].split(".")) for row in asvs]
    assert numbers == sorted(set(numbers)) and all(len(number) == 3 for number in numbers)


def test_the_threat_model_is_one_page() -> None:
    assert len(rows("Threat model")) <= 60


def test_what_the_page_names_besides_is_there() -> None:
    for path in set(re.findall(r"`((?:tests|docs|app)/[\w/.-]+\.\w+)`", PAGE)):
        assert (ROOT / path).exists(), path
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`make ([a-z-]+)`", PAGE)):
        assert re.search(rf"^{target}:", targets, flags=re.MULTILINE), target


def test_only_expected_files_lie_at_the_top() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no checkout")
    assert {line.partition("/")[0] for line in listed.stdout.splitlines()} <= TOP
