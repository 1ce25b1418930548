"""All of Awase on one machine: the Procfile's processes and the practice company's, kept alive by supervisord.

It is supervisord and not honcho, because honcho ends everything when one process dies. supervisord restarts a process
that was killed or gave up, regardless of its exit code: that is what lets a run end by itself.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import requests

from app.practice.house.environment import StartError
from app.practice.house.process_lock import PID, end_session
from app.practice.vendor_kit.private_files import FOLDER, OTHERS, opener, write_private

ROOT = Path(__file__).resolve().parents[3]
STOP_SECONDS = 8
"""The time a program gets to end in order; a worker that needs longer is killed, and its employee is done again."""
FALLS = 4
"""A program that ended so many times before the house was up will not start at all."""


def procfile(path: Path) -> dict[str, str]:
    """Process name → command."""
    pairs = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name.strip(): command.strip() for name, _, command in pairs}


def local_session() -> requests.Session:
    """A session for calls on this machine: no proxy and no .netrc of the person who started the house."""
    session = requests.Session()
    session.trust_env = False
    return session


@dataclass
class Processes:
    """Programs under one supervisord. All of `service` stops first and at once, then `ground`, on which it stands.

    In a command `%(ENV_DATA_DIR)s` is the data folder; any other percent sign is written twice (supervisord's rule).
    """

    folder: Path
    ground: Mapping[str, str]
    service: Mapping[str, str]
    env: Mapping[str, str] = field(repr=False)
    emptied: list[Path] = field(default_factory=list)
    """Folders outside the data folder that are removed when everything has stopped and they are empty."""
    _supervisor: subprocess.Popen[bytes] | None = None

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    @property
    def _own_log(self) -> Path:
        """The supervisor's own log, of this start only."""
        return self.logs / "supervisord.log"

    @property
    def pid(self) -> int:
        """The process id of the supervisor, from which every other process descends."""
        assert self._supervisor is not None
        return self._supervisor.pid

    def start(self) -> None:
        """Start the supervisor and so all programs. Raises StartError for a folder name supervisord cannot take."""
        if re.search(r'["\\\n]', f"{self.folder}{ROOT}"):
            raise StartError(f'フォルダ名に " \\ 改行 は使えません: {self.folder} {ROOT}')
        self.logs.mkdir(parents=True, mode=FOLDER, exist_ok=True)
        config = self.folder / "supervisord.conf"
        write_private(config, self._config())
        with open(self._own_log, "wb", opener=opener) as out:
            self._supervisor = subprocess.Popen(  # noqa: S603 - our own interpreter and file
                [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(config)],
                cwd=self.folder,
                env={**self.env, "DATA_DIR": str(self.folder), "AWASE_ROOT": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                umask=OTHERS,  # of every program, also when it is started again, and of every log file
            )

    def stop(self) -> None:
        """Stop in order: each program gets SIGTERM and its time; one that does not end is killed. None stays behind."""
        if self._supervisor is None:
            return
        if self._supervisor.poll() is None:
            self._supervisor.send_signal(signal.SIGTERM)
            try:
                self._supervisor.wait(2 * STOP_SECONDS + 5)
            except subprocess.TimeoutExpired:
                self._supervisor.kill()
                self._supervisor.wait()
        end_session(self._supervisor.pid)
        for folder in self.emptied:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def wait(self) -> int:
        """Wait until the supervisor ends, which it does not do by itself; returns its exit code."""
        assert self._supervisor is not None
        return self._supervisor.wait()

    def await_url(self, url: str, *, seconds: float = 120) -> None:
        """Return when the URL answers 200. Raises StartError when it does not in time or a program keeps ending."""
        end = time.monotonic() + seconds
        with local_session() as session:
            while time.monotonic() < end:
                try:
                    if session.get(url, timeout=3).status_code == 200:
                        return
                except requests.RequestException:
                    pass  # not up yet
                if self._supervisor is not None and self._supervisor.poll() is not None:
                    raise StartError(f"supervisord が終了しました({self.last_words('supervisord')})。{self._hint()}")
                fallen = self.fallen()
                if fallen:
                    raise StartError(f"{fallen} が起動できません: {self.last_words(fallen)}。{self._hint()}")
                time.sleep(0.1)
        raise StartError(f"{url} が応答しません。{self._hint()}")

    def fallen(self) -> str | None:
        """The name of a program that has ended by itself again and again, None without one."""
        text = self._own_log.read_text(encoding="utf-8", errors="replace")
        names = re.findall(r" exited: (\w+) \(", text)
        return next((name for name in names if names.count(name) >= FALLS), None)

    def last_words(self, program: str) -> str:
        """The last line of the program's log."""
        try:
            lines = (self.logs / f"{program}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            lines = []
        return next((line.strip() for line in reversed(lines) if line.strip()), "(ログなし)")

    def _hint(self) -> str:
        return f"ログ: {self.logs}"

    def _config(self) -> str:
        """supervisord's configuration, with only ASCII and no absolute path.

        Absolute paths come from the environment or from supervisord's working directory, the data folder. In the
        configuration itself, a percent sign, a space and a semicolon of a path would each mean something.
        """
        lines = ["[supervisord]", "logfile=/dev/null", "logfile_maxbytes=0"]  # stdout gets every log line as well
        lines += [f"pidfile={PID}", "childlogdir=log", "minfds=1024"]
        if os.geteuid() == 0:
            lines.append("user=root")
        for priority, (group, programs) in enumerate({"ground": self.ground, "service": self.service}.items()):
            lines += ["", f"[group:{group}]", f"programs={','.join(programs)}", f"priority={priority}"]
            for name, command in programs.items():
                lines += ["", f"[program:{name}]", f"command={command}", "directory=%(ENV_AWASE_ROOT)s"]
                lines += ["autorestart=true", "startsecs=1", "startretries=1000000"]
                lines += ["stopasgroup=true", "killasgroup=true", f"stopwaitsecs={STOP_SECONDS}"]
                lines += [
                    "redirect_stderr=true",
                    f"stdout_logfile=log/{name}.log",
                    "stdout_logfile_maxbytes=20MB",
                ]
        return "\n".join(lines) + "\n"
