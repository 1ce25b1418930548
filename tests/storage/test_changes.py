"""The plan of one item, kept change by change: a new plan replaces its own, never what was written, never another's."""

from __future__ import annotations

import pytest

from app.domain.enums import Step
from app.domain.snapshot import BLANK
from app.storage.enums import ChangeState
from app.storage.runs.rows import NewChange
from app.storage.unit_of_work import Database
from tests.storage.databases import add_connection, running_run

pytestmark = pytest.mark.sql

PHONE = NewChange("phone", "0311112222", "0333334444", Step.PROFILE)
TITLE = NewChange("title", BLANK, "課長", Step.PROFILE)


def kept(database: Database, item_id: int) -> list[tuple[object, ...]]:
    with database.unit_of_work() as uow:
        rows = uow.changes.of_items([item_id])[item_id]
    return [(row.key, row.before, row.after, row.state, row.step) for row in rows]


def test_a_new_plan_replaces_the_plan_of_its_own_item_only(database: Database) -> None:
    _, (item, other) = running_run(database, add_connection(database), items=2)
    with database.unit_of_work() as uow:
        uow.changes.replace(other, [PHONE])
        uow.changes.replace(item, [PHONE])
        uow.changes.replace(item, [TITLE])
    assert kept(database, item) == [("title", BLANK, "課長", ChangeState.PLANNED, Step.PROFILE)]
    assert kept(database, other) == [("phone", "0311112222", "0333334444", ChangeState.PLANNED, Step.PROFILE)]


def test_what_was_written_stays_and_keeps_what_was_there_at_first(database: Database) -> None:
    _, (item, other) = running_run(database, add_connection(database), items=2)
    with database.unit_of_work() as uow:
        for each in (item, other):
            uow.changes.replace(each, [PHONE, TITLE])
        uow.changes.mark_written(item, ["phone"])
        uow.changes.replace(item, [NewChange("phone", "0333334444", "0355556666", Step.CREATE)])
    assert kept(database, item) == [("phone", "0311112222", "0355556666", ChangeState.PLANNED, Step.CREATE)]
    assert [row[3] for row in kept(database, other)] == [ChangeState.PLANNED, ChangeState.PLANNED]
    with database.unit_of_work() as uow:
        uow.changes.mark_written(item, ["phone"], step=Step.PROFILE)
        uow.changes.replace(item, [])
    assert kept(database, item) == [("phone", "0311112222", "0355556666", ChangeState.WRITTEN, Step.PROFILE)]


def test_a_plan_may_be_kept_as_written_at_once(database: Database) -> None:
    _, (item,) = running_run(database, add_connection(database))
    with database.unit_of_work() as uow:
        uow.changes.replace(item, [PHONE], state=ChangeState.WRITTEN)
        uow.changes.replace(item, [TITLE])
        assert uow.changes.of_items([item + 1]) == {item + 1: []}
    assert [(row[0], row[3]) for row in kept(database, item)] == [
        ("phone", ChangeState.WRITTEN),
        ("title", ChangeState.PLANNED),
    ]
