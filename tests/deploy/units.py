"""The systemd units as they are installed, and a small service manager that starts their commands as systemd would."""

from __future__ import annotations

import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.deploy.installed import ROOT, await_that, clean_environment

UNITS = ROOT / "docs" / "deploy" / "systemd"
INSTANCES = {"awase-worker@.service": ("interactive", "bulk")}
_CREDENTIALS = struct.Struct("3i")


def copied(folder: Path, installation: Path) -> Path:
    """The units with their drop-in, whose /opt/awase is this installation."""
    shutil.copytree(UNITS, folder)
    for file in (*folder.glob("*.service"), *folder.glob("*/*.conf")):
        file.write_text(file.read_text("utf-8").replace("/opt/awase", str(installation)), encoding="utf-8")
    return folder


def unit_names() -> list[str]:
    """Each unit, templates as their instances."""
    names = [file.name for file in UNITS.iterdir() if file.suffix in (".service", ".target")]
    return sorted(name.replace("@", f"@{each}") for name in names for each in INSTANCES.get(name, ("",)))


@dataclass(frozen=True)
class Unit:
    """What of a unit decides how its command runs. `settings`: key → its values in order, drop-in included."""

    name: str
    settings: dict[str, list[str]]

    @property
    def command(self) -> list[str]:
        (line,) = self.settings["ExecStart"]
        return shlex.split(line.replace("%i", self.name.partition("@")[2].removesuffix(".service")))

    @property
    def seconds_to_stop(self) -> float:
        return float(self.settings["TimeoutStopSec"][-1])

    def environment(self) -> dict[str, str]:
        pairs = (pair.partition("=") for line in self.settings.get("Environment", []) for pair in shlex.split(line))
        return {name: value for name, _, value in pairs}


def read_unit(folder: Path, name: str) -> Unit:
    file = folder / (name if (folder / name).exists() else f"{name.partition('@')[0]}@.service")
    settings: dict[str, list[str]] = {}
    for source in (file, folder / "awase-.service.d" / "common.conf"):
        for line in source.read_text(encoding="utf-8").splitlines():
            key, is_setting, value = line.partition("=")
            if is_setting and not line.startswith("#"):
                settings.setdefault(key, []).append(value)
    return Unit(name, settings)


@dataclass
class Manager:
    """Starts units on one machine. `around`: what /etc/awase/awase.env says; `credentials`: /etc/awase/credentials."""

    folder: Path
    around: dict[str, str]
    credentials: dict[str, str]

    def environment(self, unit: Unit) -> dict[str, str]:
        handed = self.folder / "credentials"
        handed.mkdir(mode=0o700, exist_ok=True)
        for name, value in self.credentials.items():
            (handed / f"awase_{name}").write_text(f"{value}\n", encoding="utf-8")
        given = {**self.around, **unit.environment(), "DATA_DIR": str(self.folder / "state")}
        return clean_environment(**given, CREDENTIALS_DIRECTORY=str(handed))

    def run(self, unit: Unit) -> subprocess.CompletedProcess[str]:
        """A unit that ends (Type=oneshot)."""
        around = {"cwd": unit.settings["WorkingDirectory"][0], "env": self.environment(unit)}
        return subprocess.run(unit.command, **around, capture_output=True, text=True, timeout=120)

    @contextmanager
    def started(self, unit: Unit) -> Iterator[subprocess.Popen[bytes]]:
        """A unit that stays. With Type=notify it has told that it is ready, and later that it goes round, itself. At
        the end SIGTERM goes to the main process alone (KillMode=mixed), which ends in its time."""
        told, log_file = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), self._log(unit)
        with TemporaryDirectory(prefix="awase-") as short, told, log_file as log:  # a socket's path is a short one
            address = f"{short}/notify"
            told.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            told.bind(address)
            told.setblocking(False)
            env = {**self.environment(unit), "NOTIFY_SOCKET": address}
            process = subprocess.Popen(
                unit.command, cwd=unit.settings["WorkingDirectory"][0], env=env, stdout=log, stderr=log
            )
            try:
                if unit.settings["Type"] == ["notify"]:
                    for _ in range(2):  # ready, and a second round
                        await_that(lambda: _heard(told, process.pid), alive=lambda: process.poll() is None)
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                code = process.wait(unit.seconds_to_stop if "TimeoutStopSec" in unit.settings else 30)
        assert code in (0, -signal.SIGTERM), (unit.name, code, self.log_of(unit))

    def log_of(self, unit: Unit) -> str:
        return (self.folder / f"{unit.name}.log").read_text(encoding="utf-8")

    @contextmanager
    def _log(self, unit: Unit) -> Iterator[object]:
        with (self.folder / f"{unit.name}.log").open("wb") as log:
            yield log


def _heard(told: socket.socket, pid: int) -> bool:
    """Whether the main process has told of a round. systemd would believe no other one (NotifyAccess=main)."""
    try:
        words, beside, _, _ = told.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
    except BlockingIOError:
        return False
    assert words == b"READY=1\nWATCHDOG=1"
    assert _CREDENTIALS.unpack(beside[0][2][: _CREDENTIALS.size])[0] == pid
    return True


def link_interpreter(installation: Path) -> None:
    """The `.venv` of the installation: the one that runs the tests."""
    (installation / ".venv").symlink_to(Path(sys.executable).parent.parent)


def variables(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}
