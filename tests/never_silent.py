"""The part of a test's rate limiter that is about silence: every vendor answers."""

from __future__ import annotations

from app.domain.ports import Silence


class NeverSilent:
    def sent(self, key: str) -> object:
        return key

    def ended(self, key: str, request: object, *, answered: bool | None) -> None:
        return None

    def silent_for(self, key: str) -> float:
        return 0.0

    def silences(self) -> list[Silence]:
        return []
