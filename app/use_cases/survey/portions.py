"""The portions in which a survey reads and stores what is as long as the company."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
PORTION = 500
"""How many items one transaction stores: few enough that an arriving webhook never waits long for the database."""


def portions(entries: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(entries), PORTION):
        yield entries[start : start + PORTION]
