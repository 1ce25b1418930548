"""Fixtures of the web tests: a world with one connection, the application, a client, keys for every need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.domain.access.roles import Role
from app.domain.employee import Person
from app.domain.settings.connection_settings import ExportSettings, PayType
from app.domain.vendors.tokens import FreeeTokens
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
from app.use_cases.accounts.api_keys import Scope, add_key
from app.use_cases.context import Context
from tests.house import House
from tests.web.application import application_on
from tests.web.visitor import Visitor, visitor
from tests.web.world import KEY, NOW, World, make_settings, make_world


@pytest.fixture
def enter(house: House) -> Callable[[Role], Visitor]:
    """`enter(Role.MEMBER)` → somebody of that role in front of the module's `house`."""
    app = application_on(house.ctx)
    return lambda role: visitor(house.ctx, app.test_client(), role)


@pytest.fixture
def world(tmp_path: Path, migrated_url: Callable[[Path], str]) -> Iterator[World]:
    """On SQLite and on PostgreSQL."""
    made = make_world(make_settings(tmp_path, DATABASE_URL=migrated_url(tmp_path)))
    with made.ctx.unit_of_work() as uow:
        connection = uow.connections.add(
            key=KEY,
            name="れんしゅう株式会社",
            smarthr_subdomain="awase-renshu",
            smarthr_token="an-invented-token",
            freee_company_id=1234567,
            mail_to=["hr@example.invalid"],
            now=NOW,
        )
        tokens = FreeeTokens("an-invented-access-token", "an-invented-refresh-token", NOW.replace(year=2027))
        uow.connections.set_freee_tokens(connection.id, tokens, now=NOW)
        uow.connections.set_export_settings(connection.id, ExportSettings("標準", "月末締め", PayType.MONTHLY, 200_000))
    for system, company in made.companies.items():
        company.people = [Person(system, f"{system}-{n}", f"{n:04d}", hired_on=date(2020, 4, 1)) for n in range(1, 10)]
    yield made
    made.database.dispose()


@pytest.fixture
def unmigrated(tmp_path: Path, empty_url: Callable[[Path], str]) -> Iterator[World]:
    """A world whose database has no tables yet."""
    made = make_world(make_settings(tmp_path, DATABASE_URL=empty_url(tmp_path)))
    yield made
    made.database.dispose()


@pytest.fixture
def without_database(world: World, database_kind: str) -> Iterator[Context]:
    """The world's context on a database that is not there."""
    urls = {"sqlite": "sqlite:////nowhere/at/all/awase.db", "postgresql": "postgresql+psycopg://x@/x?host=/nowhere"}
    nowhere = Database(urls[database_kind], Vault(world.ctx.settings.encryption_keys))
    yield replace(world.ctx, unit_of_work=nowhere.unit_of_work)
    nowhere.dispose()


@pytest.fixture
def app(world: World) -> Flask:
    return application_on(world.ctx)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def visit(world: World, app: Flask) -> Callable[..., Visitor]:
    """`visit(Role.MEMBER)` → a new user of that role, signed in, on a browser of their own."""

    def make(role: Role, **named: str) -> Visitor:
        return visitor(world.ctx, app.test_client(), role, **named)

    return make


@pytest.fixture
def bearer(world: World) -> Callable[..., dict[str, str]]:
    """`bearer("runs:read", …)` → headers with a new key of these scopes; without arguments a key that may do all."""

    def make(*scopes: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {add_key(world.ctx, 'テスト', scopes or list(Scope))}"}

    return make
