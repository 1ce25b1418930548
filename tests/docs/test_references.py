"""Whoever reads this repository has all that it refers to: no document outside it is named, and every page, place,
file, decision and promise that is named is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.contracts.openapi_checks import load_contract

ROOT = Path(__file__).parents[2]
VENDORS = ROOT / "docs" / "vendors"
READABLE = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".html",
    ".js",
    ".css",
    ".yml",
    ".yaml",
    ".ini",
    ".cfg",
    ".sh",
    ".service",
    "",
}
OURSELVES = "tests/docs/test_references.py"

FORBIDDEN = {
    "a number in a list that is not here": re.compile(
        r"\b(?:trap|design|law|section|finding|chapter|design decision) \(?\d|§ ?\d|(?-i:\bissue [B-Z]\b)",
        re.IGNORECASE,
    ),
    "a section by its number": re.compile(r"(?<= )\(1?[0-9]\.[0-9]\)(?=[.,;:\"]|$)"),
    "a mark that is explained elsewhere": re.compile(r"(?<=[ (])\[[SOFGITUADH]\](?=[).,; ]|$)"),
    "a folder of somebody's machine": re.compile(r"(?<![\w.:}])/(?:Users|mnt|work|workspace)/"),
    "a folder beside the checkout": re.compile(r"\.\./shared/(?!contracts\b)"),
}
"""What a reference looks like that its reader cannot follow."""

PAGE = re.compile(r"(?<![\w-])([\w-]+\.md)\b")
BARE_PAGE = re.compile(r"(?<![\w(/\[\".-])([\w-]+\.md)\b")
"""A page named without its folder; links and places in `docs/` have tests of their own."""
PLACE = re.compile(r"\bdocs/[\w/-]+\.md(?:#[\w-]+)?")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PYTHON_FILE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.py)\b")
DECISION = re.compile(r"\[[Dd]ecision (\d+)\]\([^)#]*#(\d+)-")
PROMISE = re.compile(r"\bpromises? (\d+)\b", re.IGNORECASE)
OPERATION = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE)\s+(/(?:api/)?v1/[\w/{}]+)")


@cache
def files() -> tuple[Path, ...]:
    """Every text file of the repository that a person has written."""
    found = [path for path in ROOT.iterdir() if not path.name.startswith(("requirements", ".git"))]
    for folder in ("app", "workers", "tests", "docs", ".ci"):
        found += (ROOT / folder).rglob("*")
    kept = [path for path in found if path.suffix in READABLE and path.is_file() and "__pycache__" not in path.parts]
    return tuple(sorted(kept))


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="ignore")


def pages() -> list[Path]:
    return [path for path in files() if path.suffix == ".md"]


@cache
def anchors(page: Path) -> frozenset[str]:
    """By what a link names the headings of a page, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), flags=re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", each.strip().lower()).replace(" ", "-") for each in headings)


def lines() -> Iterator[tuple[str, str]]:
    """(place, line) of everything but this file, which names what is forbidden."""
    for path in files():
        name = str(path.relative_to(ROOT))
        if name != OURSELVES:
            yield from ((f"{name}:{nth}", line) for nth, line in enumerate(text_of(path).splitlines(), 1))


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_nothing_refers_to_what_the_reader_cannot_have(kind: str) -> None:
    found = [f"{place}: {line.strip()}" for place, line in lines() if FORBIDDEN[kind].search(line)]
    assert found == []


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("a number in a list that is not here", "the default is ten (trap 1)"),
        ("a number in a list that is not here", "by the policy (design section 3)"),
        ("a number in a list that is not here", "as issue K wants it"),
        ("a section by its number", "null clears (5.2)."),
        ("a mark that is explained elsewhere", "like PATCH [S]."),
        ("a mark that is explained elsewhere", "one is null [F]"),
        ("a folder of somebody's machine", "in /mnt/notes"),
        ("a folder beside the checkout", "in ../shared/notes"),
    ],
)
def test_what_is_forbidden_is_recognised(kind: str, line: str) -> None:
    assert FORBIDDEN[kind].search(line)


@cache
def page_names() -> frozenset[str]:
    return frozenset(page.name for page in pages())


