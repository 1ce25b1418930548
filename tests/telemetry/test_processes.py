"""Real processes: each fork tells by itself, what it did last is sent before it ends, a hung collector holds none."""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from sqlalchemy import select

from app.storage.schema import migrate
from app.storage.tables.automatic_models import CounterTable
from app.storage.unit_of_work import make_engine
from app.use_cases.intake.webhook_intake import COUNTER
from tests.collector import Collector
from tests.e2e.processes import started
from tests.ports import free_port
from tests.storage.databases import database
from tests.web.hooks import FREEE_TOKEN, freee_body
from tests.workers.test_worker import Station, children, station, wait_for

__all__ = ["database", "station"]

pytestmark = [pytest.mark.processes, pytest.mark.database("sqlite"), pytest.mark.usefixtures("proc")]


def with_recipient(station: Station) -> None:
    """A mail that is tried, at a server that is not there."""
    with station.room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(station.room.connection, mail_to=("jinji@example.com",)))


def test_what_a_worker_did_last_is_sent_before_it_ends(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    with_recipient(station)
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("SMTP_URL", "smtp://127.0.0.1:9")
        pool = station.start_pool("interactive", workers=2)
        mail = station.mail_to_settle()
        wait_for(lambda: "mail_settled" in station.log(), "the mail")
        pool.send_signal(signal.SIGTERM)  # within the second in which spans are gathered, or soon after
        assert pool.wait(90) == 0
        (told,) = collector.named("mail")
    assert told.attributes["awase.mail.id"] == mail
    assert told.failed
    assert told.resource["awase.process"] == "worker_interactive"
    assert told.resource["process.pid"] != pool.pid, "the worker tells it, not the pool it was forked from"


def test_a_collector_that_hangs_holds_no_job_and_no_end(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    with_recipient(station)
    with Collector(held=threading.Event()) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("SMTP_URL", "smtp://127.0.0.1:9")
        pool = station.start_pool("interactive", workers=1)
        station.mail_to_settle()
        wait_for(lambda: collector.named("mail"), "the request that hangs")
        station.mail_to_settle()
        wait_for(lambda: station.log().count("mail_settled") == 2, "the next job, while the collector hangs")
        assert len(children(pool.pid)) == 1
        began = time.monotonic()
        pool.send_signal(signal.SIGTERM)
        assert pool.wait(30) == 0
        assert time.monotonic() - began < 20
    assert "telemetry_cut_off" in station.log()


def service(folder: Path, collector: Collector, **more: str) -> dict[str, str]:
    """Surroundings of processes on a migrated database in this folder."""
    made = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(folder),
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": secrets.token_urlsafe(48),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=rehearsal",
        "WEB_CONCURRENCY": "1",
        "WEB_THREADS": "4",
        **more,
    }
    migrate(f"sqlite:///{folder}/awase.db")
    return made


def test_a_web_process_tells_of_a_webhook_and_ends_in_order(tmp_path: Path) -> None:
    port = free_port()
    with Collector() as collector:
        env = service(tmp_path, collector, PORT=str(port), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
        with started(tmp_path, env, "app.web.serving", "wsgi:app") as web:
            wait_for(lambda: listens(port), "the web process")
            address, headers = f"http://127.0.0.1:{port}/webhooks/freee", {"x-freee-token": FREEE_TOKEN}
            assert requests.post(address, data=freee_body(), headers=headers, timeout=20).status_code == 202
            wrong = {"x-freee-token": "an-invented-wrong-token"}
            assert requests.post(address, data=freee_body(), headers=wrong, timeout=20).status_code == 401
            web.send_signal(signal.SIGTERM)
            assert web.wait(30) == 0
        (told,) = collector.named("webhook")
    assert told.attributes == {
        "awase.delivery.id": 1,
        "awase.system": "freee",
        "awase.event": "updated",
        "awase.people": 1,
        "awase.repeated": False,
    }
    assert told.resource["awase.process"] == "web"
    assert told.resource["process.pid"] != web.pid, "the child tells it, not the parent that listens"
    assert told.resource["deployment.environment.name"] == "rehearsal"
    assert refusals(tmp_path) == {"unauthorized": 1, "unrouted": 1}, "handed over though nobody reads /metrics"


def test_cron_tells_the_figures_and_ends_in_order(tmp_path: Path) -> None:
    with Collector() as collector:
        with started(tmp_path, service(tmp_path, collector), "workers.cron") as cron:
            wait_for(lambda: collector.metrics, "the figures")
            cron.send_signal(signal.SIGTERM)
            assert cron.wait(30) == 0
        assert collector.metrics["awase_database_up"].gauge.data_points[0].as_double == 1
        assert "awase_clock_skew_seconds" in collector.metrics


def refusals(folder: Path) -> dict[str, int]:
    """Outcome → webhooks, of those that web processes have counted."""
    engine = make_engine(f"sqlite:///{folder}/awase.db")
    with engine.begin() as connection:
        rows = connection.execute(select(CounterTable.labels, CounterTable.value).where(CounterTable.name == COUNTER))
        found = {json.loads(labels)["outcome"]: value for labels, value in rows}
    engine.dispose()
    return found


def listens(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/health/live", timeout=5).ok
    except requests.ConnectionError:
        return False
