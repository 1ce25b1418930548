"""People read one word for each thing: the glossary's table, the labels of the code, and no second word anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest

from app.domain.enums import Trigger
from app.domain.runs.kinds import RunKind
from app.domain.runs.run_state import ItemState
from app.domain.runs.words import RunWord
from app.web.i18n import catalogue, wording

ROOT = Path(__file__).parents[2]
LISTS: dict[str, type[StrEnum]] = {each.__name__: each for each in (RunWord, ItemState, RunKind, Trigger)}
RUNS_ONLY = re.compile(r"(招待|トークン|認可|認証|キー|パスワード|従業員の削除)[^。]{0,24}取り消")
"""取り消す is said of a run and of nothing else."""


@dataclass(frozen=True)
class Row:
    japanese: str
    english: str
    identifiers: tuple[str, ...]
    instead: tuple[str, ...]


def table() -> list[Row]:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    lines = text.split("## Words that people read")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [
        Row(japanese, english, tuple(re.findall(r"`([\w.]+)`", names)), tuple(filter(None, other.split(", "))))
        for japanese, english, names, other in rows[2:]
    ]


def texts() -> Iterator[tuple[str, str]]:
    """(place, text) of all that people read: both catalogues, mails, causes, the command line, the API, README."""
    for locale in ("ja", "en"):
        yield from ((f"{locale} {key}", text) for key, text in catalogue(locale).items())
    folders = ("app/domain", "app/web/cli", "app/web/api", "app/web/http", "app/use_cases", "app/practice/house")
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    files += [ROOT / "README.md", *sorted((ROOT / "docs" / "ops").glob("*.md")), ROOT / "docs" / "promises.md"]
    for path in files:
        for nth, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{nth}", line


def test_every_state_outcome_and_kind_stands_in_the_table() -> None:
    named = {name for row in table() for name in row.identifiers}
    every = {f"{each.__name__}.{member.name}" for each in (RunWord, ItemState, RunKind) for member in each}
    assert every - named == {"RunKind.SYNC"}, "a sync is called by its trigger"


@pytest.mark.parametrize("row", table(), ids=lambda row: row.japanese)
def test_the_labels_say_what_the_table_says(row: Row) -> None:
    for name in row.identifiers:
        of, member = name.split(".")
        word = LISTS[of][member]
        assert (wording("ja").label(word), wording("en").label(word)) == (row.japanese, row.english)


def test_no_text_has_a_second_word() -> None:
    second = {word: row.japanese for row in table() for word in row.instead}
    assert len(second) > 20
    found = [
        (place, word, second[word])
        for place, text in texts()
        for word in second
        if word in text and (place.startswith("en ") or not word.isascii())  # docstrings are English, and no texts
    ]
    assert found == []


def test_cancelling_is_said_of_runs_alone() -> None:
    assert RUNS_ONLY.search("招待を取り消しました。") and not RUNS_ONLY.search("同期を取り消しました。")
    assert [(place, text) for place, text in texts() if RUNS_ONLY.search(text)] == []
