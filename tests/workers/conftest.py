from tests.storage.databases import sqlite_database, sqlite_template

__all__ = ["sqlite_database", "sqlite_template"]
