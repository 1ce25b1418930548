"""The parts of the intake's benchmark: it sends what it says, and its figures are right. No time is asserted."""

from __future__ import annotations

import threading
from typing import Any

from werkzeug.serving import make_server

from app.adapters.smarthr.webhook import parse_event
from tests.bench.bare import app
from tests.bench.intake import summarise, table
from tests.bench.load import BODY_BYTES, requests_of, send_all


def test_every_request_is_another_delivery_about_another_employee() -> None:
    made = requests_of(300, path="/webhooks/smarthr/renshu", header="X-SmartHR-Token", secret="s", mark="m")
    bodies = [request.partition(b"\r\n\r\n")[2] for request in made]
    assert {len(body) for body in bodies} == {BODY_BYTES}
    events = [parse_event(body) for body in bodies]
    assert all(event.known and event.triggered_at for event in events)
    assert len({event.people for event in events}) == len(set(bodies)) == 300


def test_the_sender_counts_every_answer() -> None:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        made = requests_of(20, path="/anything", header="x", secret="s", mark="m")
        told = send_all(server.port, made, connections=20)  # this server closes a connection after each answer
    finally:
        server.shutdown()
        serving.join(timeout=20)
        server.server_close()
    assert told["statuses"] == {"202": 20}
    assert 0 < told["p50_ms"] <= told["p99_ms"] <= told["max_ms"]


def test_the_ratio_is_the_median_of_each_rounds_own() -> None:
    def round_of(ours: float, bare: float, status: str = "202") -> dict[str, dict[str, object]]:
        common = {"p50_ms": 1.0, "p99_ms": 2.0, "max_ms": 3.0, "statuses": {status: 10}}
        return {"intake": {"per_second": ours, **common}, "bare": {"per_second": bare, **common}}

    rounds = [round_of(30, 100), round_of(10, 100), round_of(40, 50)]
    results: dict[str, Any] = {"sqlite": summarise(rounds), "cpus": 2, "load_before": 0.5}
    assert results["sqlite"]["ratio"] == 0.3
    assert table(results).splitlines()[1].split() == ["sqlite", "0.30", "0.40", "30", "100", "1.0", "2.0"]
    assert "NOT ALL" not in table(results)
    assert "NOT ALL" in table({**results, "sqlite": summarise([round_of(1, 1, "503")])})
