"""Telling for the lifetime of one process: begun after the fork, ended by sending what is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from app.config import Settings
from app.telemetry import spans

if TYPE_CHECKING:
    from prometheus_client.core import Metric

FLUSH_SECONDS = 2.0
"""How long a process that ends waits for its collector. A worker's own jobs are over by then."""


class Teller(spans.Sink, Protocol):
    """What tells a collector, in a thread of its own."""

    def take_metrics(self, families: Sequence[Metric]) -> None:
        """Send these figures, or leave them out when much else is waiting."""

    def stop(self, seconds: float) -> None:
        """Send what is left, no longer than so many seconds."""


_telling: Teller | None = None


@contextmanager
def telling(settings: Settings, part: str) -> Iterator[None]:
    """Tell the collector of the settings about the work of this block; nothing happens when they name none. Call it in
    the process that does the work. `part`: what the process is, in the words of the Procfile."""
    global _telling
    if not settings.otel_exporter_otlp_endpoint:
        yield
        return
    _telling = _begun(settings, part)
    spans.lead_to(_telling)
    try:
        yield
    finally:
        flush()


def flush() -> None:
    """Send what is left and tell nothing more: also for a process that ends in disorder."""
    global _telling
    ending, _telling = _telling, None
    spans.lead_to(None)
    if ending is not None:
        ending.stop(FLUSH_SECONDS)


def tell_metrics(families: Sequence[Metric]) -> None:
    """Send the figures, where anybody is told."""
    if _telling is not None:
        _telling.take_metrics(families)


def _begun(settings: Settings, part: str) -> Teller:
    from app.telemetry.otlp import Otlp  # imported late: without a collector nothing of OpenTelemetry is loaded

    options: dict[str, Any] = {"headers": settings.otel_exporter_otlp_headers, "part": part}
    return Otlp(settings.otel_exporter_otlp_endpoint, **options).begin()
