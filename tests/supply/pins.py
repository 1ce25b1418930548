"""The requirement files as data: which versions are pinned, where each applies, and by which hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PEERS = "tests/bench/requirements-peers.txt"
"""Of what the benchmark compares with, which is no dependency of the service."""
TELEMETRY = "requirements-telemetry.txt"
"""Of a service that tells a collector what it does: whoever wants that installs it."""
FILES = ("requirements.txt", "requirements-dev.txt", "requirements-supply.txt", TELEMETRY, PEERS)
_HASH = re.compile(r"--hash=(\w+):([0-9a-f]+)")


@dataclass(frozen=True)
class Pin:
    """`applies`: whether this machine's Python and system need it."""

    name: str
    version: str
    applies: bool
    hashes: tuple[tuple[str, str], ...]


def pins(text: str) -> list[Pin]:
    """Every pin of a requirement file. Raises ValueError for a line that is none."""
    joined = re.sub(r"\\\n", " ", text)
    return [_pin(line) for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pinned(file: str) -> list[Pin]:
    return pins((ROOT / file).read_text(encoding="utf-8"))


def _pin(line: str) -> Pin:
    wanted = Requirement(_HASH.sub("", line).strip())
    (only,) = wanted.specifier
    if only.operator != "==" or "*" in only.version:
        raise ValueError(f"not pinned: {wanted.name}")
    applies = wanted.marker is None or wanted.marker.evaluate()
    return Pin(canonicalize_name(wanted.name), only.version, applies, tuple(_HASH.findall(line)))
