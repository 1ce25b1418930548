from tests.storage.databases import database
from tests.workers.test_worker import station

__all__ = ["database", "station"]
