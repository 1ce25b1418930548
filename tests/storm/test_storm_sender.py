"""The sender repeats what a vendor would repeat, and knows which row every delivery got."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.storm.deliveries import Hook, Volley
from tests.storm.sender import Sender, Shot, packed, written

HOOKS = [Hook("/webhooks/freee", "x-freee-token", "s", json.dumps({"n": n, "名": "金"})) for n in range(4)]
ORDER = [3, 0, 1, 2, 0, 3, 3]


class Receiver(BaseHTTPRequestHandler):
    """Keeps connections open; every third request is not taken, every fifth cut, number 2 refused for good."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[Counter[int]] = Counter()
    total: ClassVar[list[int]] = []
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.lock:
            self.total.append(body["n"])
            count = len(self.total)
        assert self.headers["x-freee-token"] == "s"
        if count % 5 == 0:
            self.close_connection = True
        elif count % 3 == 0:
            self._answer(503, {})
        elif body["n"] == 2:
            self._answer(401, {})
        else:
            self._answer(202, {"id": 100 + body["n"]})

    def _answer(self, status: int, told: dict[str, int]) -> None:
        text = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def port() -> Iterator[int]:
    Receiver.total.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_every_copy_is_sent_until_it_is_answered_for_good(port: int) -> None:
    sender = Sender(port, [packed(hook) for hook in HOOKS], deque(Shot(index) for index in ORDER))
    told = sender.send_all(connections=2)
    assert sorted(told["answered"]) == [(0, 202, 100)] * 2 + [(1, 202, 101), (2, 401, 0)] + [(3, 202, 103)] * 3
    assert told["statuses"]["202"] == 6
    assert told["statuses"]["401"] == 1
    again = told["statuses"]["503"] + told["statuses"]["cut"]
    assert len(Receiver.total) == len(ORDER) + again
    assert told["statuses"]["503"] >= 1 and told["statuses"]["cut"] >= 1
    assert 0 < told["p50_ms"] <= told["p99_ms"] <= told["max_ms"]


def test_the_process_gets_the_same_requests(tmp_path: Path) -> None:
    order, *requests = written(Volley(HOOKS, ORDER), tmp_path / "volley").read_text(encoding="ascii").splitlines()
    assert json.loads(order) == ORDER
    head, _, body = bytes.fromhex(requests[1]).partition(b"\r\n\r\n")
    assert json.loads(body) == {"n": 1, "名": "金"}
    assert f"Content-Length: {len(body)}".encode() in head
