"""What can be the id of a record at a vendor: SmartHR gives UUIDs, freee whole numbers."""

from __future__ import annotations

import re

LONGEST_ID = 64
_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_ID}}}")


def is_id(text: str) -> bool:
    """Whether the text is plainly an id. Anything else must not become part of the address of a vendor's call."""
    return _ID.fullmatch(text) is not None
