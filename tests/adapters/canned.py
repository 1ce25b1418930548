"""A vendor made of canned answers: a real TCP server that sends exactly the bytes a test wants, also broken ones."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.domain.ports import Silence

Reply = Callable[[socket.socket], None]


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its key in one file, signed by nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vendor.test")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "vendor.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@dataclass
class Seen:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


class CannedServer:
    """Answers each request with the next reply; the last one stays. One connection per request."""

    def __init__(self, *, certificate: Path | None = None) -> None:
        self.seen: list[Seen] = []
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self._tls and certificate:
            self._tls.load_cert_chain(certificate)
        self._replies: deque[Reply] = deque()
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}"

    def will(self, *replies: Reply) -> None:
        self._replies.extend(replies)

    def forget(self) -> None:
        """The reply at hand, which would stay the last one, is over: the next ones count."""
        self._replies.popleft()

    def close(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            request = _read_request(connection)
            if request is None:
                return
            self.seen.append(request)
            reply = self._replies.popleft() if len(self._replies) > 1 else self._replies[0]
            reply(connection)


def _read_request(connection: socket.socket) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        if not received:
            return None
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    return Seen(method, target, headers, body)


def head(status: int, length: int | None, headers: dict[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def raw(
    content: bytes, *, status: int = 200, length: int | None = None, headers: dict[str, str] | None = None
) -> Reply:
    """These bytes; `length` lies about their number."""
    whole = head(status, len(content) if length is None else length, headers) + content
    return lambda connection: connection.sendall(whole)


def answer(payload: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    content = json.dumps(payload, ensure_ascii=False).encode()
    return raw(content, status=status, headers={"Content-Type": "application/json;charset=utf-8"} | (headers or {}))


def reset() -> Reply:
    """The connection is reset without an answer."""

    def reply(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        connection.close()

    return reply


def silence(seconds: float) -> Reply:
    return lambda connection: time.sleep(seconds)


def drip(content: bytes, *, every: float) -> Reply:
    """One byte at a time: never slow enough for a timeout between two bytes."""

    def reply(connection: socket.socket) -> None:
        connection.sendall(head(200, len(content)))
        for byte in content:
            connection.sendall(bytes([byte]))
            time.sleep(every)

    return reply


class OpenLimiter:
    """A limiter that never makes anybody wait, and remembers who was told to."""

    def __init__(self, *waits: float) -> None:
        self.closed: list[tuple[str, float]] = []
        self.reserved: list[str] = []
        self._waits = deque(waits)
        self.ends: list[bool | None] = []
        self.silent = 0.0

    def reserve(self, key: str) -> float:
        self.reserved.append(key)
        return self._waits.popleft() if self._waits else 0.0

    def close(self, key: str, seconds: float) -> None:
        self.closed.append((key, seconds))

    def closed_for(self, key: str) -> float:
        return self.closed[-1][1] if self.closed else 0.0

    def sent(self, key: str) -> object:
        return key

    def ended(self, key: str, request: object, *, answered: bool | None) -> None:
        self.ends.append(answered)

    def silent_for(self, key: str) -> float:
        return self.silent

    def silences(self) -> list[Silence]:
        return []

    def pace(self, key: str) -> float:
        return 1.0
