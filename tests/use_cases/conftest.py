import pytest

from app.storage.unit_of_work import Database
from tests.storage.databases import database
from tests.use_cases.engine_room import Room, open_room

__all__ = ["database"]


@pytest.fixture
def room(database: Database) -> Room:
    """On SQLite and on PostgreSQL: the engine's promises hang on how their transactions meet."""
    return open_room(database)
