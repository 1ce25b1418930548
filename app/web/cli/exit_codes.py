"""Exit codes of the commands, the same for all of them (2 is click's own for a wrong call)."""

from __future__ import annotations

DONE = 0
FAILED = 1
REFUSED = 2
