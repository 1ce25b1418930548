"""Awase keeps employee records equal between SmartHR and freee人事労務.

This module holds nothing but the version, because importing the domain must not load a framework. It is the one that
pyproject.toml names: Awase is started from its checkout, so the file is always there.
"""

import re as _re
from pathlib import Path as _Path

_PROJECT = _Path(__file__).resolve().parent.parent / "pyproject.toml"
_NAMED = _re.search(r'^version = "([\w.+-]+)"$', _PROJECT.read_text(encoding="utf-8"), _re.MULTILINE)
assert _NAMED is not None, f"{_PROJECT} names no version"
__version__ = _NAMED[1]
