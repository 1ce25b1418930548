"""Writes what README says of the items from FIELDS (app/domain/mapping.py): the table, and how many pairs there are.

    python docs/tools/items.py

tests/architecture/test_house.py says when that is due.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
_TABLE = re.compile(r"^\| 番号 \|.*\n(?:\|.*\n)+", re.MULTILINE)
_PAIRS = re.compile(r"\d+ item pairs")


def written(readme: str) -> str:
    """The text of README with the items as they are. Raises ValueError where the table or the number is not found."""
    sys.path.insert(0, str(ROOT))
    from app.domain.mapping import FIELDS
    from tests.mapping_table import mapping_table_markdown  # the project is not installed

    pairs = len({number for row in FIELDS for number in row.numbers})
    for pattern, text in ((_TABLE, mapping_table_markdown()), (_PAIRS, f"{pairs} item pairs")):
        readme, found = pattern.subn(text, readme)
        if found != 1:
            raise ValueError(f"README.md holds {found} times what matches {pattern.pattern!r}")
    return readme


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
