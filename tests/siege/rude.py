"""The siege's rude clients, a process of their own: half-sent heads, half-sent bodies, a byte every two seconds, deaf
ones that ask and never read. Whoever is cut off comes again, within bounds.

`python -m tests.siege.rude --port N --seconds S --heads 400 --bodies 400 --trickles 40 --deaf 40` prints, as JSON, how
many connections were opened and how many of them the server has ended.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import time
from collections import Counter
from dataclasses import dataclass

AGAIN = 4
"""How often one client comes again at most."""
TRICKLE_SECONDS = 2.0
_HEAD = b"GET / HTTP/1.1\r\nHost: siege\r\nX-Filler: "
_BODY = (
    b"POST /webhooks/freee HTTP/1.1\r\nHost: siege\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{"
)
_DEAF = b"GET /static/awase.css HTTP/1.1\r\nHost: siege\r\n\r\n" * 40
OPENING = {"heads": _HEAD, "bodies": _BODY, "trickles": _HEAD, "deaf": _DEAF}


@dataclass
class Rude:
    """One client and its present connection."""

    kind: str
    socket: socket.socket
    left: int = AGAIN
    next_byte: float = 0.0


class Crowd:
    """All rude clients in one thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self.opened: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    def play(self, wanted: dict[str, int], *, seconds: float) -> dict[str, dict[str, int]]:
        end = time.monotonic() + seconds
        for kind, number in wanted.items():
            for _ in range(number):
                self._open(kind, AGAIN)
        while time.monotonic() < end:
            for key, _ in self._selector.select(timeout=0.1):
                self._hear(key.data)
            self._drip(time.monotonic())
        return {"opened": dict(self.opened), "ended by the server": dict(self.ended)}

    def _open(self, kind: str, left: int) -> None:
        client = socket.socket()
        if kind == "deaf":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.settimeout(5)
        try:
            client.connect(("127.0.0.1", self._port))
            client.sendall(OPENING[kind])
        except OSError:
            client.close()
            return
        self.opened[kind] += 1
        rude = Rude(kind, client, left, time.monotonic() + TRICKLE_SECONDS)
        client.setblocking(False)
        if kind != "deaf":  # a deaf one does not even notice its end
            self._selector.register(client, selectors.EVENT_READ, rude)

    def _hear(self, rude: Rude) -> None:
        try:
            if rude.socket.recv(4096):
                return
        except BlockingIOError:
            return
        except OSError:
            pass  # reset: ended as well
        self._ended(rude)

    def _ended(self, rude: Rude) -> None:
        self.ended[rude.kind] += 1
        self._selector.unregister(rude.socket)
        rude.socket.close()
        if rude.left:
            self._open(rude.kind, rude.left - 1)

    def _drip(self, now: float) -> None:
        for key in list(self._selector.get_map().values()):
            rude: Rude = key.data
            if rude.kind == "trickles" and now >= rude.next_byte:
                rude.next_byte = now + TRICKLE_SECONDS
                try:
                    rude.socket.send(b"x")
                except BlockingIOError:
                    continue
                except OSError:
                    self._ended(rude)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    for kind in OPENING:
        parser.add_argument(f"--{kind}", type=int, default=0)
    given = parser.parse_args()
    wanted = {kind: getattr(given, kind) for kind in OPENING}
    print(json.dumps(Crowd(given.port).play(wanted, seconds=given.seconds)))


if __name__ == "__main__":
    main()
