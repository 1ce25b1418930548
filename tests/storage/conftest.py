from tests.storage.databases import (
    cluster,
    database,
    postgresql_database,
    shared_postgresql,
    sqlite_database,
    sqlite_template,
    url,
)

__all__ = [
    "cluster",
    "database",
    "postgresql_database",
    "shared_postgresql",
    "sqlite_database",
    "sqlite_template",
    "url",
]
