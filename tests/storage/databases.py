"""Fixtures: a migrated database, on SQLite always and on PostgreSQL where there is a server."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.ports import FreeeTokens
from app.domain.run_state import ItemState, RunState
from app.domain.settings import Connection
from app.domain.words import Direction, Trigger
from app.storage.models import Base
from app.storage.rows import NewItem, NewRun, RunRow
from app.storage.schema import migrate
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
from tests.conftest import missing
from tests.storage.servers import create_database, missing_parts, running_cluster

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
KEY = "an-invented-encryption-key"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    reason = missing_parts()
    if reason:
        missing(reason)
    with running_cluster() as socket:
        yield socket


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'awase.db'}"
    return create_database(request.getfixturevalue("cluster"), f"t{next(_numbers)}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: migrating anew for every test would be most of its time."""
    path = tmp_path_factory.mktemp("template") / "awase.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def shared_postgresql(cluster: Path) -> Iterator[Database]:
    url = create_database(cluster, "shared")
    migrate(url)
    database = Database(url, Vault([KEY]))
    yield database
    database.dispose()


@pytest.fixture
def sqlite_database(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    path = tmp_path / "migrated.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}", Vault([KEY]))
    yield database
    database.dispose()


@pytest.fixture
def postgresql_database(shared_postgresql: Database) -> Database:
    """One database for all tests, emptied before each."""
    with shared_postgresql.engine.begin() as connection:
        names = ", ".join(Base.metadata.tables)
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    return shared_postgresql


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest) -> Database:
    """A migrated, empty database."""
    database: Database = request.getfixturevalue(f"{request.param}_database")
    return database


def add_connection(database: Database, key: str = "renshu", **changes: Any) -> Connection:
    """A connection that may be used at once."""
    with database.unit_of_work() as uow:
        given = {
            "key": key,
            "name": "練習株式会社",
            "smarthr_subdomain": "awase-renshu",
            "smarthr_token": "smarthr-token-invented",
            "freee_company_id": 1234567,
            "mail_to": ["jinji@example.com"],
            "now": NOW,
        }
        connection = uow.connections.add(**(given | changes))
        tokens = FreeeTokens("freee-access-invented", "freee-refresh-invented", NOW + timedelta(hours=6))
        uow.connections.set_freee_tokens(connection.id, tokens, now=NOW)
        stored = uow.connections.get(connection.id)
    assert stored is not None
    return stored


def add_run(database: Database, connection: Connection, **changes: Any) -> RunRow:
    """A WAITING run for everybody."""
    given: dict[str, Any] = {
        "public_id": f"run-{next(_numbers)}",
        "connection_id": connection.id,
        "direction": Direction.SMARTHR_TO_FREEE,
        "trigger": Trigger.MANUAL,
        "as_of_date": date(2026, 11, 22),
        "dry_run": False,
        "scope": None,
        "queue": "interactive",
        "started_by": "test",
        "created_at": NOW,
        "deadline_at": NOW + timedelta(hours=24),
    }
    with database.unit_of_work() as uow:
        return uow.runs.add(NewRun(**(given | changes)))


def new_item(run: RunRow, position: int = 0, **changes: Any) -> NewItem:
    given: dict[str, Any] = {
        "run_id": run.id,
        "connection_id": run.connection_id,
        "direction": run.direction,
        "position": position,
        "employee_number": f"{position + 1:04d}",
        "source_id": f"crew-{position}",
        "target_id": None,
        "kind": "update",
        "queue": run.queue,
        "state": ItemState.WAITING,
        "created_at": NOW,
        "holds_slot": True,
    }
    return NewItem(**(given | changes))


def running_run(
    database: Database, connection: Connection, *, items: int = 1, state: RunState = RunState.RUNNING, **changes: Any
) -> tuple[RunRow, list[int]]:
    """A run past its survey, with so many WAITING items and their outbox rows (none for a preview)."""
    run = add_run(database, connection, **changes)
    with database.unit_of_work() as uow:
        claimed = uow.runs.claim_survey(run.id, now=NOW, lease_until=NOW + timedelta(seconds=30))
        assert claimed is not None
        preview = state is RunState.PREVIEWED
        ids = uow.items.add_many([new_item(claimed, n, holds_slot=not preview) for n in range(items)])
        assert uow.runs.plan_committed(run.id, state=state, total=items, now=NOW)
        if not preview:
            uow.items.queue_waiting(run.id, now=NOW)
        stored = uow.runs.get(run.id)
    assert stored is not None
    return stored, ids


def start_item(database: Database, item_id: int, *, now: datetime = NOW, seconds: float = 30.0) -> int:
    """Claim an item; returns its attempt number."""
    with database.unit_of_work() as uow:
        before = uow.items.get(item_id)
        assert before is not None
        item = uow.items.claim(
            item_id, before.attempt, now=now, lease_until=now + timedelta(seconds=seconds), worker="test"
        )
    assert item is not None
    return item.attempt


def end_item(database: Database, item_id: int, state: ItemState = ItemState.SUCCEEDED, **more: Any) -> None:
    attempt = start_item(database, item_id)
    with database.unit_of_work() as uow:
        assert uow.items.finish(item_id, attempt, state=state, now=NOW, **more)
