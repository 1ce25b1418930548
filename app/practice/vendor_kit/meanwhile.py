"""What happens once while a request is on its way: somebody edits at the vendor's screen, before or after it is carried
out."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class _Happening:
    happens: Callable[[], object]
    method: str
    path: re.Pattern[str]
    left: int
    carried_out: bool

    def is_due(self, method: str, path: str, *, carried_out: bool) -> bool:
        if carried_out is not self.carried_out or method != self.method or not self.path.search(path):
            return False
        self.left -= 1
        return self.left == 0


class Meanwhile:
    """What is still to happen. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Happening] = []

    def add(self, happens: Callable[[], object], *, method: str, path: str, nth: int, carried_out: bool) -> None:
        with self._lock:
            self._waiting.append(_Happening(happens, method, re.compile(path), nth, carried_out))

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def let_happen(self, method: str, path: str, *, carried_out: bool) -> None:
        """Do what is due at this point of a request."""
        with self._lock:
            due = [each for each in self._waiting if each.is_due(method, path, carried_out=carried_out)]
            self._waiting = [each for each in self._waiting if each not in due]
        for each in due:
            each.happens()
