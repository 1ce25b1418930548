"""Schema: brings a database to the newest migration, or back, from Python (no alembic.ini, no shell)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, make_url, text

from app.storage.unit_of_work import make_engine

_LOCK = 0x4157_4153_45  # "AWASE": one migration at a time on PostgreSQL; SQLite's write lock sees to it by itself


def migrate(url: str, revision: str = "head") -> None:
    """Upgrade the database to `revision`; does nothing when it stands there already."""
    _run(url, revision, up=True)


def downgrade(url: str, revision: str = "base") -> None:
    """Take the database back to `revision`. The data of dropped tables is gone."""
    _run(url, revision, up=False)


def current_revision(url: str) -> str | None:
    """The revision at which the database stands, None when it is empty."""
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def sqlite_files(url: str) -> list[Path]:
    """The files in which SQLite keeps this database, there or not; none for another database or one in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return []
    return [Path(f"{parsed.database}{end}") for end in ("", "-wal", "-shm", "-journal")]


def is_missing(url: str) -> bool:
    """Whether the database is a SQLite file that is not there, and would be made by whoever connects."""
    files = sqlite_files(url)
    return bool(files) and not files[0].is_file()


def in_use(url: str) -> bool:
    """Whether the database holds an installation: a user or a connection. A SQLite file that is not there is not made.

    Raises OperationalError when the database does not answer.
    """
    if is_missing(url):
        return False
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            tables = {"users", "connections"} & set(inspect(connection).get_table_names())
            asked = (text(f"SELECT 1 FROM {table} LIMIT 1") for table in sorted(tables))  # noqa: S608 - our own names
            return any(connection.execute(each).first() is not None for each in asked)
    finally:
        engine.dispose()


def _run(url: str, revision: str, *, up: bool) -> None:
    engine = make_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            config.attributes["connection"] = connection
            (command.upgrade if up else command.downgrade)(config, revision)
    finally:
        engine.dispose()
