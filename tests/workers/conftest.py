from tests.storage.databases import sqlite_database, sqlite_template
from tests.workers.test_worker import station

__all__ = ["sqlite_database", "sqlite_template", "station"]
