"""`python -m tests.bench.pages`: how long every page takes with 50,000 employees and a million items, and its queries.

SQLite, and PostgreSQL (the tests' own server), filled by tests.bench.filled; the product's web server; every GET page
of the screens is asked by an administrator over HTTP, one request at a time. Queries are counted in a second pass by
the test client. Both practice vendors are there for the pages that compare two people live, and a broker, without which
only a tenth of a vendor's limit is used. Nothing is asserted here: figures belong to their machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import quote, unquote

import requests
from flask.testing import FlaskClient
from sqlalchemy import Engine

from app.config import Settings
from app.factory import create_app
from app.practice.freee.practice_freee import create_freee
from app.practice.house.environment import practice_vendors
from app.practice.house.processes import ROOT
from app.practice.server import start_in_thread
from app.practice.smarthr.practice_smarthr import create_smarthr
from app.practice.staff import practice_company
from app.practice.staff.practice_company import build_company
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
from app.wiring import build_context
from tests.bench.filled import LOGIN, PASSWORD, fill
from tests.bench.intake import _cluster, _environment, _url, serving
from tests.chaos.parts import broker_in
from tests.forms import token_in
from tests.statements import statements
from tests.web.addresses import Stock, addresses

TARGET_MS = 300
TARGET_QUERIES = 12
_LIVE = frozenset({"screens.links_compare", "screens.links_pair"})
_STAMP = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}")


def main() -> int:
    asked, load = _arguments(), os.getloadavg()[0]
    told: dict[str, list[dict[str, Any]]] = {}
    with ExitStack() as stack:
        cluster = stack.enter_context(_cluster()) if "postgresql" in asked.databases else None
        for kind in asked.databases:
            if kind == "postgresql" and cluster is None:
                print("no PostgreSQL on this machine: left out", file=sys.stderr)
                continue
            told[kind] = on(kind, cluster, asked)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    for kind, measured in told.items():
        print(table(f"{kind}, {asked.people:,} people", measured))
    print(f"{os.cpu_count()} CPUs, load {load:.1f} before the start, {os.getloadavg()[0]:.1f} at the end")
    return 0


def on(kind: str, cluster: Path | None, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """The figures of every page on one database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="awase-pages-", dir="/var/tmp")))
        env = _environment(folder, _url(kind, folder, cluster, 0), 1) | {"LOG_LEVEL": "WARNING"}
        crew, employee = stack.enter_context(_vendors(env))
        broker = broker_in(folder)
        stack.callback(broker.stop)
        broker.start()
        settings = Settings.from_env(env)
        began = time.monotonic()
        stock = fill(settings, people=asked.people, items=asked.items, runs=asked.runs)
        print(f"{kind}: filled in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        pages = [
            (endpoint, f"{address}?smarthr={crew}&freee={employee}" if endpoint in _LIVE else address)
            for endpoint, address in (*addresses(create_app(build_context(settings)), stock), *searches(stock))
            if asked.only in endpoint
        ]
        counted = count_queries(settings, pages)
        with serving("wsgi:app", env) as port:
            return [
                {"page": endpoint, "address": address, "queries": counted[address], **figures}
                for endpoint, address, figures in measure(port, pages, times=asked.times)
            ]


SEARCHED = ("00012", "花子12", "見本", "かくう", "誰でもない")
"""A few people, a fifth of all, and nobody: by number, name, given name and kana."""


def searches(stock: Stock, searched: Sequence[str] = SEARCHED) -> Iterator[tuple[str, str]]:
    """Every page on which people are searched, for each of these texts."""
    for typed in searched:
        yield "screens.preview", f"/runs/{stock.previewed}/people?show=all&q={quote(typed)}"
        yield "screens.links_all", f"/links/{stock.connection}/all?q={quote(typed)}"
        yield "screens.run", f"/runs/{stock.finished}?q={quote(typed)}"
        yield "screens.confirm", f"/runs/{stock.previewed}/confirm?q={quote(typed)}"
        yield "screens.people_found", f"/people/{stock.connection}?q={quote(typed)}"
    yield "screens.links_join", f"/links/{stock.connection}/join?smarthr_q={quote('見本花子')}&freee_q=00012"


