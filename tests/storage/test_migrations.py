"""Every migration up, down and up again, on both databases, and the models they must end at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from app.storage.schema import current_revision, downgrade, migrate
from app.storage.tables.models import Base
from tests.storage.schema_walk import REVISIONS, STEPS, engine_of, shape
from tests.together import together

pytestmark = pytest.mark.sql


def tables(url: str) -> set[str]:
    with engine_of(url) as engine:
        return set(inspect(engine).get_table_names())


def differences(url: str) -> list[object]:
    """What alembic would still have to do to reach the models."""
    with engine_of(url) as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))


@pytest.mark.reach("test")
@pytest.mark.parametrize(
    "steps",
    [pytest.param(STEPS[-4:], id="the newest"), pytest.param(STEPS, id="all", marks=pytest.mark.reach("all"))],
)
def test_every_revision_goes_up_down_and_up_again(url: str, steps: list[tuple[str | None, str]]) -> None:
    """Down takes away exactly what up has brought, step by step and all the way."""
    first = steps[0][0]
    if first:
        migrate(url, first)
    shapes: dict[str | None, object] = {first: shape(url)}
    for before, revision in steps:
        migrate(url, revision)
        assert current_revision(url) == revision
        shapes[revision] = shape(url)
        assert shapes[revision] != shapes[before]
        downgrade(url, before or "base")
        assert (current_revision(url), shape(url)) == (before, shapes[before])
        migrate(url, revision)
        assert shape(url) == shapes[revision]
    for before, _ in reversed(steps):
        downgrade(url, before or "base")
        assert (current_revision(url), shape(url)) == (before, shapes[before])
    assert first or tables(url) == {"alembic_version"}
    migrate(url)
    assert (current_revision(url), shape(url)) == (REVISIONS[-1], shapes[REVISIONS[-1]])
    assert differences(url) == []


def test_a_second_upgrade_changes_nothing(url: str) -> None:
    migrate(url)
    before = shape(url)
    migrate(url)
    assert (current_revision(url), shape(url)) == (REVISIONS[-1], before)


def test_the_migrations_end_at_the_models(empty_url: Callable[[Path], str], tmp_path: Path) -> None:
    """As alembic compares them, and as the database tells both: alembic looks at no condition of an index."""
    urls = {}
    for name in ("migrated", "created"):
        (tmp_path / name).mkdir()
        urls[name] = empty_url(tmp_path / name)
    migrate(urls["migrated"])
    with engine_of(urls["created"]) as engine:
        Base.metadata.create_all(engine)
    assert differences(urls["migrated"]) == []
    migrated, created = (shape(urls[each], defaults=False) for each in ("migrated", "created"))
    assert set(migrated) == set(Base.metadata.tables)
    for table, wanted in created.items():
        assert migrated[table] == wanted, table


def test_several_processes_may_migrate_at_once(url: str) -> None:
    together(lambda _: migrate(url), 4)
    assert set(Base.metadata.tables) <= tables(url)


def test_partial_indexes_are_partial_on_both_databases(url: str) -> None:
    migrate(url)
    with engine_of(url) as engine:
        slot = next(i for i in inspect(engine).get_indexes("items") if i["name"] == "uq_items_slot")
    assert slot["unique"]
    conditions = {str(value) for key, value in slot["dialect_options"].items() if key.endswith("_where")}
    assert len(conditions) == 1
    assert "holds_slot" in conditions.pop()
