"""The groups of `make mutate` hold the whole domain, and the list of known survivors speaks of code that exists."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutation import groups, survivors
from tests.mutation.groups import GROUPS, ROOT
from tests.mutation.run import KNOWN


def test_every_file_of_the_domain_is_in_one_group() -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "app/domain").rglob("*.py") if path.name != "__init__.py"}
    grouped = [path for name in GROUPS for path in groups.sources_of(name)]
    assert len(grouped) == len(set(grouped))
    assert files - set(grouped) == set(), "add the room or module to tests/mutation/groups.py"


@pytest.mark.parametrize("name", GROUPS)
def test_what_a_group_names_exists(name: str) -> None:
    for pattern in GROUPS[name].sources:
        assert list(ROOT.glob(pattern)), pattern
    for test in GROUPS[name].tests:
        file, _, function = test.partition("::")
        assert (ROOT / file).is_file(), test
        assert not function or function in _functions(ROOT / file), test


def test_a_group_a_file_and_everything() -> None:
    assert groups.chosen(["runs"]) == {"runs": groups.sources_of("runs")}
    assert groups.chosen(["three_way.py"]) == {"planning": ["app/domain/planning/three_way.py"]}
    assert set(groups.chosen(["state"])) == {name for name in GROUPS if name.startswith("state.")}
    assert groups.chosen(["domain/mail_text/"]) == {
        "words": [
            "app/domain/mail_text/healed.py",
            "app/domain/mail_text/letter.py",
            "app/domain/mail_text/notices.py",
            "app/domain/mail_text/people.py",
            "app/domain/mail_text/rendering.py",
            "app/domain/mail_text/second_person.py",
            "app/domain/mail_text/summary.py",
        ]
    }
    assert groups.chosen(["app/domain/mapping.py", "reading"]) == {
        "mapping": ["app/domain/mapping.py"],
        "reading": ["app/domain/reading.py"],
    }
    assert list(groups.chosen([])) == list(GROUPS)
    with pytest.raises(ValueError, match="neither a group"):
        groups.chosen(["way.py"])


def test_every_known_survivor_is_in_a_function_that_exists() -> None:
    known = survivors.parse_known(KNOWN.read_text(encoding="utf-8"))
    grouped = {path for name in GROUPS for path in groups.sources_of(name)}
    for survivor in known:
        assert survivor.file in grouped, survivor
        assert survivor.function in _functions(ROOT / survivor.file), survivor


def _functions(path: Path) -> set[str]:
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found
