"""A clock in the hands of the test: it goes when it is turned, and whoever sleeps by it turns it."""

from __future__ import annotations

from datetime import datetime, timedelta


class TurnedClock:
    """The port Clock. Sleeping takes no time, so that a test does not wait for the pauses between two attempts."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        self.turn(seconds=seconds)

    def turn(self, **span: float) -> None:
        self.instant += timedelta(**span)
