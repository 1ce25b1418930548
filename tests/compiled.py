"""One memory of compiled statements for all engines of a test process.

SQLAlchemy keeps what it has compiled per engine, and each test opens engines of its own: an eighth of the suite's CPU
went into compiling the same statements again. A service has one engine for its whole life and needs nothing of this.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache

MOST = 3000
Key = tuple[Any, ...]


class CompiledOfAll(LRUCache[Key, Any]):
    """SQLAlchemy's keys begin with the engine's dialect object; here its name and driver stand in its place."""

    def get(self, key: Key, default: Any = None) -> Any:
        return super().get(_of_all(key), default)

    def __setitem__(self, key: Key, value: Any) -> None:
        super().__setitem__(_of_all(key), value)


def _of_all(key: Key) -> Key:
    dialect, *rest = key
    return (dialect.name, dialect.driver, *rest)


COMPILED = CompiledOfAll(MOST)


@event.listens_for(Engine, "engine_connect")
def _take_it(connection: Connection) -> None:
    connection.execution_options(compiled_cache=COMPILED)
