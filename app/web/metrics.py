"""/metrics for Prometheus: gauges read from the database and the broker at the moment of asking. No personal labels."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.domain.run_state import ItemState, RunState
from app.use_cases.access import Scope
from app.use_cases.monitor import queue_status
from app.use_cases.readiness import runs_by_state
from app.use_cases.views import QueueView
from app.web.auth import require
from app.web.current import current_context

metrics = Blueprint("metrics", __name__)

_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")


@metrics.get("/metrics")
def show_metrics() -> Response:
    """Without a key only from this machine; what comes through a proxy on this machine does not count as that."""
    if not _from_this_machine():
        require(Scope.OPS_READ)
    ctx = current_context()
    registry = CollectorRegistry()
    registry.register(_Gauges(queue_status(ctx), runs_by_state(ctx)))
    return Response(generate_latest(registry), mimetype="text/plain; version=0.0.4")


def _from_this_machine() -> bool:
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


class _Gauges(Collector):
    def __init__(self, view: QueueView, runs: dict[RunState, int]) -> None:
        self._view = view
        self._runs = runs

    def collect(self) -> Iterator[GaugeMetricFamily]:
        view = self._view
        yield _labelled("awase_runs", "Runs by state", "state", {str(s): self._runs.get(s, 0) for s in RunState})
        yield _labelled(
            "awase_open_items",
            "Items of open runs by state",
            "state",
            {str(s): view.items.get(s, 0) for s in ItemState},
        )
        yield _single("awase_outbox_waiting", "Outbox rows not yet handed to the broker", view.outbox_waiting)
        yield _single("awase_outbox_oldest_age_seconds", "Age of the oldest such row", view.outbox_oldest_age or 0.0)
        yield _single("awase_mails_waiting", "Mails not yet sent", view.mails_waiting)
        yield _single("awase_broker_up", "1 when the broker answers", float(view.broker_reachable))
        for name, text in (
            ("waiting", "Jobs waiting"),
            ("running", "Jobs running"),
            ("failed", "Jobs failed in the broker"),
            ("workers", "Workers"),
        ):
            values = {depth.queue: getattr(depth, name) for depth in view.queues}
            yield _labelled(f"awase_queue_{name}", text, "queue", values)
        for side in ("smarthr", "freee"):
            values = {c.key: getattr(c, f"{side}_closed_for") for c in view.connections}
            text = f"Seconds {side} stays closed for a connection (limits)"
            yield _labelled(f"awase_{side}_closed_seconds", text, "connection", values)


def _single(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, label: str, values: dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
