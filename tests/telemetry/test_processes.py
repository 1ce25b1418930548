"""Real processes: each fork tells by itself, what it did last is sent before it ends, a hung collector holds none."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace

import pytest

from tests.collector import Collector
from tests.storage.databases import database
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
        assert pool.wait(30) == 0
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
