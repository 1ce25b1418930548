"""Group commit: what several threads want stored at the same moment is stored by one of them, in one transaction.

SQLite has one writer, and its waiting is sleeping and trying again: 32 threads that fight for it starve each other
(measured: p99 600 to 1,160 ms), one that writes for all does not (66 ms; engine.md, finding 9). PostgreSQL gains too.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from app.domain.errors import TemporaryError

T = TypeVar("T")
R = TypeVar("R")

MOST = 200
"""In one transaction; the rest goes with the next."""
PAUSE_SECONDS = 0.001
LONGEST_SECONDS = 0.008
"""Who stores in a busy moment waits first until as many have joined as lately, or nobody for such a pause, at the
longest so long: those who have just been answered come again, and a quick commit alone would carry them by twos and
threes, at three times the cost. Who comes when nobody stores, and the last one stored alone, waits for nothing."""


class _Ticket(Generic[T, R]):
    """One caller's value, and later its result or the error of its transaction."""

    def __init__(self, value: T) -> None:
        self.value = value
        self.results: list[R] = []
        self.error: BaseException | None = None
        self.leads = False
        """Its caller is the one who stores for all who wait."""
        self.done = False
        self.called = threading.Lock()
        """Held until its caller has to go on: it is done, or it leads."""
        self.called.acquire()

    def outcome(self) -> R:
        if self.error is not None:
            raise self.error
        return self.results[0]


class GroupCommit(Generic[T, R]):
    """`store` takes values and returns their results in the same order, in one transaction or not at all.

    `common`: errors that say nothing about a value (the database is away): everybody in the transaction gets them. Any
    other error may be the fault of one value alone, so the values are then stored one by one.
    """

    def __init__(
        self, store: Callable[[Sequence[T]], Sequence[R]], *, common: tuple[type[BaseException], ...] = ()
    ) -> None:
        self._store = store
        self._common = common
        self._waiting: deque[_Ticket[T, R]] = deque()
        self._lock = threading.Lock()
        self._storing = False
        self._sizes = (1, 1)
        """How many values the last two transactions held."""

    @property
    def waiting(self) -> int:
        """How many stand in line for the next transaction."""
        return len(self._waiting)

    def submit(self, value: T, *, patience: float) -> R:
        """Returns once the value is stored. Raises what `store` raised, and TemporaryError when no turn came within
        `patience` seconds; the value is then not stored, or its transaction is still under way."""
        ticket: _Ticket[T, R] = _Ticket(value)
        with self._lock:
            self._waiting.append(ticket)
            if not self._storing:
                self._storing = ticket.leads = True
        first = ticket.leads
        if not first and not ticket.called.acquire(timeout=patience):
            self._withdraw(ticket)
        if ticket.leads:
            if not first or self._sizes[-1] > 1:
                self._let_join()
            self._store_waiting()
        return ticket.outcome()

    def _let_join(self) -> None:
        seen, end = 0, time.monotonic() + LONGEST_SECONDS
        enough = max(2, *self._sizes)
        while seen < self.waiting < enough and time.monotonic() < end:
            seen = self.waiting
            time.sleep(PAUSE_SECONDS)

    def _store_waiting(self) -> None:
        """Nobody who is done waits for the next transaction, and the next one begins without him: one lock for all
        made batches of two or three out of 32 callers."""
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        self._sizes = (self._sizes[-1], len(batch))
        self._complete(batch)
        for ticket in batch:
            ticket.called.release()
        with self._lock:
            self._storing = bool(self._waiting)
            if self._storing:
                self._waiting[0].leads = True
                self._waiting[0].called.release()

    def _complete(self, batch: Sequence[_Ticket[T, R]]) -> None:
        error = self._try(batch)
        if error is None:
            return
        if len(batch) > 1 and not isinstance(error, self._common):
            for ticket in batch:
                ticket.error = self._try([ticket])
        else:
            for ticket in batch:
                ticket.error = error
        for ticket in batch:
            ticket.done = True

    def _try(self, batch: Sequence[_Ticket[T, R]]) -> BaseException | None:
        """Store them, or say why not. Nothing is swallowed: every caller raises the error of his value."""
        try:
            results = self._store([ticket.value for ticket in batch])
        except BaseException as error:  # noqa: BLE001 - see above; a caller left without an outcome would wait for ever
            return error
        for ticket, result in zip(batch, results, strict=True):
            ticket.results = [result]
            ticket.done = True
        return None

    def _withdraw(self, ticket: _Ticket[T, R]) -> None:
        """Raises TemporaryError, unless it was called at this very moment."""
        with self._lock:
            if ticket.done or ticket.leads:
                return
            if ticket in self._waiting:  # else it is on its way
                self._waiting.remove(ticket)
        raise TemporaryError("database_unavailable")
