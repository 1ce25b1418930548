"""What this host remembers of its database: how far its count of beats had come (`use_cases.household`).

It stands outside the database, so a database that has gone back to an earlier state knows less than this file. Best it
stands beside the identity, where all hosts and containers of an installation see it; else in the data folder. Where it
is lost nothing is noticed, and nobody rests for it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, order=True)
class Count:
    """`since`: when the house took the database over; each time it begins to count anew."""

    since: datetime
    beats: int


class HighWater:
    """Kept by several processes, and hosts, at once: what one forgets, the next one notes again."""

    def __init__(self, files: Sequence[Path]) -> None:
        """`files`: where it may stand, the best place first."""
        self._files = files

    def highest(self) -> Count | None:
        """The furthest that is remembered in any of the places; None where nothing is, or nothing that can be read."""
        return max(filter(None, map(_read, self._files)), default=None)

    def note(self, count: Count) -> None:
        """Remember it in the first place that can be written; what was remembered of before is forgotten."""
        for file in self._files:
            if _read(file) == count or _written(file, count):
                return


def _read(file: Path) -> Count | None:
    try:
        since, beats = file.read_text(encoding="ascii").split()
        return Count(datetime.fromisoformat(since), int(beats))
    except (OSError, ValueError):
        return None


def _written(file: Path, count: Count) -> bool:
    """Whether the file holds it now, whole or not at all."""
    made = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        made.write_text(f"{count.since.isoformat()} {count.beats}\n", encoding="ascii")
        made.replace(file)
    except OSError:
        with suppress(OSError):
            made.unlink(missing_ok=True)
        return False
    return True
