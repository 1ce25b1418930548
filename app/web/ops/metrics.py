"""/metrics for Prometheus: read from the database and the broker at the moment of asking. No personal labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Flask, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from app.use_cases.monitoring.readiness import Readiness
from app.use_cases.monitoring.snapshot import MetricsSnapshot, count_refusals, metrics_snapshot
from app.use_cases.shared.beats import beating
from app.web.current import current_context
from app.web.ops.metric_families import families
from app.web.ops.operators import readiness_watch, require_operator
from app.web.webhook_receiver import Intake, current_intake, intake_of

HAND_OVER_SECONDS = 60.0

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def show_metrics() -> Response:
    """The metrics, for whoever brings a key of operations. While the database is away they tell at least that."""
    require_operator()
    _hand_over_refusals(current_intake())
    registry = CollectorRegistry()
    registry.register(_Collected(metrics_snapshot(current_context()), readiness_watch().readiness()))
    return Response(generate_latest(registry), mimetype="text/plain; version=0.0.4")


@contextmanager
def handing_over(app: Flask) -> Iterator[None]:
    """Hand refusals over every minute and at the end, for a collector, which reads no /metrics."""
    intake = intake_of(app)
    try:
        with beating(lambda: _hand_over_refusals(intake), seconds=HAND_OVER_SECONDS):
            yield
    finally:
        _hand_over_refusals(intake)


def _hand_over_refusals(intake: Intake) -> bool:
    """Add what this process refused to the counters that all processes share. True, for `beating`: go on.

    This happens here and not at each refusal: a flood of wrong secrets must not become a flood of transactions.
    """
    refused = intake.take_refusals()
    if refused and not count_refusals(intake.ctx, refused):
        intake.give_back_refusals(refused)
    return True


class _Collected(Collector):
    def __init__(self, seen: MetricsSnapshot, ready: Readiness) -> None:
        self._seen, self._ready = seen, ready

    def collect(self) -> Iterator[Metric]:
        return families(self._seen, self._ready)