@contextmanager
def _vendors(env: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Both practice vendors, and where they are into `env`. The ids of two of their people."""
    company = build_company(practice_company.japan_today())
    servers = [start_in_thread(create(company)) for create in (create_smarthr, create_freee)]
    env |= practice_vendors(*(server.url for server in servers))
    try:
        yield str(company.crews[0]["id"]), int(company.employees[0]["id"])
    finally:
        for server in servers:
            server.stop()


def measure(port: int, pages: Sequence[tuple[str, str]], *, times: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(endpoint, address, {"status", "median_ms", "p95_ms", "kib"})."""
    base = f"http://127.0.0.1:{port}"
    browser = requests.Session()
    page = browser.get(f"{base}/sign-in", timeout=30)
    form = {"login": LOGIN, "password": PASSWORD, "csrf_token": token_in(page.text)}
    browser.post(f"{base}/sign-in", data=form, timeout=30)
    for endpoint, address in pages:
        spans, answer = [], browser.get(base + address, timeout=60, allow_redirects=False)
        for _ in range(times if answer.status_code == 200 else 0):
            began = time.perf_counter()
            answer = browser.get(base + address, timeout=60, allow_redirects=False)
            spans.append((time.perf_counter() - began) * 1000)
        yield endpoint, address, {"status": answer.status_code, "kib": len(answer.content) // 1024, **_figures(spans)}


def _figures(spans: Sequence[float]) -> dict[str, float | None]:
    if len(spans) < 2:
        return {"median_ms": None, "p95_ms": None}
    return {"median_ms": round(median(spans), 1), "p95_ms": round(quantiles(spans, n=20)[-1], 1)}


def count_queries(settings: Settings, pages: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Address → statements of one request, the sign-in's included."""
    ctx = build_context(settings)
    database = Database(settings.database_url, Vault(settings.encryption_keys))
    client = create_app(replace(ctx, unit_of_work=database.unit_of_work)).test_client()
    page = client.get("/sign-in").get_data(as_text=True)
    client.post("/sign-in", data={"login": LOGIN, "password": PASSWORD, "csrf_token": token_in(page)})
    found = {address: queries_of(database.engine, client, address)[0] for _, address in pages}
    database.dispose()
    return found


def queries_of(engine: Engine, client: FlaskClient, address: str) -> tuple[int, int]:
    """(statements, status) of one GET. The look at the keys in use, which whoever comes takes every few seconds, is no
    part of the page."""
    with statements(engine) as seen:
        status = client.get(address).status_code
    return sum("FROM key_uses" not in each for each in seen), status


def table(title: str, measured: Sequence[dict[str, Any]]) -> str:
    head = f"{title.upper():<64}{'median ms':>10}{'p95 ms':>9}{'queries':>9}{'KiB':>7}"
    lines = [head]
    for one in measured:
        name = unquote(_STAMP.sub("<id>", one["address"]))
        if one["median_ms"] is None:
            lines.append(f"{name:<64}{'answers ' + str(one['status']):>28}")
            continue
        late = one["p95_ms"] > TARGET_MS or one["queries"] > TARGET_QUERIES
        figures = f"{one['median_ms']:>10.1f}{one['p95_ms']:>9.1f}{one['queries']:>9}{one['kib']:>7}"
        lines.append(f"{name:<64}{figures}{'  ← over' if late else ''}")
    lines.append(f"wanted: p95 under {TARGET_MS} ms and at most {TARGET_QUERIES} queries")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Every page with a large customer's data.")
    parser.add_argument("--times", type=int, default=20, help="requests per page")
    parser.add_argument("--databases", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--only", default="", help="pages whose endpoint has this in its name")
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--json", type=Path, default=ROOT / "var" / "bench-pages.json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
