"""Migrations up and down, and the models they must end at."""

from __future__ import annotations

import threading

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from app.storage.models import Base
from app.storage.schema import current_revision, downgrade, migrate
from app.storage.unit_of_work import make_engine


def tables(url: str) -> set[str]:
    engine = make_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_up_creates_every_table_and_down_removes_them(url: str) -> None:
    migrate(url)
    assert tables(url) == set(Base.metadata.tables) | {"alembic_version"}
    downgrade(url)
    assert tables(url) == {"alembic_version"}
    assert current_revision(url) is None
    migrate(url)
    assert set(Base.metadata.tables) <= tables(url)


def test_a_second_upgrade_changes_nothing(url: str) -> None:
    migrate(url)
    first = current_revision(url)
    migrate(url)
    assert current_revision(url) == first is not None


def test_the_migrations_end_at_the_models(url: str) -> None:
    migrate(url)
    engine = make_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()
    assert differences == []


def test_several_processes_may_migrate_at_once(url: str) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrate(url)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(Base.metadata.tables) <= tables(url)


def test_partial_indexes_are_partial_on_both_databases(url: str) -> None:
    migrate(url)
    engine = make_engine(url)
    slot = next(i for i in inspect(engine).get_indexes("items") if i["name"] == "uq_items_slot")
    engine.dispose()
    assert slot["unique"]
    conditions = {str(value) for key, value in slot["dialect_options"].items() if key.endswith("_where")}
    assert len(conditions) == 1
    assert "holds_slot" in conditions.pop()
