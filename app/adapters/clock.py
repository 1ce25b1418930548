"""SystemClock: the machine's clock in the form of the port `Clock`."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    def now(self) -> datetime:
        """The instant now, aware, UTC."""
        return datetime.now(UTC)
