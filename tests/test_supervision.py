"""What a process tells its service manager, and that a manager which does not listen ends nothing."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.logs import configure_logging
from app.supervision import Watchdog, tell
from tests.restored import restored
from workers.loop import Stop, run_loop


@pytest.mark.parametrize("address_of", [lambda folder: f"{folder}/notify", lambda _: f"@awase-{secrets.token_hex(8)}"])
def test_a_loop_tells_of_its_rounds_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address_of: Callable[[Path], str]
) -> None:
    address = address_of(tmp_path)
    stop, rounds = Stop(), iter(range(5))

    def work() -> None:
        if next(rounds) == 4:
            stop.ask()

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0", 1))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        loop = threading.Thread(target=run_loop, args=(work,), kwargs={"pause": 0.001, "stop": stop})
        loop.start()
        loop.join(30)
        assert manager.recv(100) == b"READY=1\nWATCHDOG=1"
        with pytest.raises(BlockingIOError):
            manager.recv(100)


def test_without_a_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with restored():
        configure_logging("INFO")
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
        Watchdog().went_round()
        assert capsys.readouterr().err == ""
        monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
        tell("READY=1")
        (line,) = capsys.readouterr().err.splitlines()
    assert (json.loads(line)["event"], json.loads(line)["kind"]) == ("service_manager_away", "FileNotFoundError")
