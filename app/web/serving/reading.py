"""What is read as a request: only what everybody in front of us reads the same way, and no more than an address takes.

waitress takes a request whose length is told twice, a head in folded lines, or none of `Host`. A proxy may understand
these otherwise than we do, and then two requests become one or one becomes two: they are answered with 400 here. A body
larger than its address takes is not read: the application answers 413 by the length alone, and the connection ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError

BodyLimit = Callable[[str], int]
"""Path → how many bytes a body may have there."""

_LENGTHS = re.compile(rb"(?im)^content-length[ \t]*:")
_ENCODINGS = re.compile(rb"(?im)^transfer-encoding[ \t]*:[ \t]*([^\r\n]*)")
_HOSTS = re.compile(rb"(?im)^host[ \t]*:")
_HOST = re.compile(r"[A-Za-z0-9._~:\[\]%-]+")
_FOLDED = (b"\r\n ", b"\r\n\t")
_CHUNKS_COST = 4
"""A chunked body may take so many times its limit on the wire: the sizes of its chunks are sent besides."""


class Request(HTTPRequestParser):  # type: ignore[misc]
    """One request as it comes in."""

    unread = False
    """True: the body is larger than this address takes, and what is left of it is not read."""
    path = ""
    limit = 0
    version = "1.1"
    """In which an answer is made to what has none."""
    body_rcv: Any

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self.chunked and self.body_rcv is not None and self.error is None:
            self._measure_chunks()
        if self.completed:
            # waitress would send "100 Continue" and wait for a body, also where none is wanted or none comes
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Raises ParsingError for what is ambiguous: it becomes the answer 400."""
        _refuse_ambiguous(header_plus)
        try:
            super().parse_header(header_plus)
        except ValueError:  # an address that is none
            raise ParsingError("Bad URI") from None
        if self.error is None and self.header_bytes_received < self.adj.max_request_header_size:
            self._check_target()
            self._check_size()

    def _check_target(self) -> None:
        if self.version not in ("1.0", "1.1"):
            raise ParsingError("HTTP version not supported")
        if self.proxy_netloc or self.proxy_scheme:
            if self.proxy_scheme not in ("http", "https"):
                raise ParsingError("Bad URI")
            self.headers["HOST"] = self.proxy_netloc  # a whole address in the first line overrules Host
            self.path = self.path or "/"
        if not self.path.startswith("/") and self.path != "*":
            raise ParsingError("Bad URI")
        host = self.headers.get("HOST", "")
        if (host or self.version == "1.1") and not _HOST.fullmatch(host):
            raise ParsingError("Host is missing or invalid")

    def _check_size(self) -> None:
        self.limit = self.adj.body_limit(self.path)
        if self.content_length > self.limit:
            self._leave_unread(self.content_length)

    def _measure_chunks(self) -> None:
        if len(self.body_rcv) > self.limit or self.body_bytes_received > _CHUNKS_COST * (self.limit + 1024):
            self.close()
            self._leave_unread(self.limit + 1)
            self.completed = True

    def _leave_unread(self, length: int) -> None:
        """Hand the request on without a body; the application sees from the length that it was too large."""
        self.headers["CONTENT_LENGTH"] = str(length)
        self.body_rcv, self.unread = None, True


def _refuse_ambiguous(head: bytes) -> None:
    encodings = _ENCODINGS.findall(head)
    first_line = head.partition(b"\r\n")[0]
    if encodings and (encodings[0].strip(b" \t").lower() != b"chunked" or not first_line.endswith(b"HTTP/1.1")):
        raise ParsingError("Transfer-Encoding is not supported")
    if len(encodings) > 1 or len(_HOSTS.findall(head)) > 1:
        raise ParsingError("A field is sent twice")
    if len(_LENGTHS.findall(head)) + len(encodings) > 1:
        raise ParsingError("The length is told twice")
    if any(fold in head for fold in _FOLDED):
        raise ParsingError("Folded lines are not supported")
