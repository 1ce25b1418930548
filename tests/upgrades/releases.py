"""The releases from which an upgrade is tried, each with the revision of its schema and the commit it was made of.

`docs/deploy/upgrades.md` says why these. What each of them leaves when it is killed in the middle of a run is kept in
`kept/<revision>.jsonl`, made by `make.py` with that release's own code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

KEPT = Path(__file__).with_name("kept")


@dataclass(frozen=True)
class Release:
    revision: str
    commit: str

    @property
    def file(self) -> Path:
        return KEPT / f"{self.revision}.jsonl"

    def left(self) -> Left:
        return Left([json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()])


@dataclass(frozen=True)
class Left:
    """What a release has left: `lines` as `leave.py` has written them."""

    lines: list[dict[str, Any]]

    @property
    def head(self) -> dict[str, Any]:
        return self.lines[0]

    @cached_property
    def rows(self) -> list[tuple[str, dict[str, Any]]]:
        """(table, row) as SQLite holds them; bytes still as {"base64": …}."""
        return [(line["table"], line["row"]) for line in self.lines if "table" in line]

    def kept_by(self, vendor: str) -> Any:
        return next(line["kept"] for line in self.lines if line.get("vendor") == vendor)


RELEASES = (
    Release("0003", "b00777a"),
    Release("0007", "c3f7dd0"),
    Release("0011", "6237ab0"),
    Release("0016", "075782a"),
    Release("0019", "d8f308b"),
    Release("0021", "2c2ea32"),
    Release("0029", "bcf6a90"),
)
"""Oldest first."""
