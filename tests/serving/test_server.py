"""The server over real sockets: what it answers, whom it cuts off, and that nobody rude stops anybody else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, request
from structlog.testing import capture_logs

from app.web.serving.channel import Deadlines
from app.web.serving.lanes import Kind, kind_of, rooms
from app.web.serving.server import CLOSED_AT_ONCE
from tests.chaos.parts import wait_for
from tests.serving.server import WEBHOOK_BYTES, Serving, get, heard, serving

SOON = Deadlines(head=0.3, request=0.6, silence=0.3, idle=0.3, answer=0.3, linger=0.3)
PATIENT = Deadlines(head=30, request=30, silence=30, idle=30, answer=30)
LARGE = b"x" * 8_000_000


def plain() -> Flask:
    """An application that says what it was given."""
    app = Flask("plain")

    @app.route("/", defaults={"path": ""}, methods=["GET", "POST"])
    @app.route("/<path:path>", methods=["GET", "POST"])
    def answer(path: str) -> Response:
        if path == "large":
            return Response(LARGE)
        if path == "broken":
            raise RuntimeError("a secret")
        names = ("SERVER_SOFTWARE", "REMOTE_ADDR", "HTTP_HOST", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")
        told = {name: request.environ.get(name) for name in names}
        return Response(json.dumps({**told, "path": path, "body": request.get_data().decode()}))

    return app


@pytest.fixture(scope="module")
def usual() -> Iterator[Serving]:
    with serving(plain()) as served:
        yield served


def is_served(served: Serving, path: str = "/health/live") -> bool:
    return served.say(get(path)).startswith(b"HTTP/1.1 200")


# ── what is answered ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_requests_one_after_the_other_and_all_at_once(usual: Serving) -> None:
    said = usual.say(get("/a", more="") + get("/b", more=""), get("/c"))
    assert [said.index(b'"path": "%b"' % name) for name in (b"a", b"b", b"c")] == sorted(
        said.index(b'"path": "%b"' % name) for name in (b"a", b"b", b"c")
    )
    assert said.count(b"HTTP/1.1 200") == 3


def test_no_server_is_named_and_forwarded_headers_reach_the_application(usual: Serving) -> None:
    head, _, body = usual.say(
        get("/", more="X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n")
    ).partition(b"\r\n\r\n")
    assert b"waitress" not in head and b"\r\nServer:" not in head
    told = json.loads(body)
    assert (told["HTTP_X_FORWARDED_FOR"], told["HTTP_X_FORWARDED_PROTO"]) == ("192.0.2.1", "https")
    assert (told["REMOTE_ADDR"], told["SERVER_SOFTWARE"]) == ("127.0.0.1", "awase")


def test_a_head_request_has_no_body(usual: Serving) -> None:
    head, _, body = usual.say(get("/", method="HEAD")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"Content-Length: " in head and body == b""


def test_a_body_is_sent_after_it_was_asked_for(usual: Serving) -> None:
    with usual.client() as client:
        client.sendall(
            get("/", method="POST", more="Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n")
        )
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hi")
        assert b'"body": "hi"' in heard(client)


def test_what_is_no_request_gets_a_problem_document_and_the_end(usual: Serving) -> None:
    said = usual.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + get())
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400") and b"Connection: close" in head
    assert json.loads(body)["code"] == "bad_request", "and nothing of the second request"


def test_too_large_a_body_is_answered_without_being_read(usual: Serving) -> None:
    """The answer comes before the body, and arrives although the client goes on sending."""
    head = get("/webhooks/x", method="POST", more="Content-Length: 300000\r\n")
    with serving(plain_limits()) as served, served.client() as client:
        client.sendall(head)
        said = client.recv(1000)
        assert said.startswith(b"HTTP/1.1 413") and b"Connection: close" in said
        with served.client() as hasty:
            hasty.sendall(head + b"b" * 300_000)
            said = b""
            while part := hasty.recv(100):  # a reset connection would raise here
                said += part
            assert said.startswith(b"HTTP/1.1 413")


def plain_limits() -> Callable[..., Iterable[bytes]]:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status = "413 Too Large" if int(environ["CONTENT_LENGTH"]) > WEBHOOK_BYTES else "202 Accepted"
        start_response(status, [("Content-Length", "0")])
        return [b""]

    return app


# ── who is cut off ────────────────────────────────────────────────────────────────────────────────────────────────────

HALVES = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: a",
    "half a body": get("/webhooks/x", method="POST", more="Content-Length: 5\r\n") + b"ab",
    "half a chunk": get("/webhooks/x", method="POST", more="Transfer-Encoding: chunked\r\n") + b"5\r\nab",
    "only blank lines": b"\r\n\r\n",
    "a whole request": get("/", more=""),
}


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_whoever_goes_silent_is_cut_off(half: bytes) -> None:
    with serving(plain(), deadlines=SOON) as served:
        served.say(half)  # returns at the end of the connection


@pytest.mark.parametrize("half", list(HALVES.values())[1:5], ids=list(HALVES)[1:5])
def test_whoever_sends_a_byte_now_and_then_is_cut_off_as_well(half: bytes) -> None:
    slow = Deadlines(head=0.5, request=0.5, silence=30, idle=0.5)
    with serving(plain(), deadlines=slow) as served, served.client() as client:
        client.sendall(half)
        client.settimeout(0.05)
        began = time.monotonic()
        while time.monotonic() - began < 10:
            try:
                client.sendall(b"\r\n\r\n" if not half.strip() else b"a")
                if not client.recv(100):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - began < 5


def test_whoever_does_not_read_is_cut_off_and_gets_one_answer_at_a_time() -> None:
    asked: list[str] = []
    inner = plain()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked.append(environ["PATH_INFO"])
        return inner(environ, start_response)

    with serving(app, deadlines=Deadlines(answer=-1000)) as served:  # so long is allowed for the size of it alone
        with served.client(reads=4096) as deaf:
            deaf.sendall(get("/large", more="") * 20)
            wait_for(lambda: bool(asked), seconds=10, what="its first request")
            assert len(heard_late(served, deaf)) < len(LARGE)
        assert asked.count("/large") == 1


def heard_late(served: Serving, deaf: Any) -> bytes:
    """What a client still gets that reads only when the server has nobody left."""
    end = time.monotonic() + 10
    while served.server.active_channels and time.monotonic() < end:
        assert is_served(served)
    return heard(deaf)


def test_whoever_reads_gets_every_answer() -> None:
    with serving(plain()) as served, served.client(reads=4096) as client:
        client.sendall(get("/large", more="") * 3 + get("/large"))
        assert heard(client).count(b"HTTP/1.1 200") == 4


# ── nobody stops anybody else ─────────────────────────────────────────────────────────────────────────────────────────


def test_half_requests_hold_nothing() -> None:
    with serving(plain(), deadlines=PATIENT) as served:
        halves = [served.client() for _ in range(200)]
        for number, each in enumerate(halves):
            each.sendall(HALVES["half a head" if number % 2 else "half a body"])
        assert all(is_served(served, path) for path in ("/health/live", "/webhooks/x", "/", "/api/x"))
        for each in halves:
            each.close()


def test_a_crowd_pushes_out_itself() -> None:
    """More half requests than there are connections: the oldest go, and who comes with a request is served."""
    with serving(plain(), deadlines=PATIENT, connections=40) as served:
        halves = []
        for _ in range(120):
            halves.append(served.client())
            halves[-1].sendall(HALVES["half a head"])
            if len(halves) % 10 == 0:
                assert is_served(served)
        assert len(served.server.active_channels) <= 40
        assert heard(halves[0]) == b""
        for each in halves:
            each.close()


def test_a_crowd_that_is_overdue_together_ends_to_the_last() -> None:
    """In portions: who closes 800 in one round answers nobody for a second."""
    with serving(plain(), deadlines=SOON) as served:
        crowd = [served.client() for _ in range(3 * CLOSED_AT_ONCE + 1)]
        for each in crowd:
            each.sendall(HALVES["half a head"])
        assert all(heard(each) == b"" for each in crowd)
        assert is_served(served)
        for each in crowd:
            each.close()


def test_a_newcomer_is_served_and_nobody_is_told_of_while_most_are_being_answered() -> None:
    release = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/held":
            release.wait(120)
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    with capture_logs() as lines, serving(app, deadlines=PATIENT, connections=20) as served:
        held = [served.client() for _ in range(15)]
        for number, each in enumerate(held, 1):
            each.sendall(get("/held"))
            wait_for(lambda n=number: answered(served) >= n, seconds=60, what="a request that is being answered")
        assert all(is_served(served) for _ in range(3))
        release.set()
        assert all(heard(each).startswith(b"HTTP/1.1 200") for each in held)
    assert [line for line in lines if line["event"] == "connections_crowded_out"] == []


def answered(served: Serving) -> int:
    """How many connections have a request that is being answered."""
    return sum(not channel.waits for channel in list(served.server.active_channels.values()))


ADDRESSES = {
    ("GET", "/health/live"): Kind.LIVE,
    ("GET", "/health/ready"): Kind.OPS,
    ("GET", "/metrics"): Kind.OPS,
    ("POST", "/webhooks/freee"): Kind.WEBHOOKS,
    ("POST", "/webhooks/smarthr/renshu"): Kind.WEBHOOKS,
    ("POST", "/sign-in"): Kind.PASSWORDS,
    ("GET", "/sign-in"): Kind.PAGES,
    ("POST", "/account/password"): Kind.PASSWORDS,
    ("POST", "/account/new-password"): Kind.PASSWORDS,
    ("POST", "/invitation/abc"): Kind.PASSWORDS,
    **{("POST", f"/users/3/{act}"): Kind.PASSWORDS for act in ("role", "enable", "password")},
    ("POST", "/users/invitations"): Kind.PASSWORDS,
    ("POST", "/keys"): Kind.PASSWORDS,
    ("POST", "/connections/renshu/two_persons"): Kind.PASSWORDS,
    ("POST", "/users/3/disable"): Kind.PAGES,
    ("POST", "/users/invitations/3/revoke"): Kind.PAGES,
    ("GET", "/links/renshu/compare"): Kind.ASKING,
    ("POST", "/connections/renshu/check"): Kind.ASKING,
    ("GET", "/links/renshu"): Kind.PAGES,
    ("POST", "/api/v1/runs"): Kind.API,
    ("GET", "/"): Kind.PAGES,
}


def test_every_address_has_a_kind() -> None:
    assert {address: kind_of(*address) for address in ADDRESSES} == ADDRESSES


@pytest.mark.parametrize("flooded", [Kind.PASSWORDS, Kind.ASKING, Kind.API, Kind.PAGES, Kind.OPS])
def test_a_kind_that_is_full_leaves_the_others(flooded: Kind) -> None:
    """All threads of one kind stand still, and more requests of it wait: every other kind is answered."""
    method, path = next(address for address, kind in ADDRESSES.items() if kind is flooded)
    release, standing = threading.Event(), threading.Semaphore(0)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == (method, path):
            standing.release()
            release.wait(30)
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    room = rooms(8)[flooded]
    with serving(app) as served:
        clients = [served.client() for _ in range(room.threads + 5)]
        try:
            for each in clients:
                each.sendall(get(path, method=method))
            for _ in range(room.at_work or room.threads):
                assert standing.acquire(timeout=10)
            others = [address for address, kind in ADDRESSES.items() if kind is not flooded and address[0] == "GET"]
            assert all(is_served(served, other) for _, other in others)
            assert served.say(get("/webhooks/x", method="POST")).startswith(b"HTTP/1.1 200")
        finally:
            release.set()
        assert all(heard(each).startswith(b"HTTP/1.1 200") for each in clients)
        for each in clients:
            each.close()


def test_whether_it_lives_is_answered_by_the_thread_of_all_connections() -> None:
    """Also when it is asked several times at once, and again on the same connection."""
    answering: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/health/live":
            answering.append(threading.get_ident())
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    with serving(app) as served:
        stays = get("/health/live", more="")
        said = served.say(stays * 3 + get("/runs", more="") + stays, get("/health/live"))
        assert said.count(b"HTTP/1.1 200 OK") == 6
        assert answering == [served.server.thread] * 5


# ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_has_begun_is_finished_and_nobody_new_is_taken() -> None:
    begun, release = threading.Event(), threading.Event()

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        begun.set()
        release.wait(30)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    with serving(app, deadlines=PATIENT) as served:
        with served.client() as busy, served.client() as idle, served.client() as half:
            half.sendall(HALVES["half a head"])
            busy.sendall(get("/", more=""))
            assert begun.wait(10)
            served.server.stop()
            assert heard(idle) == b"", "it is not waited for in vain for long"
            with pytest.raises(ConnectionError):
                served.client()
            release.set()
            said = heard(busy)
            assert said.startswith(b"HTTP/1.1 200") and b"Connection: close" in said and said.endswith(b"done")
            assert heard(half) == b""
        served.thread.join(10)
        assert not served.thread.is_alive()


def test_whoever_was_taken_a_moment_before_the_end_is_answered() -> None:
    """A process that is replaced resets nobody: the request of a new connection may be on its way."""
    with serving(plain(), deadlines=PATIENT) as served, served.client() as new, served.client() as kept:
        kept.sendall(get("/", more=""))
        said = b""
        while not said.endswith(b"}"):  # the whole answer
            said += kept.recv(1000)
        assert len(served.server.active_channels) == 2
        served.server.stop()
        assert heard(kept) == b"", "between two requests nobody is waited for"
        new.sendall(get())
        assert heard(new).startswith(b"HTTP/1.1 200")
