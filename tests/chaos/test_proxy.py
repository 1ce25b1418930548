"""The proxy is a wire, a black hole or nobody."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.proxy import Proxy


def echo(server: socket.socket) -> None:
    while True:
        try:
            caller, _ = server.accept()
        except OSError:
            return  # closed
        threading.Thread(target=_answer, args=(caller,), daemon=True).start()


def _answer(caller: socket.socket) -> None:
    with caller:
        while piece := caller.recv(100):
            caller.sendall(piece)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=echo, args=(server,), daemon=True).start()
        made = Proxy(server.getsockname()[1])
        made.start()
        yield made
        made.stop()


def call(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def said(caller: socket.socket, word: bytes) -> bytes:
    caller.sendall(word)
    return caller.recv(100)


def test_it_is_a_wire(proxy: Proxy) -> None:
    with call(proxy) as caller:
        assert said(caller, b"one") == b"one"
        assert said(caller, b"two") == b"two"


def test_deaf_it_takes_everything_and_answers_nothing(proxy: Proxy) -> None:
    with call(proxy) as caller:
        proxy.deaf = True
        caller.settimeout(0.3)
        with pytest.raises(TimeoutError):
            said(caller, b"anybody?")
        proxy.pass_on()
        with pytest.raises(ConnectionError):
            if caller.recv(100) == b"":
                raise ConnectionResetError  # cut in order
    with call(proxy) as caller:
        assert said(caller, b"again") == b"again"


def test_refusing_it_cuts_and_nobody_listens_until_it_does_again(proxy: Proxy) -> None:
    with call(proxy) as caller:
        assert said(caller, b"one") == b"one"
        proxy.refuse()
        with pytest.raises(ConnectionError):
            if caller.recv(100) == b"":
                raise ConnectionResetError
    with pytest.raises(ConnectionRefusedError):
        call(proxy)
    proxy.listen()
    with call(proxy) as caller:
        assert said(caller, b"back") == b"back"
