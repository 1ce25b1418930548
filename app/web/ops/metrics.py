"""/metrics for Prometheus: read from the database and the broker at the moment of asking. No personal labels."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from app.use_cases.accounts.api_keys import Scope
from app.use_cases.monitoring.snapshot import MetricsSnapshot, count_refusals, metrics_snapshot
from app.web.current import current_context
from app.web.http.bearer_auth import require
from app.web.ops.metric_families import families
from app.web.webhook_receiver import current_intake

metrics = Blueprint("metrics", __name__)

_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")


@metrics.get("/metrics")
def show_metrics() -> Response:
    """The metrics; only a caller on this machine needs no key.

    A request that comes through a proxy on this machine does not count as a caller on this machine.
    """
    if not _from_this_machine():
        require(Scope.OPS_READ)
    _hand_over_refusals()
    registry = CollectorRegistry()
    registry.register(_Collected(metrics_snapshot(current_context())))
    return Response(generate_latest(registry), mimetype="text/plain; version=0.0.4")


def _from_this_machine() -> bool:
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _hand_over_refusals() -> None:
    """Add what this process refused to the counters that all processes share.

    This happens here and not at each refusal: a flood of wrong secrets must not become a flood of transactions.
    """
    intake = current_intake()
    refused = intake.take_refusals()
    if refused and not count_refusals(intake.ctx, refused):
        intake.give_back_refusals(refused)


class _Collected(Collector):
    def __init__(self, seen: MetricsSnapshot) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        return families(self._seen)
