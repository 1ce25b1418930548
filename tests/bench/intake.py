"""`python -m tests.bench.intake`: our webhook intake beside a bare Flask route answering 202, as a ratio.

Both under the product's web server (app/web/serving), one after the other in the same round, 32
connections that send without a pause, each request a new delivery about another employee. SQLite: one process of 32
threads, on the disk. PostgreSQL: two processes; the server is the tests' own (fsync off, so what is measured is our
code and not the disk). Nothing is asserted here: figures belong to their machine, ratios carry over.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from app.config import Settings
from app.domain.settings.connection_settings import Automatic
from app.practice.house.processes import ROOT
from app.storage.schema import migrate
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
from tests.ports import free_port

SECRET, KEY = "an-invented-webhook-secret", "renshu"
PROCESSES = {"sqlite": 1, "postgresql": 2}
TARGETS = {"sqlite": 0.40, "postgresql": 0.40}
WARM_UP = 320


def main() -> int:
    asked = _arguments()
    results: dict[str, Any] = {"load_before": os.getloadavg()[0], "cpus": os.cpu_count()}
    with ExitStack() as stack:
        cluster = stack.enter_context(_cluster()) if "postgresql" in asked.databases else None
        for kind in asked.databases:
            if kind == "postgresql" and cluster is None:
                print("no PostgreSQL on this machine: left out", file=sys.stderr)
                continue
            rounds = []
            for number in range(asked.rounds):
                print(f"intake, {kind}, round {number + 1} of {asked.rounds} ...", file=sys.stderr, flush=True)
                rounds.append(one_round(kind, cluster, number=number, requests=asked.requests))
            results[kind] = summarise(rounds)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(table(results))
    return 0


def one_round(kind: str, cluster: Path | None, *, number: int, requests: int) -> dict[str, Any]:
    """`{"bare": …, "intake": …}` as tests.bench.load tells it."""
    told = {}
    for name in ("bare", "intake") if number % 2 == 0 else ("intake", "bare"):
        with tempfile.TemporaryDirectory(prefix="awase-intake-", dir="/var/tmp") as folder:
            env = _environment(Path(folder), _url(kind, Path(folder), cluster, number), PROCESSES[kind])
            if name == "intake":
                make_connection(Settings.from_env(env))
            app = "tests.bench.bare:app" if name == "bare" else "wsgi:app"
            with serving(app, env) as port:
                load(port, requests=WARM_UP, mark="warm")
                told[name] = load(port, requests=requests, mark="crew")
    return told


def summarise(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The ratio is the median of each round's own."""
    figures = ("per_second", "p50_ms", "p99_ms", "max_ms")
    return {
        "ratio": round(median(r["intake"]["per_second"] / r["bare"]["per_second"] for r in rounds), 3),
        "bare": {name: median(r["bare"][name] for r in rounds) for name in figures},
        "intake": {name: median(r["intake"][name] for r in rounds) for name in figures},
        "statuses": [r["intake"]["statuses"] for r in rounds],
        "rounds": list(rounds),
    }


def table(results: Mapping[str, Any]) -> str:
    lines = [
        f"{'INTAKE, 32 connections':<24}{'ratio':>8}{'target':>8}{'1/s':>9}{'bare 1/s':>10}{'p50 ms':>8}{'p99 ms':>8}"
    ]
    for kind, target in TARGETS.items():
        if kind in results:
            one = results[kind]
            ours, bare = one["intake"], one["bare"]
            lines.append(
                f"{kind:<24}{one['ratio']:>8.2f}{target:>8.2f}{ours['per_second']:>9.0f}{bare['per_second']:>10.0f}"
                f"{ours['p50_ms']:>8.1f}{ours['p99_ms']:>8.1f}"
            )
            if any(set(statuses) != {"202"} for statuses in one["statuses"]):
                lines.append(f"NOT ALL WERE ACCEPTED: {one['statuses']}")
    lines.append(f"{results['cpus']} CPUs, load {results['load_before']:.1f} before the start")
    return "\n".join(lines)


# ── what is measured ──────────────────────────────────────────────────────────────────────────────────────────────


def make_connection(settings: Settings) -> None:
    """A new database with one connection that listens to webhooks."""
    migrate(settings.database_url)
    database = Database(settings.database_url, Vault(settings.encryption_keys))
    now = datetime.now(UTC)
    with database.unit_of_work() as uow:
        connection = uow.connections.add(
            key=KEY,
            name="練習用の会社",
            smarthr_subdomain="awase-renshu",
            smarthr_token="an-invented-token",
            freee_company_id=1234567,
            now=now,
        )
        uow.connections.set_options(replace(connection, automatic=Automatic.BOTH))
        uow.webhook_registrations.set_secret(connection.id, SECRET, previous_until=now)
    database.dispose()


@contextmanager
def serving(app: str, env: Mapping[str, str]) -> Iterator[int]:
    """The product's web server; the port it listens on."""
    port = free_port()
    command = [sys.executable, "-m", "app.web.serving", app]
    with open(Path(env["DATA_DIR"]) / "server.log", "wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env={**env, "PORT": str(port)}, stdout=log, stderr=log)
        try:
            _wait_for(port, server)
            yield port
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)


def load(port: int, *, requests: int, mark: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.load", "--port", str(port), "--requests", str(requests)]
    command += ["--mark", mark, "--path", f"/webhooks/smarthr/{KEY}", "--secret", SECRET]
    told: dict[str, Any] = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    return told


def _environment(folder: Path, url: str, processes: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(folder),
        "DATABASE_URL": url,
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": secrets.token_urlsafe(48),
        "WEB_CONCURRENCY": str(processes),
        "WEB_THREADS": "32",
    }


def _url(kind: str, folder: Path, cluster: Path | None, number: int) -> str:
    if cluster is None or kind == "sqlite":
        return f"sqlite:///{folder / 'awase.db'}"
    from tests.storage.servers import create_database

    return create_database(cluster, f"intake_{number}_{time.monotonic_ns()}")


@contextmanager
def _cluster() -> Iterator[Path | None]:
    from tests.storage.servers import missing_parts, running_cluster

    if missing_parts():
        yield None
        return
    with running_cluster() as socket_folder:
        yield socket_folder


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the server does not answer")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The webhook intake beside a bare Flask route.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--databases", type=lambda text: text.split(","), default=list(PROCESSES))
    parser.add_argument("--json", type=Path, default=ROOT / "var" / "bench-intake.json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
