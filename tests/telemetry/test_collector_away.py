"""A collector that is away, slow or odd: work never waits for it, nothing grows, what is lost is counted and told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from app.logs import configure_logging
from app.telemetry.otlp import DROPPED, Otlp
from app.telemetry.places import anywhere
from app.telemetry.spans import Span
from tests.collector import Collector
from tests.ports import free_port
from tests.workers.test_worker import wait_for


def span(name: str = "item") -> Span:
    now = time.time_ns()
    return Span(name, anywhere(), None, now, {}, ended=now)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, object]]]:
    """The log's lines until now."""
    configure_logging("INFO")
    lines: list[dict[str, object]] = []

    def read() -> list[dict[str, object]]:
        lines.extend(json.loads(line) for line in capsys.readouterr().err.splitlines())
        return lines

    return read


@pytest.fixture
def hung() -> Iterator[Collector]:
    """A collector that takes a request and does not answer."""
    with Collector(held=threading.Event()) as collector:
        yield collector
    # The thread whose request hung tells of the outage when the collector closes: not in the next test's log.
    wait_for(lambda: all(each.name != "telemetry" for each in threading.enumerate()), "the thread to end")


def test_while_the_collector_hangs_the_queue_ends_at_its_limit_and_nobody_waits(hung: Collector) -> None:
    otlp = Otlp(hung.url, part="worker", most_waiting=10, request_seconds=30.0).begin()
    otlp.take(span())
    wait_for(lambda: hung.bodies, "the request that hangs")
    taken = threading.Thread(target=lambda: [otlp.take(span()) for _ in range(500)], daemon=True)
    taken.start()
    taken.join(20)
    assert not taken.is_alive(), "taking waits for the collector"
    assert otlp.dropped == 490
    otlp.take_metrics([])
    began = time.monotonic()
    otlp.stop(0.2)
    assert time.monotonic() - began < 10, "a process that ends waits no longer than it was told to"


def test_what_could_not_be_sent_by_the_end_is_told(
    hung: Collector, told: Callable[[], list[dict[str, object]]]
) -> None:
    otlp = Otlp(hung.url, part="worker", request_seconds=30.0).begin()
    otlp.take(span())
    wait_for(lambda: hung.bodies, "the request that hangs")
    otlp.take(span())
    otlp.stop(0.1)
    (line,) = [line for line in told() if line["event"] == "telemetry_cut_off"]
    assert line["level"] == "warning"


def test_an_outage_is_told_once_and_so_is_its_end(told: Callable[[], list[dict[str, object]]]) -> None:
    with Collector(status=400) as collector:
        otlp = Otlp(collector.url, part="worker").begin()
        for number in (1, 2):
            otlp.take(span())
            wait_for(lambda number=number: otlp.dropped == number, "the refusal")
        collector.status = 200
        otlp.take(span())
        otlp.stop(5.0)
    events = [line["event"] for line in told()]
    assert events == ["telemetry_unavailable", "telemetry_back"], "one line each, and none of the library's own"
    assert told()[-1]["dropped"] == 2
    (point,) = collector.metrics[DROPPED].sum.data_points
    assert point.as_double == 2


def test_nobody_at_the_address_is_an_outage_like_any_other(told: Callable[[], list[dict[str, object]]]) -> None:
    otlp = Otlp(f"http://127.0.0.1:{free_port()}", part="worker", request_seconds=0.5).begin()
    otlp.take(span())
    wait_for(lambda: otlp.dropped == 1, "the span to be given up")
    otlp.stop(5.0)
    assert [line["event"] for line in told()] == ["telemetry_unavailable"]


def test_what_waits_at_the_end_is_sent(told: Callable[[], list[dict[str, object]]]) -> None:
    with Collector() as collector:
        otlp = Otlp(collector.url, part="worker").begin()
        for _ in range(1500):
            otlp.take(span())
        otlp.stop(10.0)
        assert len(collector.spans) == 1500
        assert len(collector.bodies) >= 3, "in portions"
    assert (otlp.dropped, told()) == (0, [])


def test_a_span_that_nobody_can_encode_ends_no_thread(told: Callable[[], list[dict[str, object]]]) -> None:
    with Collector() as collector:
        otlp = Otlp(collector.url, part="worker").begin()
        odd = span()
        odd.started = -1  # OTLP has no such moment
        otlp.take(odd)
        wait_for(lambda: otlp.dropped == 1, "the span to be given up")
        otlp.take(span("survey"))
        otlp.stop(5.0)
        assert [each.name for each in collector.spans] == ["survey"]
    assert [line["event"] for line in told()] == ["telemetry_unavailable", "telemetry_back"]
