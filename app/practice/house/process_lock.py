"""One launcher per data folder, and no process left behind by a launcher that was killed.

A supervisor is the leader of a session of its own (`start_new_session`); every process that it started belongs to that
session, even when the supervisor is gone. So this module finds its processes by the session and not by a name.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.practice.house.environment import StartError
from app.practice.vendor_kit.private_files import FOLDER, opener

LOCK, PID = "launch.lock", "pid"
OURS = ("supervisor.supervisord", "app.practice.server", "workers.", "wsgi:app", "broker.sock")
"""Parts of the command lines of a house's processes; a process without any of them is not touched."""
_TERM_SECONDS = 5.0


@contextmanager
def only_launcher(folder: Path) -> Iterator[None]:
    """Hold the data folder. Raises StartError when another launcher holds it.

    The operating system keeps the lock: it ends with the launcher's process, in whichever way that process ends.
    """
    folder.mkdir(parents=True, mode=FOLDER, exist_ok=True)
    with open(folder / LOCK, "a+", encoding="utf-8", opener=opener) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "?"
            raise StartError(
                f"{folder} はすでに使われています(プロセス {holder})。先に動いている方を Ctrl-C で終了してください"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def end_leftovers(folder: Path) -> int:
    """End what a killed launcher left running on this data folder; returns how many processes that were."""
    try:
        leader = int((folder / PID).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return 0
    command = command_of(leader)
    if command and str(folder / "supervisord.conf") not in command:
        return 0  # the number belongs to another process by now
    return end_session(leader)


def end_session(leader: int) -> int:
    """SIGTERM, a few seconds, SIGKILL for every process of ours in the session of `leader`; returns how many."""
    members = session(leader)
    if leader in members:  # the supervisor goes first: it would start ended processes again
        _signal([leader], signal.SIGTERM)
        _await_end([leader])
        _signal([pid for pid in [leader] if command_of(pid)], signal.SIGKILL)
    _signal(session(leader), signal.SIGTERM)
    _await_end(session(leader))
    _signal(session(leader), signal.SIGKILL)
    return len(members)


def session(leader: int) -> list[int]:
    """The processes of ours that belong to the session of `leader`."""
    return [pid for pid in _everybody() if _session_of(pid) == leader and any(word in command_of(pid) for word in OURS)]


def command_of(pid: int) -> str:
    """The command line, "" for a process that is gone or has ended and waits for its parent."""
    file = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            return file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return _ps("-o", "command=", "-p", str(pid)).strip()


def _everybody() -> list[int]:
    if Path("/proc/self/cmdline").exists():
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [int(pid) for pid in _ps("-A", "-o", "pid=").split()]


def _ps(*arguments: str) -> str:
    done = subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _await_end(pids: list[int]) -> None:
    end = time.monotonic() + _TERM_SECONDS
    while time.monotonic() < end and any(command_of(pid) for pid in pids):
        time.sleep(0.05)
