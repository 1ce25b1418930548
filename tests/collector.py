"""A collector on this machine, as far as tests need one: it takes OTLP over HTTP and keeps what came, byte by byte."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """A span as it came. Ids as numbers, 0 for none; `links` as (trace, span)."""

    name: str
    trace: int
    id: int
    parent: int
    seconds: float
    failed: bool
    attributes: dict[str, Any]
    links: list[tuple[int, int]]
    resource: dict[str, Any]


@dataclass
class Collector:
    """`status`: what it answers. `held`: it answers nothing until this is set."""

    status: int = 200
    held: threading.Event | None = None
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    """(path, body) of the requests, also of those that it refused."""
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> Collector:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.bodies.append((self.path, body))
                collector.headers.append({key.lower(): value for key, value in self.headers.items()})
                if collector.held is not None:
                    collector.held.wait(30)
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.held is not None:
            self.held.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def spans(self) -> list[Seen]:
        return [span for path, body in self.bodies if path == "/v1/traces" for span in _spans(body)]

    @property
    def metrics(self) -> dict[str, Any]:
        """Name → the metric as it came last."""
        found: dict[str, Any] = {}
        for path, body in self.bodies:
            if path == "/v1/metrics":
                request = ExportMetricsServiceRequest.FromString(body)
                for resource in request.resource_metrics:
                    for scope in resource.scope_metrics:
                        found |= {metric.name: metric for metric in scope.metrics}
        return found

    def named(self, name: str) -> list[Seen]:
        return [span for span in self.spans if span.name == name]


def attributes(pairs: Any) -> dict[str, Any]:
    """OTLP's list of keys and values as a dictionary."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def _spans(body: bytes) -> Iterator[Seen]:
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = attributes(of_resource.resource.attributes)
        for scope in of_resource.scope_spans:
            for span in scope.spans:
                yield Seen(
                    name=span.name,
                    trace=int.from_bytes(span.trace_id),
                    id=int.from_bytes(span.span_id),
                    parent=int.from_bytes(span.parent_span_id),
                    seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                    failed=span.status.code == 2,
                    attributes=attributes(span.attributes),
                    links=[(int.from_bytes(link.trace_id), int.from_bytes(link.span_id)) for link in span.links],
                    resource=resource,
                )
