"""The identity of this installation: a file that all its hosts share, outside the database, its backups and `.env`.

A database remembers to which identity it belongs. So a copy that wakes up elsewhere is recognised, however complete the
copy of the environment is. What counts of the identity is a digest, which does not lead back to the file.

A file that somebody has named (HOUSE_FILE) is taken as it is, so that several hosts and containers can share it. A file
that Awase makes itself stands in the data folder, which is copied as a whole now and then; so that one is *bound*: its
digest covers the machine and the very file (its inode), and a copy of it is another identity.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.safety.files import FILE

SHORTEST = 32
"""Characters of a file's content, at least: two houses must not have the same one by chance."""
_BOUND = "bound "
_MACHINE_ID = Path("/etc/machine-id")
_CONTAINER_SIGNS = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""In a container the id of the machine may be another one after each redeploy, so it does not count there."""


@dataclass(frozen=True)
class Identity:
    """`digest`: 64 hexadecimal digits."""

    digest: str

    @property
    def mark(self) -> str:
        """Enough of the digest to tell houses apart in logs and lists."""
        return mark_of(self.digest)


def mark_of(digest: str) -> str:
    return digest[:12]


class NoIdentity(Exception):
    """The file is missing and cannot be made, or is not to be used. The text is Japanese and names no content."""


def identity_in(file: Path, *, bound: bool) -> Identity:
    """The identity in the file, which is made where there is none; `bound`: to this machine. Raises NoIdentity."""
    try:
        text = _read(file) or _made(file, _BOUND if bound else "")
        return Identity(_digest(text, file))
    except (OSError, ValueError) as error:
        raise _unusable(error) from None


def existing_identity(file: Path) -> Identity | NoIdentity | None:
    """The identity in the file, None where there is none, or why it cannot be used. Makes nothing."""
    try:
        text = _read(file)
        return None if text is None else Identity(_digest(text, file))
    except (OSError, ValueError) as error:
        return _unusable(error)
    except NoIdentity as error:
        return error


def _unusable(error: Exception) -> NoIdentity:
    told = f"({type(error).__name__})。置き場所と、持ち主と権限を確認してください。"
    return NoIdentity(f"HOUSE_FILE のファイルを読むことも作ることもできません{told}")


def _read(file: Path) -> str | None:
    """The content; None where there is no file. Raises NoIdentity, OSError, ValueError."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    if len(text) < SHORTEST:
        raise NoIdentity(f"HOUSE_FILE のファイルの中身は、{SHORTEST}文字以上の推測できない文字列にしてください。")
    return text


def _made(file: Path, kind: str) -> str:
    """Make the file, whole from the first moment on; of two processes at the same moment one makes it, both read it."""
    file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=".house-", encoding="utf-8") as made:
        Path(made.name).chmod(FILE)
        made.write(f"{kind}{secrets.token_urlsafe(48)}\n")
        made.flush()
        os.fsync(made.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(made.name, file)
    return _read(file) or ""


def _digest(text: str, file: Path) -> str:
    place = f"{file.stat().st_ino} {_machine()}" if text.startswith(_BOUND) else ""
    return hmac.new(text.encode(), f"awase house {place}".encode(), hashlib.sha256).hexdigest()


def _machine() -> str:
    """The id of this machine; "" where it has none, or none that lasts."""
    if any(sign.exists() for sign in _CONTAINER_SIGNS):
        return ""
    try:
        found = _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return found if re.fullmatch(r"[0-9a-f]{32}", found) else ""
