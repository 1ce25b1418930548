"""A job in a process of its own: the last start of a job that has taken its worker along before.

All jobs of a worker share one process, so one that kills it ends the others as well. Whose job was under way then is
begun again; at the last start nobody is beside it, so what dies is the one job that kills.
"""

from __future__ import annotations

import subprocess
import sys
import threading

from app.domain.runs.queues import longest_seconds

AT_ONCE = 2
"""Such processes beside one worker: each takes the memory of a worker."""
_turns = threading.BoundedSemaphore(AT_ONCE)


class DiedAlone(Exception):
    """The process of the job has not ended in order."""


def run(function: str, *args: int) -> None:
    """Run this function of `workers.jobs` in a process of its own and wait for its end. Raises DiedAlone."""
    command = [sys.executable, "-m", "workers.alone", function, *map(str, args)]
    with _turns:
        try:
            done = subprocess.run(command, timeout=longest_seconds(function), check=False)  # noqa: S603 - our own words and numbers
        except subprocess.TimeoutExpired:
            raise DiedAlone("too long") from None
    if done.returncode != 0:
        raise DiedAlone(f"exit code {done.returncode}")
