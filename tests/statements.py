"""What a database is asked meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

_OF_TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA")


@contextmanager
def statements(engine: Engine, *, of_readiness: bool = False) -> Iterator[list[str]]:
    """The statements sent inside the block, in order, transactions' own words left out. What the threads send that look
    whether the service is ready belongs to nothing else that is done meanwhile, so it is left out unless wanted."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        ready = threading.current_thread().name.startswith("ready-")
        if not statement.startswith(_OF_TRANSACTIONS) and (of_readiness or not ready):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
