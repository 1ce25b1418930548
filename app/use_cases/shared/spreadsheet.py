"""What keeps a file of ours from acting in somebody's spreadsheet program."""

from __future__ import annotations

MARK = "\ufeff"
"""Stands at the beginning of a file, so that Excel reads it as UTF-8."""
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def no_formula(cell: str, *, also: tuple[str, ...] = ()) -> str:
    """The cell as text: an apostrophe stands before what begins like a formula, or with one of `also`."""
    return f"'{cell}" if cell.lstrip(" \u3000").startswith((*_FORMULAS, *also)) else cell
