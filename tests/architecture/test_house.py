"""The house keeps its own rules: pure core, resolvable job names, documented settings, a truthful README."""

from __future__ import annotations

import dataclasses
import importlib
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Settings
from app.practice.house.processes import procfile

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORKS = ("flask", "rq", "redis", "sqlalchemy", "requests", "marshmallow", "werkzeug", "structlog")


@pytest.mark.parametrize(
    "module",
    [
        "planning.planning",
        "mapping",
        "reading",
        "writing",
        "matching.linking",
        "mail_text.summary",
        "error_catalogue.catalogue",
    ],
)
def test_the_domain_loads_no_framework(module: str) -> None:
    script = f"import sys, app.domain.{module}; print(*[n for n in {FRAMEWORKS!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_job_that_is_queued_by_name_exists_in_the_workers() -> None:
    relay = (ROOT / "app" / "use_cases" / "upkeep" / "relay.py").read_text(encoding="utf-8")
    names = re.findall(r"_job\(\"\w\", row, \"(\w+)\"", relay)
    assert set(names) == {"survey_run", "sync_item", "send_mail"}
    jobs = importlib.import_module("workers.jobs")
    assert all(callable(getattr(jobs, name)) for name in names)


def test_settings_are_documented_in_three_places() -> None:
    fields = {field.name.upper() for field in dataclasses.fields(Settings)}
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), flags=re.MULTILINE))
    readme = set(
        re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    )
    assert fields == example
    assert fields == readme


def test_the_readme_shows_the_mapping_as_it_is() -> None:
    tool = runpy.run_path(str(ROOT / "docs" / "tools" / "items.py"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    same = tool["written"](readme) == readme  # compared outside the assertion, which would print all of both
    assert same, "app/domain/mapping.py has other items than README.md: run `make items`"


def test_the_procfile_starts_modules_that_exist() -> None:
    """`web` is the first: honcho counts the ports on from it. A command that ends would end all of honcho."""
    processes = procfile(ROOT / "Procfile")
    assert list(processes) == ["web", "relay", "worker_interactive", "worker_bulk", "cron"]
    one_machine = procfile(ROOT / "docs" / "deploy" / "Procfile.one-machine")
    assert one_machine == {**processes, "broker": "python -m workers.broker"}
    for command in processes.values():
        for module in re.findall(r"python -m ([a-z_.]+)", command):
            assert importlib.util.find_spec(module) is not None


def test_makefile_has_the_fixed_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert {"run", "demo", "test", "lint", "bench"} <= targets


def test_no_contract_of_a_vendor_is_kept_here() -> None:
    folders = [ROOT / name for name in ("app", "workers", "tests", "docs")]
    kept = [file for folder in folders for kind in ("*.json", "*.y*ml") for file in folder.rglob(kind)]
    assert [file.name for file in kept if "openapi" in file.name or file.stat().st_size > 100_000] == []


def test_there_is_at_least_as_much_test_as_code() -> None:
    def lines(*folders: str) -> int:
        files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
        counted = (f for f in files if "versions" not in f.parts)
        return sum(len(f.read_text(encoding="utf-8").splitlines()) for f in counted)

    assert lines("tests") >= lines("app", "workers")


def test_settings_are_stored_in_one_place_which_knows_what_begins_with_a_preview() -> None:
    """Whoever stored them elsewhere could let automatic sync write by rules that nobody has seen the plans of."""
    found = {
        word: [str(file.relative_to(ROOT / "app")) for file in (ROOT / "app").rglob("*.py") if word in file.read_text()]
        for word in ("uow.connections.set_options(", "uow.connections.set_smarthr_token(")
    }
    assert found["uow.connections.set_options("] == ["use_cases/shared/beginnings.py"]
    assert found["uow.connections.set_smarthr_token("] == ["use_cases/connections/attributes.py"]
