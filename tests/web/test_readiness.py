"""/health/ready: one word for strangers, 503 exactly when a webhook cannot be stored, and cheap however often asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select, text

from app import __version__
from app.factory import create_app
from app.storage.schema import downgrade
from app.storage.tables.upkeep_models import StoringProofTable
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
from app.use_cases.context import Context
from app.use_cases.monitoring.readiness import PATIENCE_SECONDS
from tests.statements import statements
from tests.web.application import operator_of
from tests.web.hooks import SECRET, SMARTHR_URL, listen, smarthr_body
from tests.web.world import World, impatient_database, locked

pytestmark = pytest.mark.sql

Bearer = Callable[..., dict[str, str]]
READY = "/health/ready"


def ready(client: FlaskClient) -> tuple[int, dict[str, Any]]:
    answer = client.get(READY)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json


@pytest.fixture
def operator(app: Flask, world: World) -> FlaskClient:
    return operator_of(app, world.ctx)


# ── who is told what ──────────────────────────────────────────────────────────────────────────────────────────────


def test_strangers_are_told_a_word(client: FlaskClient) -> None:
    assert ready(client) == (200, {"status": "ok"})
    assert client.get("/health/live").json == {"status": "ok"}


def test_operators_are_told_what_was_checked(operator: FlaskClient) -> None:
    checks = {"database": "ok", "migrations": "ok", "broker": "ok", "keys": "ok", "house": "ok"}
    assert ready(operator) == (200, {"status": "ok", "version": __version__, "checks": checks})


def test_a_key_for_something_else_tells_no_more_than_none(client: FlaskClient, bearer: Bearer) -> None:
    assert client.get(READY, headers={"Authorization": "Bearer no"}).status_code == 401
    answer = client.get(READY, headers=bearer("runs:read"))
    assert answer.status_code == 403 and "checks" not in answer.text


# ── the broker ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("state", "word"), [("away", "unreachable"), ("full", "refuses_writes")])
def test_without_the_broker_webhooks_are_stored(state: str, word: str, operator: FlaskClient, world: World) -> None:
    listen(world)
    setattr(world.broker, state, True)
    status, told = ready(operator)
    assert (status, told["status"], told["checks"]["broker"]) == (200, "degraded", word)
    assert stored(operator)


# ── the database ──────────────────────────────────────────────────────────────────────────────────────────────────


def stored(client: FlaskClient) -> bool:
    answer = client.post(SMARTHR_URL, data=smarthr_body(), headers={"X-SmartHR-Token": SECRET})
    assert answer.status_code in (202, 503), answer.text
    return answer.status_code == 202


@pytest.fixture
def without_room(world: World) -> Iterator[Context]:
    """The world on a database that may not grow any more, and is full to the last page."""
    database = Database(world.ctx.settings.database_url, Vault(world.ctx.settings.encryption_keys))

    @event.listens_for(database.engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

    yield replace(world.ctx, unit_of_work=database.unit_of_work)
    database.dispose()


@pytest.fixture
def read_only(world: World, database_kind: str) -> Iterator[Context]:
    """The world on a database that only lets itself be read: a standby, or a file system that was set to read-only."""
    option = "" if database_kind == "sqlite" else "&options=-c%20default_transaction_read_only%3Don"
    database = Database(world.ctx.settings.database_url + option, Vault(world.ctx.settings.encryption_keys))
    if database_kind == "sqlite":
        event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
    yield replace(world.ctx, unit_of_work=database.unit_of_work)
    database.dispose()


def told_by(ctx: Context, world: World) -> tuple[int, dict[str, Any], bool]:
    """What an operator is told, and whether a webhook can be stored."""
    app = create_app(ctx)
    status, told = ready(operator_of(app, world.ctx))
    return status, told, stored(app.test_client())


@pytest.mark.database("sqlite")
def test_a_full_disk(world: World, without_room: Context) -> None:
    listen(world)
    status, told, _ = told_by(without_room, world)
    assert (status, told["status"]) == (503, "unavailable")
    assert (told["checks"]["database"], told["checks"]["migrations"]) == ("refuses_writes", "ok")


def test_a_database_that_only_reads(world: World, read_only: Context) -> None:
    listen(world)
    app = create_app(read_only)
    for _ in range(2):  # the second time on connections that have read
        assert ready(app.test_client()) == (503, {"status": "unavailable"})
        assert not stored(app.test_client())
    answer = operator_of(app, world.ctx).get(READY)
    assert answer.status_code == 503, "that the key is used now cannot be noted"


def test_a_database_that_is_away(world: World, without_database: Context) -> None:
    app = create_app(without_database)
    answer = app.test_client().get(READY)
    assert (answer.status_code, answer.json) == (503, {"status": "unavailable"})
    assert int(answer.headers["Retry-After"]) > 0
    assert not stored(app.test_client())


def test_a_database_that_is_not_migrated(unmigrated: World) -> None:
    client = create_app(unmigrated.ctx).test_client()
    assert ready(client) == (503, {"status": "unavailable"})


def test_a_database_that_was_taken_back(app: Flask, world: World) -> None:
    world.database.dispose()
    downgrade(world.ctx.settings.database_url)
    assert ready(app.test_client()) == (503, {"status": "unavailable"})


def stands_at(world: World, revision: str) -> None:
    with world.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})


def test_a_database_that_is_too_old(operator: FlaskClient, world: World) -> None:
    stands_at(world, "0001")
    status, told = ready(operator)
    assert (status, told["checks"]["migrations"]) == (503, "pending")


def test_a_database_that_a_newer_version_has_migrated(operator: FlaskClient, world: World) -> None:
    """Processes of the version before go on until they are replaced: no load balancer takes them all away at once."""
    listen(world)
    stands_at(world, "9999")
    status, told = ready(operator)
    assert (status, told["checks"]["migrations"], told["checks"]["database"]) == (200, "ahead", "ok")
    assert told["status"] == "degraded"
    assert stored(operator)


def test_a_database_that_is_locked_for_long(operator: FlaskClient, world: World) -> None:
    """Nobody waits for the lock, and when it is gone the next look says so."""
    listen(world)
    operator.get("/api/v1/queue")  # the key has been used: reading it again writes nothing
    with locked(world.ctx.settings):
        began = time.monotonic()
        status, told = ready(operator)
        first, began = time.monotonic() - began, time.monotonic()
        again = [ready(operator)[0] for _ in range(5)]
        rest = time.monotonic() - began
    assert (status, told["checks"]["database"]) == (503, "no_answer")
    assert PATIENCE_SECONDS - 0.1 < first < PATIENCE_SECONDS + 3
    assert set(again) == {503} and rest < 1, "one look is under way: whoever asks meanwhile does not wait for it again"
    until = time.monotonic() + 30
    while ready(operator)[0] == 503:
        assert time.monotonic() < until
    assert stored(operator)


@pytest.mark.parametrize("callers", [40])
def test_strangers_cannot_load_it(callers: int, app: Flask, world: World) -> None:
    """However many ask at once, each check is looked at once a second, and the rows that prove it stay few."""
    began = time.monotonic()
    with statements(world.database.engine, of_readiness=True) as sent, ThreadPoolExecutor(8) as pool:
        words = list(pool.map(lambda _: app.test_client().get(READY).status_code, range(callers)))
    written = [statement for statement in sent if statement.startswith("INSERT INTO storing_proofs")]
    assert set(words) == {200}
    assert 1 <= len(written) <= 2 + (time.monotonic() - began)
    for _ in range(5):
        with world.ctx.unit_of_work() as uow:
            uow.proofs.store()
    with world.database.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(StoringProofTable)) == 1


def test_what_cannot_wait_does_not_wait(world: World) -> None:
    """A commit that takes no lock in time is a refusal, not a hang."""
    impatient = impatient_database(world.ctx.settings)
    client = create_app(replace(world.ctx, unit_of_work=impatient.unit_of_work)).test_client()
    with locked(world.ctx.settings):
        assert ready(client) == (503, {"status": "unavailable"})
    impatient.dispose()
