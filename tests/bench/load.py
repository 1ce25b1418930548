"""A lean sender of webhooks: prebuilt requests over keep-alive connections, one thread, no HTTP library.

`python -m tests.bench.load --port 8000 --requests 4000 …` prints one JSON line:
`{"seconds", "per_second", "p50_ms", "p99_ms", "max_ms", "statuses": {status: n}}`. A process of its own: the servers
would share its interpreter lock otherwise.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

BODY_BYTES = 430


@dataclass
class Line:
    """One connection and the request that is on its way."""

    socket: socket.socket
    sent_at: float = 0.0
    received: bytes = b""


def requests_of(number: int, *, path: str, header: str, secret: str, mark: str) -> list[bytes]:
    """Each another delivery about another employee. `mark` tells this batch's people from another one's."""
    made = []
    for each in range(number):
        body: dict[str, Any] = {
            "event": "crew_updated",
            "triggered_at": f"2026-11-22T{each // 60 % 24:02d}:{each % 60:02d}:{each % 59:02d}.{each % 1000:03d}Z",
            "sender": None,
            "crew": {"id": f"{mark}-{each:08d}"},
        }
        body["crew"]["pad"] = "x" * (BODY_BYTES - len(json.dumps(body)) - len(', "pad": ""'))
        head = f"POST {path} HTTP/1.1\r\nHost: awase\r\nContent-Type: application/json\r\n{header}: {secret}\r\n"
        head += f"Content-Length: {BODY_BYTES}\r\n\r\n"
        made.append((head + json.dumps(body)).encode())
    return made


def send_all(port: int, requests: list[bytes], *, connections: int) -> dict[str, Any]:
    """Every connection sends its next request as soon as it has the answer to the one before."""
    waiting, taken, statuses = deque(requests), list[float](), Counter[str]()
    with selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        for _ in range(min(connections, len(requests))):
            line = Line(socket.create_connection(("127.0.0.1", port), timeout=60))
            line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(line.socket, selectors.EVENT_READ, line)
            _send(line, waiting.popleft())
        while selector.get_map():
            for key, _ in selector.select(timeout=60):
                line = key.data
                status = _read(line)
                if status is None:
                    continue
                taken.append(time.perf_counter() - line.sent_at)
                statuses[status] += 1
                if waiting:
                    _send(line, waiting.popleft())
                else:
                    selector.unregister(line.socket)
                    line.socket.close()
        seconds = time.perf_counter() - began
    taken.sort()
    return {
        "seconds": round(seconds, 3),
        "per_second": round(len(taken) / seconds, 1),
        "p50_ms": round(taken[len(taken) // 2] * 1000, 1),
        "p99_ms": round(taken[len(taken) * 99 // 100] * 1000, 1),
        "max_ms": round(taken[-1] * 1000, 1),
        "statuses": dict(statuses),
    }


def _send(line: Line, request: bytes) -> None:
    line.received, line.sent_at = b"", time.perf_counter()
    line.socket.sendall(request)


def _read(line: Line) -> str | None:
    """The status once the whole answer is there."""
    part = line.socket.recv(65536)
    if not part:
        raise ConnectionError("the server closed a connection in the middle")
    line.received += part
    head, end, body = line.received.partition(b"\r\n\r\n")
    if not end:
        return None
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return head[9:12].decode() if len(body) >= int(length or 0) else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/webhooks/smarthr/renshu")
    parser.add_argument("--header", default="X-SmartHR-Token")
    parser.add_argument("--secret", default="an-invented-webhook-secret")
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--mark", default="crew")
    asked = parser.parse_args()
    made = requests_of(asked.requests, path=asked.path, header=asked.header, secret=asked.secret, mark=asked.mark)
    print(json.dumps(send_all(asked.port, made, connections=asked.connections)))


if __name__ == "__main__":
    main()
