"""The page of upgrades says what is true: its files are there, and its releases are those that are tried."""

from __future__ import annotations

import re
from pathlib import Path

from tests.storage.schema_walk import REVISIONS
from tests.upgrades.releases import RELEASES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "deploy" / "upgrades.md"


def test_the_releases_are_those_that_are_tried() -> None:
    told = re.findall(r"^\| (\d{4}) \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert told == [release.revision for release in RELEASES]
    assert told == [release.left().head["revision"] for release in RELEASES]
    assert set(told) <= set(REVISIONS)
    assert told == sorted(told)


def test_every_file_that_it_names_is_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", page)
    named = re.findall(r"`((?:tests|docs)/[\w./*-]+)`", page)
    assert len(links) >= 1 and len(named) >= 5
    for link in links:
        assert (PAGE.parent / link).exists(), link
    for path in named:
        assert list(ROOT.glob(path)), path


def test_what_is_kept_names_invented_people_only() -> None:
    """The releases' practice company, and no address but examples."""
    for release in RELEASES:
        text = release.file.read_text(encoding="utf-8")
        addresses = set(re.findall(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", text))
        assert addresses <= {"example.com", "awase.test"}, release.revision
