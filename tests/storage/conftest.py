from tests.storage.databases import database, url

__all__ = ["database", "url"]
