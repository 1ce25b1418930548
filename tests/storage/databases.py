"""Fixtures: an empty database and a migrated one, on SQLite and on PostgreSQL; and rows to begin with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select

from app.config import Settings
from app.domain.enums import Direction, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Connection
from app.domain.vendors.tokens import FreeeTokens
from app.storage.runs.rows import NewItem, NewRun, RunRow
from app.storage.unit_of_work import Database, make_engine
from app.storage.vault import Vault

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
KEY = "an-invented-encryption-key"
_numbers = itertools.count(1)


@pytest.fixture
def url(empty_url: Callable[[Path], str], tmp_path: Path) -> str:
    """An empty database."""
    return empty_url(tmp_path)


@pytest.fixture
def database(migrated_url: Callable[[Path], str], tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty database."""
    opened = Database(migrated_url(tmp_path), Vault([KEY]))
    yield opened
    opened.dispose()


def everything_stored(settings: Settings) -> bytes:
    """SQLite's files as they are; of PostgreSQL every value of every row."""
    if settings.database_url.startswith("sqlite"):
        return b"".join(file.read_bytes() for file in settings.data_dir.glob("awase.db*"))
    engine, there = make_engine(settings.database_url), MetaData()
    there.reflect(engine)
    with engine.connect() as connection:
        rows = [row for table in there.sorted_tables for row in connection.execute(select(table))]
    engine.dispose()
    return b"\n".join(bytes(v) if isinstance(v, bytes) else str(v).encode() for row in rows for v in row)


def add_connection(database: Database, key: str = "renshu", **changes: Any) -> Connection:
    """A connection that may be used at once."""
    with database.unit_of_work() as uow:
        given = {
            "key": key,
            "name": "練習株式会社",
            "smarthr_subdomain": "awase-renshu" if key == "renshu" else f"awase-{key}",
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
        ids = uow.items.add_many([new_item(claimed, n, holds_slot=not preview, chosen=preview) for n in range(items)])
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
        assert uow.items.record_outcome(item_id, attempt, state=state, now=NOW, **more)
