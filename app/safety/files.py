"""Files of this machine that only their owner may read, whatever the umask of whoever starts us.

A process of ours takes every right of others away from what it makes (`keep_private`), and mends what an earlier
version or another umask has left (`mend`).
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

FOLDER, FILE, OTHERS = 0o700, 0o600, 0o077
_SHARED = frozenset(
    (
        *map(Path, ("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/media", "/mnt", "/opt", "/root", "/run")),
        *map(Path, ("/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/local", "/var", "/var/lib", "/var/tmp")),  # noqa: S108
    )
)
"""Folders of a system that are never ours alone."""
CODE = Path(__file__).resolve().parents[2]
"""The folder of this program."""
MOST = 20_000
"""So many entries of a folder are looked at, at most: mails and logs of a rehearsal are far fewer."""


def keep_private() -> None:
    """From now on whatever this process and its children make can be read and written by their user only."""
    os.umask(OTHERS)


def private_folder(folder: Path) -> None:
    """Make the folder where there is none, and mend it and what it holds, where it is ours alone. Raises OSError."""
    folder.mkdir(parents=True, mode=FOLDER, exist_ok=True)
    mend(folder)


def mend(folder: Path) -> int:
    """Take every right of others away from the folder and from all it holds; returns how many entries had one.

    A folder that other programs use as well (`is_shared`) is left as it is; so is what belongs to another user, and
    what a link leads to. What vanishes meanwhile is no concern of ours.
    """
    return 0 if is_shared(folder) else sum(_close(path) for path in open_to_others(folder))


def close_file(file: Path) -> None:
    """Take every right of others away from one file of ours, if it is there."""
    _close(file)


def open_to_others(folder: Path, *, anybody: bool = False) -> Iterator[Path]:
    """The folder and what it holds, as far as another user may read, write or enter it and it belongs to us.

    `anybody`: to whomever it belongs.
    """
    for number, path in enumerate(_entries(folder.resolve())):
        if number >= MOST:
            return
        with suppress(FileNotFoundError, PermissionError):
            if is_open(path, anybody):
                yield path


def is_open(path: Path, anybody: bool = False) -> bool:
    """Whether another user has any right to a file or folder of ours. Raises OSError when it cannot be looked at."""
    found = path.lstat()
    ours = anybody or found.st_uid == os.geteuid()
    return ours and not stat.S_ISLNK(found.st_mode) and bool(found.st_mode & OTHERS)


def is_shared(folder: Path) -> bool:
    """Whether the folder is a system's, a person's home, or holds one of these or this program: never ours alone."""
    folder = folder.resolve()
    holds = (Path.home(), CODE, Path(tempfile.gettempdir()))
    return folder in _SHARED or any(folder == each or folder in each.resolve().parents for each in holds)


def _entries(folder: Path) -> Iterator[Path]:
    yield folder
    for inner, folders, files in os.walk(folder):
        yield from (Path(inner, name) for name in (*folders, *files))


def _close(path: Path) -> bool:
    with suppress(FileNotFoundError, PermissionError):
        if is_open(path):
            path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~OTHERS)
            return True
    return False
