"""A word for the code that this process runs. What a survey keeps for the next one so that it need not work it out
again holds only where the same code would work it out again.

An upgrade makes another word, whatever it changes, and so does every tidying up. That costs one survey in which
everything is worked out anew, and nobody has to remember to say what a change concerns.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

_APP = Path(__file__).resolve().parents[2]
_FOLDERS = ("domain", "use_cases", "adapters")
_LIBRARIES = ("phonenumbers", "jaconv")
"""By which values are read and compared, besides Python itself."""


def word_of(folders: Iterable[Path], besides: Iterable[str] = ()) -> str:
    """Another one for other code and tables in these folders. Where a folder's code cannot be read, one that no other
    process has."""
    told = hashlib.sha256("\0".join(besides).encode())
    for folder in folders:
        files = sorted(each for each in folder.rglob("*") if each.suffix in (".py", ".json"))
        if not files:
            return secrets.token_hex(8)
        for each in files:
            content = each.read_bytes()
            told.update(f"{each.relative_to(folder).as_posix()} {len(content)}\0".encode())
            told.update(content)
    return told.hexdigest()[:16]


OWN_CODE = word_of([_APP / each for each in _FOLDERS], [sys.version, *map(version, _LIBRARIES)])
"""Made when the process starts: the files may be replaced while it goes on with the code that it has loaded."""
