"""Files that only their owner may read."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER, OTHERS = 0o700, 0o077


def keep_private() -> None:
    """From now on whatever this process and its children make is for their user only, whatever the umask was."""
    os.umask(OTHERS)


def opener(path: str, flags: int) -> int:
    """For `open`: a file that has to be made is its owner's only."""
    return os.open(path, flags, 0o600)


def write_private(file: Path, text: str) -> None:
    """Write a file that appears whole or not at all, readable by its owner only. Raises OSError."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