def pages_away(place: str, line: str) -> set[str]:
    """The pages that this line names and that are nowhere in the repository, or, where the name stands alone, neither
    beside it nor at the top."""
    beside = (ROOT / place.partition(":")[0]).parent
    nowhere = set(PAGE.findall(line)) - page_names()
    return nowhere | {
        each for each in BARE_PAGE.findall(line) if not ((beside / each).exists() or (ROOT / each).exists())
    }


def test_every_page_that_is_named_is_here() -> None:
    found = {f"{place}: {each}" for place, line in lines() for each in pages_away(place, line)}
    assert sorted(found) == []


def test_a_page_that_is_not_here_is_recognised() -> None:
    assert pages_away("app/config.py:1", "as vendor-notes.md says") == {"vendor-notes.md"}
    assert pages_away("tests/x.py:1", 'page = "vendor-notes.md"') == {"vendor-notes.md"}
    assert pages_away("app/config.py:1", "see engine.md, ten findings") == {"engine.md"}
    assert pages_away("docs/decisions.md:1", "see engine.md, and README.md") == set()


def test_every_page_and_place_that_code_names_is_there() -> None:
    named = {(place, each) for place, line in lines() for each in PLACE.findall(line)}
    assert len(named) > 20
    missing = []
    for where, each in sorted(named):
        file, _, anchor = each.partition("#")
        if not (ROOT / file).exists() or (anchor and anchor not in anchors(ROOT / file)):
            missing.append(f"{where}: {each}")
    assert missing == []


def test_every_link_between_pages_works() -> None:
    broken = []
    for page in pages():
        for link in LINK.findall(text_of(page)):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (page.parent / file).resolve() if file else page
            if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []


def test_every_module_that_a_page_names_is_there() -> None:
    known = ["/" + str(path.relative_to(ROOT)) for path in files() if path.suffix == ".py"]
    missing = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in pages()
        for name in PYTHON_FILE.findall(text_of(page))
        if not any(path.endswith(f"/{name}") for path in known)
    ]
    assert missing == []


def test_decisions_are_numbered_without_a_gap_and_told_in_full() -> None:
    text = text_of(ROOT / "docs" / "decisions.md")
    parts = re.split(r"^### (?=\d)", text, flags=re.MULTILINE)[1:]
    assert [int(part.split(".")[0]) for part in parts] == list(range(1, len(parts) + 1))
    for part in parts:
        told = re.findall(r"^- \*\*(\w+)\.\*\* \S", part, flags=re.MULTILINE)
        assert told == ["Context", "Decision", "Consequences"], part.splitlines()[0]


def test_a_link_that_says_a_number_leads_to_that_decision() -> None:
    found = [pair for page in pages() for pair in DECISION.findall(text_of(page))]
    assert len(found) > 5
    assert [pair for pair in found if pair[0] != pair[1]] == []


def test_every_promise_that_a_test_names_is_made() -> None:
    made = set(re.findall(r"^## (\d+)\. ", text_of(ROOT / "docs" / "promises.md"), flags=re.MULTILINE))
    named = {number for path in (ROOT / "tests").rglob("test_*.py") for number in PROMISE.findall(text_of(path))}
    assert len(named) > 5
    assert named <= made


@pytest.mark.parametrize("system", ["smarthr", "freee"])
def test_every_operation_that_a_vendor_page_names_is_in_the_contract(system: str) -> None:
    contract = load_contract(system)
    named = {(method.lower(), path) for method, path in OPERATION.findall(text_of(VENDORS / f"{system}.md"))}
    assert len(named) > 5
    assert [each for each in named if each[0] not in contract.requests["paths"].get(each[1], {})] == []


@pytest.mark.parametrize("system", ["smarthr", "freee"])
def test_every_switch_of_a_practice_vendor_that_a_page_names_is_there(system: str) -> None:
    named = re.findall(r"switch\s+`(\w+)`|switch \(`(\w+)`\)", text_of(VENDORS / f"{system}.md"))
    assert len(named) > 5
    practice = "".join(text_of(path) for path in sorted((ROOT / "app" / "practice").rglob("*.py")))
    assert [each for pair in named for each in pair if each and f'"{each}"' not in practice] == []
