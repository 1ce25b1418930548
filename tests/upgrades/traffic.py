"""Processes of the version before, at work while their database is migrated: they write what their schema has, in
transactions that the migration has to wait for."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, MetaData, Table

from app.storage.unit_of_work import make_engine

HELD_SECONDS = 0.4


class OldProcess:
    """Begins with `start`; after `stop` every thread has ended. What goes wrong in one is kept in `errors`."""

    def __init__(self, url: str, *, person: str) -> None:
        """`url`: of a database at the old revision. `person`: the crew whom its webhooks name."""
        self._engine = make_engine(url)
        self._person = person
        there = MetaData()
        there.reflect(self._engine)
        self._deliveries: Table = there.tables["deliveries"]
        self._items: Table = there.tables["items"]
        self.stored: list[str] = []
        """Keys of the webhooks that it has answered with 202."""
        self.errors: list[BaseException] = []
        self._stopped = threading.Event()
        self._holding = threading.Event()
        self._threads = [threading.Thread(target=self._kept, args=(each,)) for each in (self._receive, self._hold)]

    def start(self) -> None:
        """Returns when a transaction is open that holds the items, and a webhook has been stored."""
        for thread in self._threads:
            thread.start()
        if not self._holding.wait(20):
            raise TimeoutError("the version before does not come to its work")

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(60)
        self._engine.dispose()

    def await_stored(self, more: int) -> None:
        """Until so many more webhooks are stored. Raises TimeoutError."""
        wanted, deadline = len(self.stored) + more, time.monotonic() + 30
        while len(self.stored) < wanted:
            if time.monotonic() > deadline or self.errors:
                raise TimeoutError(f"the version before stores no webhook any more: {self.errors}")
            time.sleep(0.01)

    def _kept(self, work: Any) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the test tells it
            self.errors.append(error)

    def _receive(self) -> None:
        while not self._stopped.wait(0.01):
            key = uuid.uuid4().hex
            with self._engine.begin() as connection:
                connection.execute(self._deliveries.insert(), [self._delivery(key, connection)])
            self.stored.append(key)

    def _hold(self) -> None:
        """A job that ends its employee takes its time for that, again and again."""
        while not self._stopped.is_set():
            with self._engine.begin() as connection:
                connection.execute(self._items.update().values(queue=self._items.c.queue))
                self._holding.set()
                time.sleep(HELD_SECONDS)
            self._stopped.wait(0.1)

    def _delivery(self, key: str, connection: Connection) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {
            "system": "smarthr",
            "connection_id": 1,
            "event": "crew_updated",
            "dedup": key,
            "digest": key,
            "state": "received",
            "people": [self._person],
            "received_at": now if connection.dialect.name == "postgresql" else now.replace(tzinfo=None),
            "replays": 0,
        }
