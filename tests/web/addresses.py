"""Every page of the application: each GET rule of the screens, its places filled from what the database holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask

FILES = frozenset({"screens.run_csv", "screens.run_mail_html", "screens.static_file"})
"""Answers that are no page."""
PREVIEWS = frozenset({"screens.preview", "screens.confirm", "screens.ask_approval", "screens.reading"})
"""Pages about a run that waits for somebody."""


@dataclass(frozen=True)
class Stock:
    """What the places of a rule are filled with. Ids of runs: finished, being previewed, under way."""

    finished: str
    previewed: str
    running: str
    connection: str
    direction: str = "smarthr_to_freee"
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further places by name."""

    def places(self, endpoint: str) -> dict[str, Any]:
        run = self.previewed if endpoint in PREVIEWS else self.finished
        own = {"run_id": run, "key": self.connection, "connection": self.connection, "connection_key": self.connection}
        return {**own, "direction": self.direction, "what": "retry", "place": 1, **self.more}


def addresses(app: Flask, stock: Stock) -> Iterator[tuple[str, str]]:
    """(endpoint, address) of every page that can be reached, in the order of their rules."""
    builder = app.url_map.bind("localhost")
    for rule in sorted(app.url_map.iter_rules(), key=lambda each: each.rule):
        places = stock.places(rule.endpoint)
        if "GET" not in (rule.methods or ()) or not rule.endpoint.startswith("screens."):
            continue
        if rule.endpoint in FILES or not rule.arguments <= set(places):
            continue
        yield rule.endpoint, builder.build(rule.endpoint, {name: places[name] for name in rule.arguments})
    yield from _variants(stock)


def _variants(stock: Stock) -> Iterator[tuple[str, str]]:
    """Pages that are another page with other arguments, where that costs something else."""
    yield "screens.history", "/runs?result=partly_failed&trigger=webhook"
    yield "screens.history", f"/runs?connection={stock.connection}&from=2026-01-01&to=2026-12-31"
    yield "screens.run", f"/runs/{stock.running}"
    yield "screens.run_progress", f"/runs/{stock.running}/progress"
    yield "screens.run", f"/runs/{stock.finished}?state=failed"
    yield "screens.run", f"/runs/{stock.finished}?q=01"
    for sort in ("number", "-items", "ended", "-ended"):
        yield "screens.run", f"/runs/{stock.finished}?sort={sort}&page=2"
    for sort in ("number", "kind", "-items", "month"):
        yield "screens.confirm", f"/runs/{stock.previewed}/confirm?sort={sort}&page=2"
    for which in ("cause=E1&direction=smarthr_to_freee", "waived=1"):
        yield "screens.attention_people", f"/attention/people?{which}"
    yield "screens.people_found", f"/people/{stock.connection}?q=0"
