"""/metrics for Prometheus: read from the database and the broker at the moment of asking. No personal labels."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from app.use_cases.monitoring.readiness import Readiness
from app.use_cases.monitoring.snapshot import MetricsSnapshot, count_refusals, metrics_snapshot
from app.web.current import current_context
from app.web.ops.metric_families import families
from app.web.ops.operators import readiness_watch, require_operator
from app.web.webhook_receiver import current_intake

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def show_metrics() -> Response:
    """The metrics, for whoever brings a key of operations. While the database is away they tell at least that."""
    require_operator()
    _hand_over_refusals()
    registry = CollectorRegistry()
    registry.register(_Collected(metrics_snapshot(current_context()), readiness_watch().readiness()))
    return Response(generate_latest(registry), mimetype="text/plain; version=0.0.4")


def _hand_over_refusals() -> None:
    """Add what this process refused to the counters that all processes share.

    This happens here and not at each refusal: a flood of wrong secrets must not become a flood of transactions.
    """
    intake = current_intake()
    refused = intake.take_refusals()
    if refused and not count_refusals(intake.ctx, refused):
        intake.give_back_refusals(refused)


class _Collected(Collector):
    def __init__(self, seen: MetricsSnapshot, ready: Readiness) -> None:
        self._seen, self._ready = seen, ready

    def collect(self) -> Iterator[Metric]:
        return families(self._seen, self._ready)
