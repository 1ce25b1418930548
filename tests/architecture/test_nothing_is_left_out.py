"""What is written once and has to be named elsewhere is named there: pages on the blueprint, their templates, use cases
at a door or in the timetable of cron, metrics in docs/ops."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from app.domain.enums import System
from app.web.screens import all_pages

ROOT = Path(__file__).resolve().parents[2]
SCREENS = ROOT / "app" / "web" / "screens"
PAGES = sorted(
    path.relative_to(SCREENS)
    for path in SCREENS.rglob("*.py")
    if path.stem != "base"
    and re.search(r"^@screens\.(get|post|route)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
)
METRICS = sorted(
    set(
        re.findall(
            r'f?"(awase_[a-z_{}.]+)"',
            "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "app" / "web" / "ops").glob("*.py")),
        )
    )
)
TEMPLATES = ROOT / "app" / "web" / "templates"
SHOWN = ("docs/ops/grafana-dashboard.json", "docs/ops/alerts.yml", "docs/ops/runbook.md", "docs/ops/telemetry.md")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_page_is_on_the_blueprint(page: Path) -> None:
    assert page.stem in all_pages.__all__, f"nobody can open this page: import it in {SCREENS.name}/all_pages.py"


def test_there_are_pages_and_metrics() -> None:
    assert len(PAGES) > 20
    assert len(METRICS) > 40


def test_every_template_that_is_named_is_there_and_every_one_is_named() -> None:
    sources = [*(ROOT / "app" / "web").rglob("*.py"), *TEMPLATES.rglob("*.html")]
    named = {
        name for path in sources for name in re.findall(r"[\"']([\w/]+\.html)[\"']", path.read_text(encoding="utf-8"))
    }
    there = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html")}
    full = {name if name in there else f"screens/{name}" for name in named}
    assert full - there == set(), f"write it in {TEMPLATES.relative_to(ROOT)}"
    assert there - full == set(), "no page shows it"


def test_every_use_case_is_called_by_somebody() -> None:
    """By a door, a worker, the timetable of cron, or another use case; else it would never be done."""
    files = [path for folder in ("app", "workers") for path in (ROOT / folder).rglob("*.py")]
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    words = Counter(word for text in texts.values() for word in re.findall(r"\w+", text))
    unused = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path, text in texts.items()
        if "use_cases" in path.parts
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and words[node.name] == 1
    ]
    assert unused == [], "call it, for example from a row of `table` in workers/cron.py"


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_shown_to_somebody(metric: str) -> None:
    """On the dashboard, by an alert, or in the pages for whoever is on call."""
    told = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in SHOWN)
    names = [metric.replace("{system.value}", system.value) for system in System]
    hidden = [
        name
        for name in dict.fromkeys(names)
        if not re.search(rf"\b{name.replace('{name}', '[a-z]+')}(_total|_bucket|_sum|_count)?\b", told)
    ]
    assert hidden == [], f"show it in {SHOWN[0]}, ask about it in {SHOWN[1]}, or say in {SHOWN[2]} what it is for"
