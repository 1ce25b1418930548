"""ItemLedger: what the job of one item has to store and need not store at once goes with the job's next commit.

Each commit waits for the disk, so a job joins what may be joined: the end of one request with the beginning of the
next, the last answer with the outcome. What has to be there before a request leaves is in the commit before it. A death
in between leaves a request whose answer is not known here, which the next attempt settles anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from app.storage.links.rows import LinkState
from app.storage.unit_of_work import UnitOfWork

Write = Callable[[UnitOfWork], object]
Learned = Callable[[LinkState], object]


class ItemLost(Exception):
    """Another worker holds the item."""


class ItemLedger:
    """For one attempt, the one with this number. Used by one thread."""

    def __init__(self, unit_of_work: Callable[[], UnitOfWork], item_id: int, attempt: int) -> None:
        self._unit_of_work = unit_of_work
        self._item_id, self._attempt = item_id, attempt
        self._seen: list[Write] = []
        self._planned: dict[str, Write] = {}
        self._learned: list[tuple[int, Learned]] = []

    def seen(self, write: Write) -> None:
        """Store with the next commit what is true whoever holds the item: what a vendor has answered."""
        self._seen.append(write)

    def learned(self, link_id: int, change: Learned) -> None:
        """As `seen`, for what a link remembers of its pair."""
        self._learned.append((link_id, change))

    def planned(self, name: str, write: Write) -> None:
        """Store with the next commit what holds only as long as this attempt holds the item; in place of what was
        planned under this name."""
        self._planned[name] = write

    @contextmanager
    def commit(
        self, *, lease_until: datetime | None = None, learned: Sequence[tuple[int, Learned]] = ()
    ) -> Iterator[UnitOfWork]:
        """A transaction that begins with what waits. `lease_until`: renew the lease with it; raises ItemLost when it
        cannot be renewed. `learned`: more of that kind, which holds only with this transaction."""
        seen, planned, waiting = tuple(self._seen), dict(self._planned), tuple(self._learned)
        with self._unit_of_work() as uow:
            if lease_until is not None and not uow.items.renew(self._item_id, self._attempt, lease_until):
                raise ItemLost
            if lease_until is None and planned and not uow.items.is_held(self._item_id, self._attempt):
                planned_now: dict[str, Write] = {}
            else:
                planned_now = planned
            for write in (*seen, *planned_now.values()):
                write(uow)
            for link_id in dict.fromkeys(each for each, _ in (*waiting, *learned)):
                uow.links.change(link_id, *(change for each, change in (*waiting, *learned) if each == link_id))
            yield uow
        del self._seen[: len(seen)], self._learned[: len(waiting)]
        self._planned = {name: write for name, write in self._planned.items() if planned.get(name) is not write}

    def store_seen(self) -> None:
        """Commit what vendors have answered, if something waits."""
        if self._seen or self._learned:
            self._planned, planned = {}, self._planned
            try:
                with self.commit():
                    pass
            finally:
                self._planned = planned
