"""Asking a vendor while somebody waits for the page: a bounded pool, a deadline, and a clear answer without a turn.

A vendor may take a minute over each answer. So no thread of the web server asks one: the question goes to a thread of
this pool, and whoever asked is told after `PATIENCE_SECONDS` that it takes too long, or at once that too many are
asking. What has begun is not stopped: a change at a vendor may be done although its page came too late, and the text
says so. Pages and programs have pools of their own, so that no program takes the turns of people.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, cast

from flask import Flask, current_app, request

from app.domain.errors import TemporaryError
from app.places import place_given_up

T = TypeVar("T")

PATIENCE_SECONDS = 15.0
RETRY_SECONDS = 5.0
_IDLE_SECONDS = 30.0
"""A thread without a question ends after so long; until then it keeps its connection to the vendor."""
_EXTENSION = "awase-vendor-turns"


@dataclass(frozen=True)
class Bounds:
    """At most `asking` questions are being asked, and `waiting` more wait for a turn."""

    asking: int
    waiting: int

    @property
    def most(self) -> int:
        return self.asking + self.waiting


OF_PAGES = Bounds(asking=8, waiting=8)
"""A page of open questions reads up to six pairs by itself."""
OF_PROGRAMS = Bounds(asking=4, waiting=4)


class _Question(Generic[T]):
    """What is to be asked, and what came of it."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._answers: list[T] = []
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._begun = threading.Lock()

    def answer(self) -> None:
        """Ask, unless nobody waits any more."""
        if not self._begun.acquire(blocking=False):
            return
        try:
            self._answers.append(self._ask())
        except BaseException as error:  # noqa: BLE001 - raised where somebody waits for it
            self._error = error
        self._done.set()

    def outcome(self, seconds: float) -> T:
        """Wait for the answer. Raises what asking raised, or TemporaryError when it takes too long."""
        if not self._done.wait(seconds):
            self._begun.acquire(blocking=False)  # whoever has not been asked yet is not asked for nobody
            raise TemporaryError("vendors_late", retry_after=RETRY_SECONDS)
        if self._error is not None:
            raise self._error
        return self._answers[0]


class VendorTurns:
    """A pool of threads that begin when there is something to ask and end when there is not."""

    def __init__(self, bounds: Bounds, *, patience: float = PATIENCE_SECONDS, idle: float = _IDLE_SECONDS) -> None:
        self._bounds = bounds
        self._patience = patience
        self._idle = idle
        self._questions: queue.SimpleQueue[_Question[Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self.taken = 0
        """How many questions wait or are being asked."""
        self._threads = 0

    def ask(self, question: Callable[[], T]) -> T:
        """The answer of `question`, which asks a vendor. Raises what it raises; TemporaryError "vendors_busy" when too
        many are asking, "vendors_late" after the deadline."""
        asked = _Question(partial(copy_context().run, question))  # who asks is known in that thread, too
        with self._lock:
            if self.taken >= self._bounds.most:
                raise _busy()
            if self._threads < min(self._bounds.asking, self.taken + 1):
                self._begin_thread()
            self.taken += 1
            self._questions.put(asked)  # under the lock: a thread that is counted on must not leave before
        with place_given_up():
            return asked.outcome(self._patience)

    def _begin_thread(self) -> None:
        try:
            threading.Thread(target=self._work, name="vendor turn", daemon=True).start()
        except RuntimeError:  # the system gives none
            raise _busy() from None
        self._threads += 1

    def _work(self) -> None:
        while True:
            try:
                question = self._questions.get(timeout=self._idle)
            except queue.Empty:
                if self._leaves():
                    return
                continue
            question.answer()
            with self._lock:
                self.taken -= 1

    def _leaves(self) -> bool:
        """Whether this thread ends: not when a question came just now that counts on it."""
        with self._lock:
            if not self._questions.empty():
                return False
            self._threads -= 1
            return True


def _busy() -> TemporaryError:
    return TemporaryError("vendors_busy", retry_after=RETRY_SECONDS)


def attach_vendor_turns(app: Flask) -> None:
    app.extensions[_EXTENSION] = {True: VendorTurns(OF_PROGRAMS), False: VendorTurns(OF_PAGES)}


def ask_vendor(question: Callable[[], T]) -> T:
    """Ask a vendor for the page or the program of this request. `question` may use nothing of the request. Raises as
    `VendorTurns.ask` does."""
    turns = cast("dict[bool, VendorTurns]", current_app.extensions[_EXTENSION])
    return turns[request.path.startswith("/api/")].ask(question)
