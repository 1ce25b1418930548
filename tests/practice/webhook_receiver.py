"""A receiver of webhooks at the wire: keeps what came, answers as told."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Receiver:
    """`statuses` are given out one after the other, then 204 for ever. While `gate` is not set, nobody is answered."""

    def __init__(self, *statuses: int) -> None:
        self.received: list[Received] = []
        self.statuses = list(statuses)
        self.gate = threading.Event()
        self.gate.set()
        self.connections = 0
        self.lock = threading.Lock()
        self.came = threading.Condition(self.lock)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        with self.lock:
            return [each.body for each in self.received]

    @property
    def events(self) -> list[str]:
        return [each["event"] for each in self.bodies]

    def wait_for(self, count: int, seconds: float = 10) -> bool:
        with self.came:
            return self.came.wait_for(lambda: len(self.received) >= count, timeout=seconds)

    def stop(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                with receiver.lock:
                    receiver.connections += 1

            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with receiver.came:
                    received = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(raw))
                    receiver.received.append(received)
                    status = receiver.statuses.pop(0) if receiver.statuses else 204
                    receiver.came.notify_all()
                receiver.gate.wait(20)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """The test looks at what was received."""

        return Handler
