"""Reads the table of 市区町村 from the file beside this module, once per process.

`docs/tools/municipalities.py` writes the file.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from app.domain.japanese.municipalities import Municipalities

FILE = Path(__file__).with_suffix(".json")


@cache
def municipalities() -> Municipalities:
    """The table of today. Raises OSError or ValueError where the installation is not whole."""
    held: dict[str, list[str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return Municipalities({prefecture: tuple(names) for prefecture, names in held.items()})
