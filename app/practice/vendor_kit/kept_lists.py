"""Lists as they were asked for last, kept until somebody is entered, changed or removed. Putting everybody in order
anew for each page makes the time of a long list grow with the square of its length."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 8
"""So many lists are kept; each holds a reference to everybody on it."""


class KeptLists(dict[K, V]):
    """Everybody by id. Who changes somebody in place says so (`changed`). Not locked."""

    def __init__(self, *arguments: Any) -> None:
        self._lists: dict[Hashable, list[Any]] = {}
        super().__init__(*arguments)

    def listed(self, asked: Hashable, make: Callable[[], list[Any]]) -> list[Any]:
        """What `make` gives for this question; nobody may change that list."""
        if asked not in self._lists:
            if len(self._lists) >= MOST:
                self._lists.clear()
            self._lists[asked] = make()
        return self._lists[asked]

    def changed(self) -> None:
        self._lists.clear()

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.changed()

    def __delitem__(self, key: K) -> None:
        super().__delitem__(key)
        self.changed()

    def pop(self, key: K, *default: Any) -> Any:
        self.changed()
        return super().pop(key, *default)
