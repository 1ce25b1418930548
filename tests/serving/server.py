"""A web server of ours on a free port in a thread of this process, and clients that speak to it byte by byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.web.serving.channel import Deadlines
from app.web.serving.lanes import Lanes, rooms
from app.web.serving.processes import listen
from app.web.serving.server import Server, body_limits

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

WEBHOOK_BYTES = 2000


@dataclass(frozen=True)
class Serving:
    port: int
    server: Server
    thread: threading.Thread

    def client(self, *, reads: int | None = None) -> socket.socket:
        """A new connection. `reads`: the bytes that its own system keeps for it."""
        client = socket.socket()
        if reads is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, reads)
        client.settimeout(10)
        client.connect(("127.0.0.1", self.port))
        return client

    def say(self, *parts: bytes) -> bytes:
        """Everything the server answers until it ends the connection."""
        with self.client() as client:
            for part in parts:
                client.sendall(part)
            return heard(client)


def heard(client: socket.socket) -> bytes:
    """What comes until the end of the connection. Raises TimeoutError when it does not end."""
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass  # ended, with something unread
    return b"".join(parts)


def get(path: str = "/", *, more: str = "Connection: close\r\n", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: awase.test\r\n{more}\r\n".encode()


@contextmanager
def serving(app: WSGIApplication, *, deadlines: Deadlines | None = None, connections: int = 500) -> Iterator[Serving]:
    listening = listen("127.0.0.1", 0)
    server = Server(
        app,
        listening,
        lanes=Lanes(rooms(8)),
        body_limit=body_limits(WEBHOOK_BYTES),
        deadlines=deadlines,
        connections=connections,
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Serving(listening.getsockname()[1], server, thread)
    finally:
        server.stop()
        thread.join(30)
        listening.close()
