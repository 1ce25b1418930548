"""Many people of one system in little memory: the vendor's rows compressed, and made into people when somebody looks.

Records have the same names and mostly the same words. Compressed with some others as its dictionary a record takes some
200 bytes instead of 6,000, and opening it takes some 30 microseconds.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from app.domain.employee import EmployeeRecord, OnDemand

FEW = 500
"""So many values are kept as they are: packing saves memory where there are many, and costs time."""
KEPT_OPEN = 64
"""So many people who were looked at last stay open: whoever is planned is looked at several times."""
MODELS = 20
"""So many of the values that are kept as they are make the dictionary for the others."""
_WINDOW = 32_768  # what zlib can refer back to

T = TypeVar("T")


class Packer:
    """Holds values of JSON that look alike, all but the first few packed."""

    def __init__(self) -> None:
        self._models: list[bytes] = []
        self._model, self._held = b"", 0
        self._primed: Any = None

    def hold(self, value: Any) -> Any:
        """The value, or what `open` makes it of."""
        self._held += 1
        if self._held <= FEW - MODELS:
            return value
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        if self._held <= FEW:
            self._models.append(text)
            return value
        packing = self._packing()
        return packing.compress(text) + packing.flush()

    def _packing(self) -> Any:
        """A compressor that has looked through the dictionary: to copy one takes less time than to look again."""
        if self._primed is None:
            self._model = b"".join(self._models)[-_WINDOW:]
            self._models.clear()
            self._primed = zlib.compressobj(level=6, wbits=-15, zdict=self._model)
        return self._primed.copy()

    def open(self, held: Any) -> Any:
        if not isinstance(held, bytes):
            return held
        opening = zlib.decompressobj(wbits=-15, zdict=self._model)
        return json.loads(opening.decompress(held))


def people_of(kept: list[T], make: Callable[[T], EmployeeRecord]) -> Sequence[EmployeeRecord]:
    """The people made of these; of many, each whenever somebody looks."""
    return [make(each) for each in kept] if len(kept) <= FEW else PackedPeople(kept, make)


class PackedPeople(OnDemand[EmployeeRecord], Generic[T]):
    """People made anew from what is kept of each."""

    def __init__(self, kept: list[T], make: Callable[[T], EmployeeRecord]) -> None:
        self._kept = kept
        self._made = lru_cache(KEPT_OPEN)(lambda place: make(kept[place]))

    def __len__(self) -> int:
        return len(self._kept)

    def at(self, place: int) -> EmployeeRecord:
        return self._made(place)
