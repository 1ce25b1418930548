"""Where the embedded broker listens: a Unix socket whose path is short enough for the system and for RQ."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

LONGEST_SOCKET_PATH = 100
"""Bytes that a Unix socket's path may have, a little below the 104 to 108 that operating systems allow."""


def embedded_socket(data_dir: Path) -> Path:
    """The socket on which the embedded broker listens: in the data folder, else in a folder of its own in the temporary
    folder, else in one in /tmp. The first of these whose path is short enough and holds no blank or "=" is taken."""
    name = f"awase-{os.geteuid()}-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}"
    for folder in (data_dir, Path(tempfile.gettempdir()) / name):
        path = os.fsencode(folder / "broker.sock")
        # RQ's workers read the list in which a server tells its clients' addresses: `name=value`, with blanks between.
        if len(path) <= LONGEST_SOCKET_PATH and not set(path) & set(b" ="):
            return folder / "broker.sock"
    return Path("/tmp") / name / "broker.sock"  # noqa: S108 - the broker refuses a folder that another user owns
