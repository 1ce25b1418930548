"""How completely a list of people was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_READINGS = 3
"""How often a list that shifts while it is read is read from its beginning, before a run goes on and says so."""


@dataclass(frozen=True)
class Listed:
    """How completely a list was read. `readings`: how often from its beginning; `whole`: the last reading agrees with
    itself and with what the vendor announced; `missing`: how many more people the vendor announced than it listed.
    `end`: where it ended, for `EmployeeGateway.added`; None: whoever is added may stand anywhere."""

    readings: int
    whole: bool = True
    missing: int = 0
    end: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def is_final(self) -> bool:
        """Whether there is no use in reading once more."""
        return self.whole or self.readings >= MOST_READINGS
