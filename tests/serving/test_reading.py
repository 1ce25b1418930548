"""What is read as a request: the same however it is cut into pieces, and nothing that others may read otherwise."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.serving.reading import Request
from app.web.serving.server import HEAD_BYTES, body_limits

HOST = "Host: awase.test\r\n"
WEBHOOK_BYTES = 50
ADJUSTMENTS = SimpleNamespace(
    max_request_header_size=HEAD_BYTES,
    max_request_body_size=2**62,
    inbuf_overflow=10_000,
    url_scheme="http",
    body_limit=body_limits(WEBHOOK_BYTES),
)


def read(*parts: bytes) -> tuple[list[Request], bytes]:
    """The requests in this stream, and what is left of the last part after the first bad one."""
    found, request = [], Request(ADJUSTMENTS)
    for part in parts:
        rest = part
        while rest:
            rest = rest[request.received(rest) :]
            if request.completed:
                if not request.empty:
                    found.append(request)
                if request.error or request.unread:
                    return found, rest
                request = Request(ADJUSTMENTS)
    return found, b""


def told(request: Request) -> tuple[Any, ...]:
    return (
        request.command,
        request.path,
        request.query,
        sorted(request.headers.items()),
        request.get_body_stream().read(),
    )


bodies = st.binary(max_size=WEBHOOK_BYTES)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Some requests one after the other: without a body, with a length, in chunks."""
    parts = []
    for number in range(draw(st.integers(1, 4))):
        body = draw(bodies)
        match draw(st.sampled_from(["none", "length", "chunks"])):
            case "none":
                parts.append(f"GET /{number}?q HTTP/1.1\r\n{HOST}\r\n".encode())
            case "length":
                head = f"POST /webhooks/{number} HTTP/1.1\r\n{HOST}Content-Length: {len(body)}\r\n\r\n"
                parts.append(head.encode() + body)
            case "chunks":
                head = f"POST /webhooks/{number} HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n"
                size = draw(st.integers(1, 20))
                chunks = [body[at : at + size] for at in range(0, len(body), size)]
                sent = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks)
                parts.append(head.encode() + sent + b"0\r\n\r\n")
    return b"".join(parts)


@given(streams(), st.lists(st.integers(0, 900), max_size=12))
def test_a_stream_says_the_same_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    whole, _ = read(stream)
    places = [0, *sorted(cuts), len(stream)]
    pieces, _ = read(*(stream[start:end] for start, end in pairwise(places)))
    assert [told(each) for each in pieces] == [told(each) for each in whole]
    assert not any(each.error or each.unread for each in whole)


AMBIGUOUS = {
    "a length and chunks": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks and a length": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\ncontent-length: 3\r\n\r\n",
    "two lengths": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
    "one length twice": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
    "a list of lengths": f"POST / HTTP/1.1\r\n{HOST}Content-Length: 3, 3\r\n\r\n",
    "no number": f"POST / HTTP/1.1\r\n{HOST}Content-Length: +3\r\n\r\n",
    "chunked twice": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked, chunked\r\n\r\n",
    "two encodings": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    "an encoding we do not know": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: xchunked\r\n\r\n",
    "no encoding": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding:\r\n\r\n",
    "a blank before the colon": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding : chunked\r\n\r\n",
    "a folded line": f"POST / HTTP/1.1\r\n{HOST}X-A: b\r\n c\r\n\r\n",
    "a folded encoding": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding:\r\n chunked\r\n\r\n",
    "chunks in 1.0": f"POST / HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n",
    "a bare CR": f"GET / HTTP/1.1\r\n{HOST}X-A: b\rContent-Length: 3\r\n\r\n",
    "a bare LF": f"GET / HTTP/1.1\r\n{HOST}X-A: b\nContent-Length: 3\r\n\r\n",
    "no host": "GET / HTTP/1.1\r\n\r\n",
    "two hosts": f"GET / HTTP/1.1\r\n{HOST}{HOST}\r\n",
    "no name of a host": "GET / HTTP/1.1\r\nHost: a b@c/d\r\n\r\n",
    "a version we do not know": f"GET / HTTP/2.0\r\n{HOST}\r\n",
    "no version": "GET /\r\n\r\n",
    "a tunnel": f"CONNECT awase.test:443 HTTP/1.1\r\n{HOST}\r\n",
    "another scheme": f"GET ftp://awase.test/ HTTP/1.1\r\n{HOST}\r\n",
    "a host with a user": f"GET http://a@awase.test/ HTTP/1.1\r\n{HOST}\r\n",
    "half an address": f"GET http://[::1 HTTP/1.1\r\n{HOST}\r\n",
    "no chunk": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a chunk without an end": f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
}


@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_no_request(sent: str) -> None:
    (request,), _ = read(sent.encode() + get_next())
    assert request.error is not None and request.error.code in (400, 501)


def get_next() -> bytes:
    return f"GET /smuggled HTTP/1.1\r\n{HOST}\r\n".encode()


def test_a_head_has_a_greatest_size() -> None:
    (request,), _ = read(b"GET / HTTP/1.1\r\nX-A: " + b"a" * HEAD_BYTES)
    assert request.error.code == 431


def test_an_absolute_address_names_the_host() -> None:
    (request,), _ = read(f"GET http://other.test:81/a?b HTTP/1.1\r\n{HOST}\r\n".encode())
    assert (request.headers["HOST"], request.path, request.query) == ("other.test:81", "/a", "b")


@given(st.integers(0, 400))
def test_a_body_is_read_up_to_what_its_address_takes(length: int) -> None:
    body = b"b" * length
    sent = f"POST /webhooks/x HTTP/1.1\r\n{HOST}Content-Length: {length}\r\n\r\n".encode()
    (request,), rest = read(sent + body)
    too_large = length > WEBHOOK_BYTES
    assert request.unread is too_large and request.error is None
    assert rest == (body if too_large else b""), "nothing of it is read"
    assert request.headers["CONTENT_LENGTH"] == str(length)
    chunked = f"POST /webhooks/x HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n".encode()
    (request,), _ = read(chunked + b"%x\r\n%b\r\n" % (length, body) * bool(length) + b"0\r\n\r\n")
    assert request.unread is too_large
    assert (int(request.headers["CONTENT_LENGTH"]) > WEBHOOK_BYTES) is too_large


def test_the_sizes_of_chunks_have_a_bound_as_well() -> None:
    sent = f"POST /webhooks/x HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n".encode()
    (request,), _ = read(sent + b"1;" + b"e=" + b"x" * 10_000 + b"\r\n")
    assert request.unread


@pytest.mark.parametrize("more", ["", "Content-Length: 999999\r\n"])
def test_nobody_is_asked_for_a_body_that_is_not_wanted_or_does_not_come(more: str) -> None:
    sent = f"POST /webhooks/x HTTP/1.1\r\n{HOST}Expect: 100-continue\r\n{more}\r\n"
    (request,), _ = read(sent.encode())
    assert not request.expect_continue
