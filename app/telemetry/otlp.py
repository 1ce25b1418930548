"""Otlp: sends spans and metrics to a collector by OTLP over HTTP, from a thread of its own.

Work never waits for the collector: a span is put into a queue with a limit, and when that is full it is dropped and
counted. What a collector does not take is dropped and counted as well, because work goes on and more comes. One log
line tells when the collector begins to be away, and one when it answers again.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import structlog
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExportResult
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.re import parse_env_headers
from prometheus_client.core import Metric

from app import __version__
from app.telemetry.places import Place
from app.telemetry.points import metrics_data, total
from app.telemetry.spans import Span

log = structlog.get_logger(__name__)

MOST_WAITING = 4096
"""Spans in the queue, about 4 MB. With the vendors' limits a process makes a few dozen a second."""
BATCH = 512
PAUSE_SECONDS = 1.0
"""How long spans are gathered for one request."""
REQUEST_SECONDS = 5.0
"""How long the collector may take for one request, repetitions included."""
DROPPED = "awase_telemetry_dropped_total"
_SCOPE = InstrumentationScope("awase", __version__)
_KINDS = {"vendor call": SpanKind.CLIENT, "webhook": SpanKind.SERVER}
_T = TypeVar("_T")
_Piece = Span | tuple[Metric, ...] | None
"""What waits to be sent. None: nothing more comes."""


class Otlp:
    """For one process, after its fork. `begin` starts the thread."""

    def __init__(
        self,
        endpoint: str,
        *,
        headers: str = "",
        part: str,
        most_waiting: int = MOST_WAITING,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        """`endpoint`: the collector's address without `/v1/…`. `headers`: `name=value`, by comma, as OpenTelemetry has
        it. `part`: what the process is, in the words of the Procfile."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # its lines quote what a collector answered
        sent = parse_env_headers(headers, liberal=True)
        self._spans = OTLPSpanExporter(f"{endpoint}/v1/traces", headers=sent, timeout=request_seconds)
        self._metrics = OTLPMetricExporter(f"{endpoint}/v1/metrics", headers=sent, timeout=request_seconds)
        self._resource = _resource(part)
        self._waiting: queue.Queue[_Piece] = queue.Queue(most_waiting)
        self._thread = threading.Thread(target=self._send_on, name="telemetry", daemon=True)
        self._cut_off = threading.Event()
        self._counting = threading.Lock()
        self._dropped = self._told_dropped = 0
        self._away_since: float | None = None

    @property
    def dropped(self) -> int:
        """Spans that nobody has got, since the beginning."""
        return self._dropped

    def begin(self) -> Otlp:
        self._thread.start()
        return self

    def take(self, span: Span) -> None:
        """Send the span soon, or drop and count it when too much is waiting. Never waits."""
        try:
            self._waiting.put_nowait(span)
        except queue.Full:
            self._drop(1)

    def take_metrics(self, families: Sequence[Metric]) -> None:
        """Send these figures soon; not when too much is waiting, as the next ones tell the same and more."""
        try:
            self._waiting.put_nowait(tuple(families))
        except queue.Full:
            return

    def stop(self, seconds: float) -> None:
        """Send what is left, no longer than so many seconds. What is not sent by then is counted and told."""
        end = time.monotonic() + seconds
        with suppress(queue.Full):  # the collector is away: told below
            self._waiting.put(None, timeout=seconds)
        self._thread.join(max(end - time.monotonic(), 0.0))
        self._cut_off.set()
        for exporter in (self._spans, self._metrics):
            exporter.shutdown()
        if self._thread.is_alive():
            log.warning("telemetry_cut_off", waiting=self._waiting.qsize(), dropped=self._dropped)

    # ── in the thread ─────────────────────────────────────────────────────────────────────────────────────────────

    def _send_on(self) -> None:
        ended = False
        while not ended and not self._cut_off.is_set():
            spans, figures, ended = self._gathered()
            if spans and not self._sent(self._export_spans, spans):
                self._drop(len(spans))
            if self._dropped != self._told_dropped:
                figures.append(total(DROPPED, "Spans that the collector did not get", self._dropped))
            if figures and self._sent(self._export_metrics, figures):
                self._told_dropped = self._dropped

    def _gathered(self) -> tuple[list[Span], list[Metric], bool]:
        """What has come together: spans, figures, and whether nothing more comes."""
        spans: list[Span] = []
        figures: list[Metric] = []
        piece: _Piece = self._waiting.get()
        end = time.monotonic() + PAUSE_SECONDS
        while piece is not None:
            if isinstance(piece, Span):
                spans.append(piece)
            else:
                figures = list(piece)  # only the newest
            left = end - time.monotonic()
            if len(spans) >= BATCH or left <= 0:
                return spans, figures, False
            try:
                piece = self._waiting.get(timeout=left)
            except queue.Empty:
                return spans, figures, False
        return spans, figures, True

    def _sent(self, export: Callable[[Sequence[_T]], bool], pieces: Sequence[_T]) -> bool:
        kind = "refused"
        try:
            sent = export(pieces)
        except Exception as error:  # noqa: BLE001 - told below; a collector that is odd must not end the thread
            sent, kind = False, type(error).__name__
        self._note(sent, kind)
        return sent

    def _export_spans(self, spans: Sequence[Span]) -> bool:
        return self._spans.export([self._readable(span) for span in spans]) is SpanExportResult.SUCCESS

    def _export_metrics(self, families: Sequence[Metric]) -> bool:
        data = metrics_data(families, resource=self._resource, scope=_SCOPE)
        return self._metrics.export(data) is MetricExportResult.SUCCESS

    def _readable(self, span: Span) -> ReadableSpan:
        return ReadableSpan(
            span.name,
            context=_context(span.place),
            parent=_context(span.parent) if span.parent else None,
            resource=self._resource,
            attributes=span.attributes,
            links=[Link(_context(place)) for place in span.links],
            kind=_KINDS.get(span.name, SpanKind.INTERNAL),
            status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
            start_time=span.started,
            end_time=span.ended,
            instrumentation_scope=_SCOPE,
        )

    def _drop(self, number: int) -> None:
        with self._counting:
            self._dropped += number

    def _note(self, sent: bool, kind: str) -> None:
        """Tell when the collector begins to be away, and when it answers again."""
        if not sent and self._away_since is None:
            self._away_since = time.monotonic()
            log.warning("telemetry_unavailable", kind=kind)
        elif sent and self._away_since is not None:
            lasted, self._away_since = round(time.monotonic() - self._away_since, 1), None
            log.info("telemetry_back", seconds=lasted, dropped=self._dropped)


def _context(place: Place) -> SpanContext:
    return SpanContext(place.trace_id, place.span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _resource(part: str) -> Resource:
    """What the process is. What operators say in OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME wins."""
    own: dict[str, str | int] = {
        "service.name": "awase",
        "service.version": __version__,
        "service.instance.id": str(uuid.uuid4()),
        "host.name": socket.gethostname(),
        "process.pid": os.getpid(),
        "awase.process": part,
    }
    return Resource.create(own).merge(OTELResourceDetector().detect())
