"""docs/ops says what is true: its metrics are there, each alert is in the runbook, its commands exist."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from app.domain.enums import Direction
from app.domain.settings.connection_settings import Automatic
from app.use_cases.intake.webhook_intake import sort_received
from app.use_cases.monitoring.counters import count_once
from app.use_cases.upkeep.heartbeat import beat
from tests.house import KEY, House
from tests.web.application import application_on, operator_of

pytestmark = pytest.mark.reach("test")  # long journeys

OPS = Path(__file__).parents[2] / "docs" / "ops"
SECRET = "an-invented-webhook-secret"
PROMQL = {
    "absent",
    "and",
    "by",
    "delta",
    "group_left",
    "histogram_quantile",
    "ignoring",
    "increase",
    "max",
    "min",
    "on",
    "or",
    "max_over_time",
    "rate",
    "sum",
    "time",
    "unless",
    "up",
}
"""Words of PromQL these files use, and the one metric Prometheus makes itself."""


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((OPS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    return json.loads((OPS / "grafana-dashboard.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def runbook() -> str:
    return (OPS / "runbook.md").read_text(encoding="utf-8")


def targets(dashboard: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


@pytest.fixture
def app(house: House) -> Flask:
    return application_on(house.ctx)


@pytest.fixture
def shown(house: House, app: Flask) -> dict[str, set[str]]:
    """Metric name → its labels, of a house with one run and one webhook behind it."""
    house.run(Direction.SMARTHR_TO_FREEE)
    with house.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection
        uow.connections.set_options(replace(connection, automatic=Automatic.BOTH))
        uow.webhook_registrations.set_secret(connection.id, SECRET, previous_until=house.clock.now())
        uow.sweeps.done(connection.id, house.clock.now())
    body = {"event": "crew_updated", "crew": {"id": "somebody"}, "triggered_at": "2026-11-22T02:59:58.000Z"}
    client = operator_of(app, house.ctx)
    sent = client.post(f"/webhooks/smarthr/{KEY}", json=body, headers={"X-SmartHR-Token": SECRET})
    assert sent.status_code == 202
    sort_received(house.ctx)
    count_once(house.ctx)
    beat(house.ctx, "cron@here:1", since=house.clock.now(), clock_skew=0.0)
    answer = client.get("/metrics")
    assert answer.status_code == 200, f"a family of app/web/ops/metric_families.py fails: {answer.text}"
    families = text_string_to_metric_families(answer.text)
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


@pytest.mark.database("sqlite")
def test_every_metric_that_is_used_is_there_with_its_labels(
    shown: dict[str, set[str]], rules: list[dict[str, Any]], dashboard: dict[str, Any]
) -> None:
    expressions = [rule["expr"] for rule in rules] + targets(dashboard)
    used = {name for expression in expressions for name in re.findall(r"awase_\w+", expression)}
    assert len(used) > 25
    assert used - set(shown) == set()
    for expression in expressions:
        for name, selector in re.findall(r"(awase_\w+)\{([^}]*)\}", expression):
            assert set(re.findall(r"(\w+)[=!]", selector)) <= shown[name], expression
        labels = set().union(*(shown[name] for name in re.findall(r"awase_\w+", expression)), {"job"})
        for grouped in re.findall(r"(?:by|on|ignoring) \(([^)]*)\)", expression):
            assert set(filter(None, re.split(r", ?", grouped))) <= labels, expression


@pytest.mark.database("sqlite")
def test_every_metric_of_ours_is_used_somewhere(
    shown: dict[str, set[str]], rules: list[dict[str, Any]], dashboard: dict[str, Any]
) -> None:
    text = " ".join([rule["expr"] for rule in rules] + targets(dashboard))
    families = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in shown}
    unused = {family for family in families if family not in text}
    assert unused == set(), "each needs a panel of docs/ops/grafana-dashboard.json or a rule of docs/ops/alerts.yml"


def test_expressions_are_well_formed(rules: list[dict[str, Any]], dashboard: dict[str, Any]) -> None:
    """As far as that can be said without Prometheus: brackets, and no word that is none of PromQL's."""
    for expression in [rule["expr"] for rule in rules] + targets(dashboard):
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing), expression
        bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|awase_\w+|(by|on|ignoring|group_left) \([^)]*\)", " ", expression)
        assert set(re.findall(r"[a-z_]+", bare)) <= PROMQL, expression
        for ranged in re.findall(r"(\w+)\(awase_\w+(?:\{[^}]*\})?\[", expression):
            assert ranged in ("rate", "increase", "delta", "max_over_time"), expression
        for counted, name in re.findall(r"(rate|increase)\((awase_\w+)", expression):
            assert name.endswith(("_total", "_bucket")), (counted, name)


def test_alerts_and_headings_of_the_runbook_are_the_same(rules: list[dict[str, Any]], runbook: str) -> None:
    names = [rule["alert"] for rule in rules]
    assert len(names) == len(set(names)) > 20
    assert sorted(re.findall(r"^### (\w+)$", runbook, flags=re.MULTILINE)) == sorted(names)
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "warning")
        assert not rule["annotations"]["summary"].isascii()


@pytest.mark.database("sqlite")
def test_every_command_of_the_runbook_exists(app: Flask, runbook: str) -> None:
    commands = re.findall(r"`flask ([a-z]+)(?: ([a-z][a-z-]*))?([^`]*)`", runbook)
    assert len(commands) > 20
    assert len(commands) == len(re.findall(r"`flask ", runbook))
    for group, command, rest in commands:
        found = app.cli.commands[group]
        if command:
            found = found.commands[command]  # type: ignore[attr-defined]
        options = {option for parameter in found.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, (group, command, rest)


def test_settings_of_the_runbook_are_settings(runbook: str) -> None:
    example = (OPS.parents[1] / ".env.example").read_text(encoding="utf-8")
    for name in set(re.findall(r"`([A-Z]+_[A-Z_]+)`", runbook)):
        assert re.search(rf"^{name}=", example, flags=re.MULTILINE), name


def test_the_dashboard_can_be_imported(dashboard: dict[str, Any]) -> None:
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    for word in ("intake", "backlog", "runs", "vendors", "connections", "mail"):
        assert any(word in title for title in rows), word
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    assert {"title", "uid", "schemaVersion", "templating"} <= set(dashboard)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, f"{panel['title']}: another panel is there; raise `y` of all that follow a new one"
        taken |= cells
        if panel["type"] != "row":
            assert panel["targets"] and panel["datasource"]["uid"] == "${datasource}"
