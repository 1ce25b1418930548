"""A look at a database from outside a unit of work, for diagnosis: it makes no file and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, make_url, select, text

from app.safety.high_water import Count
from app.storage.access.sightings import PROXY_HEADERS
from app.storage.metrics.snapshot import known_revisions
from app.storage.tables.access_models import SightingTable
from app.storage.tables.key_models import ProcessTable
from app.storage.tables.upkeep_models import HouseTable
from app.storage.unit_of_work import make_engine

CONNECT_SECONDS = 3
TOLD_LATELY = timedelta(minutes=1)


@dataclass(frozen=True)
class Examined:
    """`revision`: None for an empty database. `known`: this version of the code has that revision. `now`: the clock of
    the database's machine, None where that is ours. `encrypted`: None where nothing travels over a network."""

    revision: str | None
    newest: str | None
    known: bool
    now: datetime | None
    encrypted: bool | None
    subdomain: str | None
    """SmartHR's name of some connected tenant, None without a connection."""
    proxy_headers_at: datetime | None = None
    """When a request last brought a proxy's header although the settings name no proxy."""
    skews: Mapping[str, float] = field(default_factory=dict)
    """Process → seconds by which the clock of its host was ahead of the database's when it last told."""
    house: str | None = None
    """The digest of the identity to which the database belongs; None where it belongs to nobody yet."""
    houses: frozenset[str] = frozenset()
    """The marks of the houses whose processes live on it."""
    count: Count | None = None
    """How far the house's count of beats has come; None where it does not count yet."""


def examine(url: str) -> Examined:
    """Look once. Raises OperationalError when the database does not answer in time."""
    engine = make_engine(_with_deadline(url))
    try:
        with engine.connect() as connection:
            return _examine(connection)
    finally:
        engine.dispose()


def _with_deadline(url: str) -> str:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" and "connect_timeout" not in parsed.query:
        parsed = parsed.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
    return parsed.render_as_string(hide_password=False)


def _examine(connection: Connection) -> Examined:
    now, encrypted = _over_there(connection) if connection.dialect.name == "postgresql" else (None, None)
    known = known_revisions()
    revision = MigrationContext.configure(connection).get_current_revision()
    return Examined(
        revision,
        known[0],
        revision is None or revision in known,
        now,
        encrypted,
        _some_tenant(connection),
        _proxy_headers_at(connection),
        _skews(connection),
        _house(connection),
        _houses(connection),
        _count(connection),
    )


def _over_there(connection: Connection) -> tuple[datetime, bool | None]:
    asked = "SELECT clock_timestamp(), inet_server_addr(), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    now, address, encrypted = connection.execute(text(asked)).one()
    return now.astimezone(UTC), None if address is None else bool(encrypted)


def _some_tenant(connection: Connection) -> str | None:
    if "connections" not in inspect(connection).get_table_names():
        return None
    return connection.execute(text("SELECT smarthr_subdomain FROM connections ORDER BY id LIMIT 1")).scalar()


def _proxy_headers_at(connection: Connection) -> datetime | None:
    if "sightings" not in inspect(connection).get_table_names():
        return None
    return connection.execute(select(SightingTable.last_at).where(SightingTable.name == PROXY_HEADERS)).scalar()


def _house(connection: Connection) -> str | None:
    if "houses" not in inspect(connection).get_table_names():
        return None
    return connection.execute(select(HouseTable.digest)).scalar()


def _count(connection: Connection) -> Count | None:
    there = inspect(connection)
    if "houses" not in there.get_table_names() or "beats" not in {each["name"] for each in there.get_columns("houses")}:
        return None
    row = connection.execute(select(HouseTable.since, HouseTable.beats)).first()
    return None if row is None else Count(row.since, row.beats)


def _houses(connection: Connection) -> frozenset[str]:
    """Of the processes that live."""
    there = inspect(connection)
    if "processes" not in there.get_table_names():
        return frozenset()
    if "house" not in {column["name"] for column in there.get_columns("processes")}:
        return frozenset()
    rows = connection.execute(select(ProcessTable.house, ProcessTable.seen_at)).all()
    last = max((row.seen_at for row in rows), default=None)
    return frozenset(row.house for row in rows if row.house and last is not None and row.seen_at > last - TOLD_LATELY)


def _skews(connection: Connection) -> dict[str, float]:
    """Of the processes that live: who has told within a minute of the one that told last."""
    there = inspect(connection)
    if "processes" not in there.get_table_names():
        return {}
    if "clock_skew_ms" not in {column["name"] for column in there.get_columns("processes")}:
        return {}
    rows = connection.execute(select(ProcessTable.name, ProcessTable.clock_skew_ms, ProcessTable.seen_at)).all()
    last = max((row.seen_at for row in rows), default=None)
    return {
        row.name: row.clock_skew_ms / 1000
        for row in rows
        if row.clock_skew_ms is not None and last is not None and row.seen_at > last - TOLD_LATELY
    }
