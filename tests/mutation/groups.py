"""The groups of `make mutate`: which source files belong together and which tests have to notice a change in them.

A group of the domain is a room (`docs/architecture.md`) or a few small ones. The groups of `state` hold the changes of
state of runs and items, from the use case to the SQL; several, so that a change is tried with the tests about it. Only
the tests named here run against a group's mutants, so name those that are about the group, the quick ones first: a test
which merely passes through it costs its time for every mutant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Group:
    sources: tuple[str, ...]
    """Patterns of files, from the root of the project."""
    tests: tuple[str, ...]
    """Files of tests, or single tests (`file::test`)."""


def _domain(*sources: str, tests: str) -> Group:
    """`sources` within app/domain, `tests` as names of tests/domain: "mapping" is tests/domain/test_mapping.py."""
    return Group(
        tuple(f"app/domain/{source}" for source in sources),
        tuple(f"tests/domain/test_{name}.py" for name in tests.split()),
    )


def _state(*sources: str, storage: str, use_cases: str) -> Group:
    return Group(
        tuple(f"app/{source}" for source in sources),
        (
            *(f"tests/storage/test_{name}.py" for name in storage.split()),
            *(f"tests/use_cases/test_{name}.py" for name in use_cases.split()),
        ),
    )


GROUPS: Mapping[str, Group] = {
    "planning": _domain(
        "planning/*.py", tests="planning mass_change stopping seconding content undoing convergence traces"
    ),
    "runs": _domain("runs/*.py", tests="run_state progress dates queues"),
    "matching": _domain("matching/*.py", tests="linking selection"),
    "mapping": _domain("mapping.py", tests="mapping planning"),
    "reading": _domain("reading.py", tests="reading mapping"),
    "writing": _domain("writing.py", "meanwhile.py", tests="writing mapping meanwhile"),
    "codecs": _domain("codecs/*.py", tests="codecs mapping convergence traces"),
    "japanese": _domain("japanese/*.py", tests="address kana municipalities phone codecs"),
    "completeness": Group(
        ("app/domain/completeness/*.py",),
        ("tests/adapters/test_complete_listing.py", "tests/use_cases/test_complete_or_says_so.py"),
    ),
    "people": _domain("employee.py", "snapshot.py", tests="dates selection mapping planning mail"),
    "display": Group(
        ("app/domain/display.py",),
        (
            "tests/domain/test_mapping.py",
            "tests/architecture/test_house.py::test_the_readme_shows_the_mapping_as_it_is",
        ),
    ),
    "words": _domain(
        "error_catalogue/*.py",
        "mail_text/*.py",
        "errors.py",
        "enums.py",
        "ports.py",
        tests="catalogue errors notices mail",
    ),
    "settings": _domain(
        *("settings/*.py", "access/*.py"),
        tests="brakes export_settings names passwords second_person planning",
    ),
    "vendors": _domain("vendors/*.py", tests="token_door rates"),
    "state.items": _state(
        *("storage/runs/item*.py", "storage/runs/changes.py", "storage/runs/steps.py", "storage/links/links.py"),
        storage="items item_ends changes links_and_steps preview_selection",
        use_cases="approve_retry_cancel progress_of_runs collect_events",
    ),
    "state.approval": _state(
        *("storage/runs/preview_*.py", "storage/runs/survey_pages.py", "storage/runs/idempotency.py"),
        "use_cases/intake/approve_retry_cancel.py",
        storage="preview_selection",
        use_cases="approve_retry_cancel approved_values start_run",
    ),
    "state.runs": _state(
        *("storage/runs/run*.py", "storage/runs/history.py", "use_cases/finish/finalise.py"),
        storage="items",
        use_cases="history approve_retry_cancel progress_of_runs collect_events limits_of_runs finalise mass_change",
    ),
    "state.delivery": _state("storage/outgoing/*.py", storage="outbox unit_of_work", use_cases="relay notify"),
    "state.recovery": _state(
        *("storage/upkeep/recovery.py", "use_cases/upkeep/reconcile.py"),
        storage="items",
        use_cases="retention reconcile",
    ),
}


def sources_of(name: str) -> list[str]:
    """The files of the group, from the root of the project. A folder's `__init__.py` only says what the room is."""
    found = {path for pattern in GROUPS[name].sources for path in ROOT.glob(pattern)}
    return sorted(str(path.relative_to(ROOT)) for path in found if path.name != "__init__.py")


def chosen(wanted: list[str]) -> dict[str, list[str]]:
    """Group → files to change. `wanted`: names of groups, and files or folders by their path or its end; nothing means
    everything.

    Raises ValueError for a word that is neither.
    """
    found: dict[str, list[str]] = {}
    for word in wanted or list(GROUPS):
        for name, sources in _meant_by(word).items():
            found[name] = sorted({*found.get(name, []), *sources})
    return found


def _meant_by(word: str) -> dict[str, list[str]]:
    if named := [name for name in GROUPS if word in (name, name.partition(".")[0])]:
        return {name: sources_of(name) for name in named}
    part = f"/{word.removeprefix('./').rstrip('/')}"
    part += "" if part.endswith(".py") else "/"
    found = {name: [path for path in sources_of(name) if part in f"/{path}"] for name in GROUPS}
    if not any(found.values()):
        raise ValueError(f"{word}: neither a group ({', '.join(GROUPS)}) nor a file or folder of one")
    return {name: paths for name, paths in found.items() if paths}
