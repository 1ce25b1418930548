"""The web server's processes: several on one socket, kept alive, and ended in order however the end comes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.parts import wait_for
from tests.e2e.processes import below, kill, started
from tests.ports import free_port
from tests.serving.server import get, heard

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("proc")]

BARE = "tests.bench.bare:app"
ODD = "tests.serving.odd"


@contextmanager
def running(
    folder: Path, *, port: int, app: str = BARE, processes: int = 2, command: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    env = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(folder),
        "SECRET_KEY": "k" * 32,
        "ENCRYPTION_KEYS": "an-invented-encryption-key",
        "PORT": str(port),
        "WEB_CONCURRENCY": str(processes),
        "WEB_THREADS": "4",
    }
    with started(folder, env, *(command or ["app.web.serving", app])) as parent:
        yield parent


def log_of(folder: Path) -> str:
    return (folder / "log").read_text(encoding="utf-8")


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(get("/x", method="POST"))
            return heard(client).startswith(b"HTTP/1.1 202")
    except OSError:
        return False


def test_a_hangup_ends_nobody(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port=port) as parent:
        wait_for(lambda: answers(port) and len(below(parent.pid)) == 2, seconds=60, what="two processes that answer")
        children = below(parent.pid)
        for pid in (parent.pid, *children):
            os.kill(pid, signal.SIGHUP)
        time.sleep(1)
        assert parent.poll() is None
        assert below(parent.pid) == children
        assert answers(port)


def test_who_dies_is_replaced_and_the_end_is_in_order(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port=port) as parent:
        wait_for(lambda: answers(port) and len(below(parent.pid)) == 2, seconds=60, what="two processes that answer")
        for pid in below(parent.pid):
            kill(pid)
        assert answers(port), "the socket stays open, and whoever waits in it is answered"
        wait_for(lambda: len(below(parent.pid)) == 2, seconds=30, what="their successors")
        assert answers(port)
        children = below(parent.pid)
        with socket.create_connection(("127.0.0.1", port), timeout=20) as half:
            half.sendall(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
            parent.send_signal(signal.SIGTERM)
            half.sendall(b"cde")
            heard(half)
        assert parent.wait(20) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)
        assert not answers(port)


@pytest.mark.reach("all")
def test_children_do_not_outlive_their_parent_and_its_successor_gets_the_port(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port=port, processes=1) as parent:
        wait_for(lambda: answers(port), seconds=60, what="an answer")
        (orphan,) = below(parent.pid)
        kill(parent.pid)
        parent.wait(10)
        with running(tmp_path, port=port, processes=1) as successor:
            wait_for(lambda: not Path(f"/proc/{orphan}").exists(), seconds=20, what="the end of the orphan")
            wait_for(lambda: answers(port), seconds=60, what="the successor's answer")
            assert successor.poll() is None


def test_a_process_that_hangs_is_replaced(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port=port, command=[ODD, str(port)]) as parent:
        wait_for(lambda: answers(port) and len(below(parent.pid)) == 2, seconds=60, what="two processes that answer")
        first = set(below(parent.pid))
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(get("/hang", method="POST"))
            wait_for(lambda: '"web_process_silent"' in log_of(tmp_path), seconds=30, what="notice of the silence")
            wait_for(lambda: len(set(below(parent.pid)) - first) == 1, seconds=30, what="a successor")
        assert len(first & set(below(parent.pid))) == 1, "the other one goes on"
        assert all(answers(port) for _ in range(4))
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(30) == 0
    assert log_of(tmp_path).count('"web_process_silent"') == 1


@pytest.mark.reach("all")
def test_the_last_line_of_an_orderly_end_is_in_the_log(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port=port, app=f"{ODD}:app", processes=1) as parent:
        wait_for(lambda: answers(port), seconds=60, what="an answer")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(get("/last", method="POST"))
            wait_for(lambda: "working_on_the_last" in log_of(tmp_path), seconds=10, what="the last request")
            parent.send_signal(signal.SIGTERM)
            assert heard(client).startswith(b"HTTP/1.1 202")
        assert parent.wait(20) == 0
    assert '"the_last_is_answered"' in log_of(tmp_path)


@pytest.mark.parametrize(("app", "code"), [("tests.bench.nothing:app", 3), ("tests.bench.bare", 2)])
def test_what_cannot_be_loaded_ends_at_once(tmp_path: Path, app: str, code: int) -> None:
    with running(tmp_path, port=free_port(), app=app) as parent:
        assert parent.wait(60) == code
        assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")
