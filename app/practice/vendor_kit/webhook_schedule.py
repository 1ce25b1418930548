"""When a practice vendor sends a webhook, how often it tries, and the switches for what goes wrong on the way.

What the vendors do not document is a switch.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.practice.vendor_kit.fault_injection import Switch

COMMON = (
    Switch("webhook_echo", True, note="whether writes through the API fire as well"),
    Switch("webhook_duplicates", 0, (0, 1, 2), note="further copies of every notification"),
    Switch("webhook_order", "in_order", ("in_order", "shuffled"), note="first attempts, per person"),
    Switch("webhook_loss", "none", ("none", "all", "every_third"), note="never sent and never tried again"),
    Switch("webhook_delay", 0, (0, 1, 5), note="seconds before the first attempt, whatever the time scale"),
    Switch("webhook_time_scale", 1.0, (1.0, 0.01, 0.001), note="length of a second in timeouts and retry gaps"),
)
SMARTHR_RETRIES = {"production": 17, "sandbox": 5}
SMARTHR = (
    *COMMON,
    Switch("webhook_retries", "production", tuple(SMARTHR_RETRIES), note="17 in about 3 days, 5 in about 8 minutes"),
    Switch("webhook_on_untouched", False, note="whether a change that changes nothing fires"),
    Switch("webhook_import_singles", False, note="whether an import fires crew_created and crew_updated besides"),
    Switch("flips_on_leaving", True, note="在籍状況 becomes 退職済 by itself after a future 退職年月日"),
)
FREEE = (*COMMON, Switch("webhook_retries", 0, (0, 3), note="retries are not documented"))

SMARTHR_TIMEOUT = 60.0
FREEE_TIMEOUT = 30.0
SHORTEST_TIMEOUT = 1.0
"""The fewest seconds of a scaled timeout: with fewer, a busy machine would be taken for a dead receiver."""
SHUFFLED_WITHIN = 0.5
"""Seconds by which notifications are held back at random when their order is shuffled."""


@dataclass(frozen=True)
class Schedule:
    """One vendor's habits. `most_retries` says how many attempts may follow the first one as the switches stand."""

    switch: Callable[[str], Any]
    timeout_seconds: float
    most_retries: Callable[[], int]

    @property
    def timeout(self) -> float:
        """Seconds a receiver has for its answer."""
        scaled = self.timeout_seconds * float(self.switch("webhook_time_scale"))
        return max(SHORTEST_TIMEOUT, scaled)

    @property
    def shuffled(self) -> bool:
        return bool(self.switch("webhook_order") == "shuffled")

    @property
    def copies(self) -> int:
        """How many times the same notification is sent."""
        return 1 + int(self.switch("webhook_duplicates"))

    def before_first(self) -> float:
        """Seconds from the event to the first attempt."""
        delay = float(self.switch("webhook_delay"))
        return delay + random.uniform(0, SHUFFLED_WITHIN) if self.shuffled else delay

    def before_retry(self, failed: int) -> float:
        """Seconds from the end of the `failed`-th attempt to the next. Fits both published totals
        (docs/vendors/smarthr.md#delivery)."""
        n = failed - 1
        seconds: float = n**4 + 15 + random.randint(0, 9) * (n + 1)
        return seconds * float(self.switch("webhook_time_scale"))

    def loses(self, number: int) -> bool:
        """Whether the `number`-th notification (from 1) gets lost."""
        loss = self.switch("webhook_loss")
        return bool(loss == "all" or (loss == "every_third" and number % 3 == 0))
