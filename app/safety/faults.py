"""Fault: one thing that is wrong with the settings, in words that never hold the value itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`code` is stable. `told` goes on behind the variable's name (Japanese, without the value); `remedy` says what to
    do, and is "" where `told` says it already."""

    code: str
    variable: str
    told: str
    remedy: str = ""

    @property
    def sentence(self) -> str:
        return f"{self.variable} {self.told}"

    def __str__(self) -> str:
        return f"{self.sentence}{self.remedy} [{self.code}]"
