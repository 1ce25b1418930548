"""All of Awase on one machine: the Procfile's processes and the practice company's, kept alive by supervisord.

supervisord and not honcho, because honcho ends everything when one process dies: here a process that was killed or that
gave up is started again whatever its exit code, which is what lets a run end by itself.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 20


class StartError(Exception):
    """Something did not start; the text says what and where its log is."""


def free_port(wanted: int = 0) -> int:
    """`wanted` when nobody listens there, otherwise one that is free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StartError("no free port")


def procfile(path: Path) -> dict[str, str]:
    """Process name → command."""
    pairs = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name.strip(): command.strip() for name, _, command in pairs}


@dataclass
class Processes:
    """A set of programs under one supervisord, started together and stopped together."""

    folder: Path
    programs: Mapping[str, str]
    env: Mapping[str, str] = field(repr=False)
    logs_to_terminal: bool = False
    _supervisor: subprocess.Popen[bytes] | None = None

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    @property
    def pid(self) -> int:
        """Of the supervisor; everything else descends from it."""
        assert self._supervisor is not None
        return self._supervisor.pid

    def start(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        config = self.folder / "supervisord.conf"
        config.write_text(self._config(), encoding="utf-8")
        out = None if self.logs_to_terminal else (self.logs / "supervisord.log").open("wb")
        self._supervisor = subprocess.Popen(  # noqa: S603 - our own interpreter and file
            [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(config)],
            cwd=ROOT,
            env=dict(self.env),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )

    def stop(self) -> None:
        """Orderly: every program gets SIGTERM and its time; what does not end is killed with its group."""
        if self._supervisor is None or self._supervisor.poll() is not None:
            return
        self._supervisor.send_signal(signal.SIGTERM)
        try:
            self._supervisor.wait(STOP_SECONDS + 10)
        except subprocess.TimeoutExpired:
            os.killpg(self._supervisor.pid, signal.SIGKILL)
            self._supervisor.wait()

    def wait(self) -> int:
        assert self._supervisor is not None
        return self._supervisor.wait()

    def await_url(self, url: str, *, seconds: float = 60) -> None:
        """Return when the URL answers 200. Raises StartError when it does not in time or the supervisor ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._supervisor is not None and self._supervisor.poll() is not None:
                break
            try:
                if requests.get(url, timeout=3).status_code == 200:
                    return
            except requests.RequestException:
                pass  # not up yet
            time.sleep(0.1)
        raise StartError(f"{url} does not answer; see {self.logs}")

    def _config(self) -> str:
        lines = ["[supervisord]", f"logfile={self.folder / 'supervisord.log'}", f"pidfile={self.folder / 'pid'}"]
        lines += [f"childlogdir={self.logs}", "minfds=1024"]
        if os.geteuid() == 0:
            lines.append("user=root")
        for name, command in self.programs.items():
            lines += ["", f"[program:{name}]", f"command={command.replace('%', '%%')}", f"directory={ROOT}"]
            lines += ["autorestart=true", "startsecs=1", "startretries=1000000"]
            lines += ["stopasgroup=true", "killasgroup=true", f"stopwaitsecs={STOP_SECONDS}", "redirect_stderr=true"]
            target = "/dev/fd/1" if self.logs_to_terminal else self.logs / f"{name}.log"
            lines += [f"stdout_logfile={target}", f"stdout_logfile_maxbytes={0 if self.logs_to_terminal else '20MB'}"]
        return "\n".join(lines) + "\n"
