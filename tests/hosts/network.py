"""Hosts of their own on one machine: network namespaces on a bridge, each with its name, its link and its clock."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.practice.house.processes import ROOT

SKEWED_CLOCK = Path(__file__).with_name("skewed_clock.c")
GROUND = "10.77.77.1"
"""Where the hosts find what they share: the address of the bridge."""
STOP_SECONDS = 15


def missing_parts() -> str | None:
    """Why no hosts can be made here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("cc") is None:
        return "there is no C compiler (cc) here, which makes the clock that is wrong"
    name = _name(0)
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return "network namespaces (ip netns) are not allowed here"
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
    return None


@dataclass
class Host:
    """A host and the programs that it keeps running. `off`: seconds by which its clock is ahead."""

    number: int
    folder: Path
    programs: Mapping[str, str]
    env: Mapping[str, str] = field(repr=False)
    off: int = 0
    _supervisor: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"host{self.number}"

    @property
    def address(self) -> str:
        return f"10.77.77.{10 + self.number}"

    @property
    def logs(self) -> list[Path]:
        return sorted((self.folder / "log").glob("*.log"))

    def pids(self) -> list[int]:
        return [int(pid) for pid in _ip("netns", "pids", _name(self.number)).split()]

    def start(self, *, off: int = 0) -> None:
        self.off = off
        (self.folder / "log").mkdir(parents=True, mode=0o700, exist_ok=True)
        (self.folder / "supervisord.conf").write_text(self._config(), encoding="ascii")
        inside = ["ip", "netns", "exec", _name(self.number), "unshare", "--uts"]
        named = ["sh", "-c", 'hostname "$0" && exec "$@"', self.name]
        keeper = [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", "supervisord.conf"]
        with (self.folder / "log" / "supervisord.log").open("ab") as out:
            self._supervisor = subprocess.Popen(
                [*inside, *named, *keeper], cwd=self.folder, env=self._env(), stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def stop(self) -> None:
        """In order, as a machine that is shut down."""
        if self._supervisor is not None and self._supervisor.poll() is None:
            self._supervisor.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._supervisor.wait(STOP_SECONDS + 5)
        self.kill()

    def kill(self) -> None:
        """As a machine that loses its power: everything at once, the keeper first."""
        if self._supervisor is not None and self._supervisor.poll() is None:
            self._supervisor.kill()
            self._supervisor.wait()
        while pids := self.pids():
            for pid in pids:
                _kill(pid)

    def cut(self) -> None:
        """Nothing gets through to the host or from it, and nobody is told."""
        _ip("link", "set", _link(self.number), "down")

    def join(self) -> None:
        _ip("link", "set", _link(self.number), "up")

    def _env(self) -> dict[str, str]:
        env = {**self.env, "DATA_DIR": str(self.folder), "AWASE_ROOT": str(ROOT)}
        if self.off:
            env |= {"LD_PRELOAD": str(_built(self.folder)), "SKEWED_CLOCK": str(self.off)}
        return env

    def _config(self) -> str:
        lines = ["[supervisord]", "logfile=/dev/null", "logfile_maxbytes=0", "pidfile=pid", "user=root"]
        for name, command in self.programs.items():
            lines += ["", f"[program:{name}]", f"command={command}", "directory=%(ENV_AWASE_ROOT)s"]
            lines += ["autorestart=true", "startretries=1000000", "stopasgroup=true", "killasgroup=true"]
            lines += [f"stopwaitsecs={STOP_SECONDS}", "redirect_stderr=true", f"stdout_logfile=log/{name}.log"]
        return "\n".join(lines) + "\n"


def _built(folder: Path) -> Path:
    built = folder / "skewed_clock.so"
    if not built.exists():
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(built), str(SKEWED_CLOCK)], check=True)
    return built


@contextmanager
def network(*hosts: Host) -> Iterator[None]:
    """The hosts' network, without any program yet; nothing of it stays behind."""
    _forget(hosts)
    _ip("link", "add", _bridge(), "type", "bridge")
    try:
        _ip("address", "add", f"{GROUND}/24", "dev", _bridge())
        _ip("link", "set", _bridge(), "up")
        for host in hosts:
            _plug_in(host)
        yield
    finally:
        for host in hosts:
            host.kill()
        _forget(hosts)


def _plug_in(host: Host) -> None:
    space, link = _name(host.number), _link(host.number)
    _ip("netns", "add", space)
    _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
    _ip("link", "set", link, "master", _bridge(), "up")
    _ip("-n", space, "link", "set", "lo", "up")
    _ip("-n", space, "address", "add", f"{host.address}/24", "dev", "eth0")
    _ip("-n", space, "link", "set", "eth0", "up")


def _forget(hosts: tuple[Host, ...]) -> None:
    for host in hosts:
        subprocess.run(["ip", "netns", "delete", _name(host.number)], capture_output=True, check=False)
    subprocess.run(["ip", "link", "delete", _bridge()], capture_output=True, check=False)


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True, timeout=30).stdout


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _bridge() -> str:
    return f"awbr{os.getpid()}"


def _name(number: int) -> str:
    return f"awase-{os.getpid()}-{number}"


def _link(number: int) -> str:
    return f"aw{os.getpid()}h{number}"
