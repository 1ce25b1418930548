"""The part of a test's rate limiter that is about vendors which let nobody in: every one answers, and has permits."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from app.domain.ports import Outlook, Silence


class NeverSilent:
    def sent(self, key: str) -> object:
        return key

    def ended(self, key: str, request: object, *, answered: bool | None) -> None:
        return None

    def silent_for(self, key: str) -> float:
        return 0.0

    def silences(self) -> list[Silence]:
        return []

    @cached_property
    def permits(self) -> dict[str, Outlook]:
        """What a test says of a key; of the others nothing is told."""
        return {}

    def outlook(self, keys: Collection[str], *, most: int) -> dict[str, Outlook]:
        return {key: self.permits[key] for key in keys if key in self.permits}
