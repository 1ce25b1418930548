"""Which checkout the service's programs run from: all of them stopped and started again, or replaced one by one.

As a careful deployment does it: a link names the version in service, and a program that starts follows it. Without the
link a program that is started waits for it, so that supervisord, which starts everything again at once, does no harm.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.practice.house.environment import StartError
from tests.chaos.parts import wait_for
from tests.e2e.processes import below, command_of, parent_of

PROGRAMS = ("wsgi:app", "workers.relay", "workers.worker interactive", "workers.worker bulk", "workers.cron")
STOP_SECONDS = 60
"""The web process waits a quarter of a minute for its last answers, a worker for the employee it holds."""
WAITING = "sh "
_START = """\
until [ -e "$DATA_DIR/version/wsgi.py" ]; do sleep 0.1; done
cd "$DATA_DIR/version" && exec sh -c "exec $(sed -n "s/^$1: *//p" Procfile)"
"""


@dataclass(frozen=True)
class Deployment:
    """`folder`: the house's data folder."""

    folder: Path

    @property
    def _link(self) -> Path:
        return self.folder / "version"

    def commands(self, service: Iterable[str]) -> dict[str, str]:
        """The service's programs by name, started in whatever checkout is in service by then, as its Procfile says."""
        start = self.folder / "start.sh"
        start.write_text(_START, encoding="ascii")
        return {name: f'sh "%(ENV_DATA_DIR)s/{start.name}" {name}' for name in service}

    def put_in_service(self, checkout: Path) -> None:
        part = self.folder / "version.part"
        part.symlink_to(checkout, target_is_directory=True)
        part.replace(self._link)

    def stop(self, supervisor: int) -> None:
        """SIGTERM to every program; none of them runs until a version is put in service. Raises TimeoutError."""
        self._link.unlink(missing_ok=True)
        for pid in running(supervisor):
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not running(supervisor), seconds=STOP_SECONDS, what="the end of every program")

    def replace_one_by_one(self, supervisor: int, text: str) -> None:
        """SIGTERM to one program; returns when its successor runs. Raises TimeoutError."""
        (old,) = [pid for pid in running(supervisor) if text in command_of(pid)]
        os.kill(old, signal.SIGTERM)
        checkout = self._link.resolve()

        def replaced() -> bool:
            found = [pid for pid in running(supervisor) if text in command_of(pid)]
            return bool(found) and found != [old] and all(checkout_of(pid) == checkout for pid in found)

        wait_for(replaced, seconds=STOP_SECONDS, what=f"the successor of {text}")


def running(supervisor: int) -> list[int]:
    """The service's programs (masters), without those that wait for a version."""
    children = [(pid, command_of(pid)) for pid in below(supervisor) if parent_of(pid) == supervisor]
    return [
        pid
        for pid, command in children
        if not command.startswith(WAITING) and any(text in command for text in PROGRAMS)
    ]


def checkout_of(pid: int) -> Path | None:
    """Where a process works, None when it has ended."""
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True)
    except OSError:
        return None


def run_in(checkout: Path, env: Mapping[str, str], *arguments: str) -> str:
    """`python …` in this checkout; returns what it printed. Raises StartError with its last line."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise StartError(f"{' '.join(arguments[:4])}: {told}")
    return done.stdout
