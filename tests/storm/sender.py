"""The storm's sender, a process of its own: many connections, each delivery again and again until it is taken.

`python -m tests.storm.sender --port N --volley FILE --answers FILE`. A vendor repeats what was not answered with 2xx:
503 and cut connections come back to the end of the line; any other answer is kept. As lean as tests.bench.load.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.storm.deliveries import Hook, Volley

AGAIN_SECONDS = 0.5
MOST_TRIES = 120


@dataclass
class Shot:
    """One copy of one delivery on its way."""

    hook: int
    tries: int = 0
    due: float = 0.0


@dataclass
class Line:
    """One connection and what is on its way over it."""

    socket: socket.socket
    shot: Shot
    sent_at: float = 0.0
    received: bytes = b""


@dataclass
class Sender:
    """`answered`: (hook, status, id of the row) of every copy, in the order of their last answers; status 0 = given up
    after so many cuts or 503."""

    port: int
    requests: Sequence[bytes] = field(repr=False)
    waiting: deque[Shot] = field(default_factory=deque, repr=False)
    taken: list[float] = field(default_factory=list, repr=False)
    statuses: Counter[str] = field(default_factory=Counter)
    answered: list[tuple[int, int, int]] = field(default_factory=list, repr=False)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector, repr=False)

    def send_all(self, *, connections: int) -> dict[str, Any]:
        """Every connection sends its next request as soon as it has the answer to the one before."""
        began = time.perf_counter()
        for _ in range(min(connections, len(self.waiting))):
            self._open(self.waiting.popleft())
        while self._selector.get_map() or self.waiting:
            self._refill(connections)
            for key, _ in self._selector.select(timeout=0.1):
                self._receive(key.data)
        self._selector.close()
        return self._told(time.perf_counter() - began)

    def _refill(self, connections: int) -> None:
        """Connections that ended while everything left was not due yet."""
        while len(self._selector.get_map()) < connections and (shot := self._next()) is not None:
            self._open(shot)

    def _next(self) -> Shot | None:
        if self.waiting and self.waiting[0].due <= time.perf_counter():
            return self.waiting.popleft()
        return None

    def _open(self, shot: Shot) -> None:
        try:
            made = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        except OSError:
            self._again(shot, "cut")
            return
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = Line(made, shot)
        self._selector.register(made, selectors.EVENT_READ, line)
        self._send(line, shot)

    def _send(self, line: Line, shot: Shot) -> None:
        line.shot, line.received, line.sent_at = shot, b"", time.perf_counter()
        try:
            line.socket.sendall(self.requests[shot.hook])
        except OSError:
            self._lost(line)

    def _receive(self, line: Line) -> None:
        try:
            part = line.socket.recv(65536)
        except OSError:
            part = b""
        if not part:
            self._lost(line)
            return
        line.received += part
        head, end, body = line.received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if end and len(body) >= length:
            self._answered(line, int(head[9:12]), body)

    def _answered(self, line: Line, status: int, body: bytes) -> None:
        self.taken.append(time.perf_counter() - line.sent_at)
        if status == 503:
            self._again(line.shot, "503")
        else:
            self.statuses[str(status)] += 1
            self.answered.append((line.shot.hook, status, _row(status, body)))
        if b"connection: close" in line.received.lower() or (shot := self._next()) is None:
            self._close(line)
        else:
            self._send(line, shot)

    def _lost(self, line: Line) -> None:
        self._close(line)
        self._again(line.shot, "cut")

    def _again(self, shot: Shot, why: str) -> None:
        self.statuses[why] += 1
        shot.tries += 1
        if shot.tries >= MOST_TRIES:
            self.answered.append((shot.hook, 0, 0))
            return
        shot.due = time.perf_counter() + AGAIN_SECONDS
        self.waiting.append(shot)

    def _close(self, line: Line) -> None:
        self._selector.unregister(line.socket)
        line.socket.close()

    def _told(self, seconds: float) -> dict[str, Any]:
        taken = sorted(self.taken) or [0.0]
        return {
            "seconds": round(seconds, 2),
            "per_second": round(len(self.taken) / seconds, 1),
            "p50_ms": round(taken[len(taken) // 2] * 1000, 1),
            "p99_ms": round(taken[len(taken) * 99 // 100] * 1000, 1),
            "max_ms": round(taken[-1] * 1000, 1),
            "statuses": dict(self.statuses),
            "answered": self.answered,
        }


def _row(status: int, body: bytes) -> int:
    return int(json.loads(body)["id"]) if status == 202 else 0


def packed(hook: Hook) -> bytes:
    body = hook.body.encode()
    head = f"POST {hook.path} HTTP/1.1\r\nHost: awase\r\nContent-Type: application/json\r\n"
    head += f"{hook.header}: {hook.secret}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def written(volley: Volley, file: Path) -> Path:
    """For the process: the order, then one delivery a line."""
    lines = [json.dumps(list(volley.order))]
    lines += [packed(hook).hex() for hook in volley.hooks]
    file.write_text("\n".join(lines), encoding="ascii")
    return file


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--volley", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--connections", type=int, default=32)
    asked = parser.parse_args()
    order, *requests = asked.volley.read_text(encoding="ascii").splitlines()
    shots = deque(Shot(index) for index in json.loads(order))
    told = Sender(asked.port, [bytes.fromhex(each) for each in requests], shots).send_all(connections=asked.connections)
    asked.answers.write_text(json.dumps(told), encoding="ascii")


if __name__ == "__main__":
    main()
