"""SystemClock: the machine's clock in the form of the port `Clock`."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    def now(self) -> datetime:
        """The instant now, aware, UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Let this thread wait."""
        time.sleep(seconds)
