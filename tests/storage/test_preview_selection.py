"""Choosing: only those who wait, only while nobody has decided; and what the pages ask of a whole run at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.enums import Direction, System
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Connection
from app.storage.runs.person_orders import OrderBy, PersonOrder
from app.storage.runs.preview_selection import CHUNK, Asked
from app.storage.runs.rows import NewChange
from app.storage.unit_of_work import Database
from tests.storage.databases import NOW, add_connection, add_run, new_item, running_run

AS_LISTED = PersonOrder(OrderBy.PLACE)

pytestmark = pytest.mark.sql


def test_only_of_a_preview_that_nobody_has_decided_on(database: Database) -> None:
    connection = add_connection(database)
    run, _ = running_run(database, connection, items=3, state=RunState.PREVIEWED, dry_run=True)
    with database.unit_of_work() as uow:
        assert uow.preview_selection.choose_at(run.id, [0, 1], chosen=False) == 2
        assert uow.preview_selection.chosen_count(run.id) == 1
    with database.unit_of_work() as uow:
        assert uow.runs.approve(run.id, by="test", now=NOW, deadline_at=NOW)
    with database.unit_of_work() as uow:
        assert uow.preview_selection.choose(Asked(run), chosen=True) == 0
        assert uow.preview_selection.chosen_count(run.id) == 1


def test_nobody_of_another_run_and_nobody_who_does_not_wait(database: Database) -> None:
    connection = add_connection(database)
    mine, _ = running_run(database, connection, items=2, state=RunState.PREVIEWED, dry_run=True)
    other, _ = running_run(database, connection, items=2, state=RunState.PREVIEWED, dry_run=True)
    with database.unit_of_work() as uow:
        uow.items.add_many([new_item(mine, 7, state=ItemState.UNCHANGED, chosen=False)])
        assert uow.preview_selection.choose_at(mine.id, [7, 99], chosen=True) == 0
        assert uow.preview_selection.choose(Asked(mine), chosen=False) == 2
        twice = [0] * (CHUNK + 1)  # two statements, one person
        assert uow.preview_selection.choose_at(mine.id, twice, chosen=True) == 2
        assert (uow.preview_selection.chosen_count(mine.id), uow.preview_selection.chosen_count(other.id)) == (1, 2)


def test_everybody_whom_the_filter_finds_is_chosen(database: Database) -> None:
    run, _ = running_run(database, add_connection(database), items=0, state=RunState.PREVIEWED, dry_run=True)
    kinds = ("create", "update", "create")
    items = [
        new_item(run, n, source_id=f"p{n}", chosen=False, kind=kind, holds_slot=False) for n, kind in enumerate(kinds)
    ]
    with database.unit_of_work() as uow:
        uow.items.add_many(items)
        assert uow.preview_selection.choose(Asked(run, {ItemState.WAITING: ["create"]}), chosen=True) == 2
        seen = uow.preview_selection.listed(Asked(run), AS_LISTED, page=1, size=9).rows
    assert [(each.position, each.chosen) for each in seen] == [(0, True), (1, False), (2, True)]


@pytest.mark.parametrize("among", [None, {ItemState.WAITING: ["create"], ItemState.UNCHANGED: ["nothing", "update"]}])
def test_the_pages_hold_everybody_once_in_the_order_of_the_run(
    database: Database, among: dict[ItemState, list[str]] | None
) -> None:
    run, _ = running_run(database, add_connection(database), items=0, state=RunState.PREVIEWED, dry_run=True)
    kinds = [(ItemState.WAITING, "create"), (ItemState.WAITING, "update"), (ItemState.UNCHANGED, "nothing")]
    items = [
        new_item(run, n, source_id=f"p{n}", state=kinds[n % 3][0], kind=kinds[n % 3][1], holds_slot=False, chosen=False)
        for n in range(17)
    ]
    with database.unit_of_work() as uow:
        uow.items.add_many(items)
        everybody = [
            each.id
            for each in uow.preview_selection.listed(Asked(run), AS_LISTED, page=1, size=99).rows
            if among is None or each.kind in among.get(each.state, ())
        ]
        asked = Asked(run, among)
        pages = [uow.preview_selection.listed(asked, AS_LISTED, page=page, size=4) for page in range(1, 7)]
        whole = -(-len(everybody) // 4)
        assert [row.id for page in pages[:whole] for row in page.rows] == everybody
        assert all(page == pages[whole - 1] for page in pages[whole:]), "behind the last page is the last one"
        assert {page.total for page in pages} == {len(everybody)}
        assert sum(each.people for each in uow.preview_selection.tally(Asked(run))) == 17


def test_a_page_of_nobody_is_the_first_one(database: Database) -> None:
    run, _ = running_run(database, add_connection(database), items=2, state=RunState.PREVIEWED, dry_run=True)
    with database.unit_of_work() as uow:
        nobody = Asked(run, {ItemState.CONFLICT: ["update"]})
        assert uow.preview_selection.listed(nobody, AS_LISTED, page=3, size=4) == ([], 0, 1)


def test_changes_are_counted_for_the_chosen_of_one_kind(database: Database) -> None:
    run, _ = running_run(database, add_connection(database), items=0, state=RunState.PREVIEWED, dry_run=True)
    change = (NewChange("last_name", "a", "b"), NewChange("title", "c", "d"))
    with database.unit_of_work() as uow:
        uow.items.add_many(
            [
                new_item(run, 0, changes=change, chosen=True, holds_slot=False),
                new_item(run, 1, changes=change[:1], chosen=True, holds_slot=False),
                new_item(run, 2, changes=change, chosen=False, holds_slot=False),
                new_item(run, 3, changes=change, chosen=True, holds_slot=False, kind="create"),
            ]
        )
        assert uow.preview_selection.changes_by_key(run.id, kind="update") == {"last_name": 2, "title": 1}
        ids = [each.id for each in uow.preview_selection.listed(Asked(run), AS_LISTED, page=1, size=9).rows]
        assert uow.preview_selection.keys_of(ids[:2]) == {ids[0]: ["last_name", "title"], ids[1]: ["last_name"]}
        assert [row.position for row in uow.preview_selection.items([ids[3], ids[0]])] == [0, 3]


def test_how_far_a_survey_has_read(database: Database) -> None:
    run = add_run(database, add_connection(database))
    with database.unit_of_work() as uow:
        assert uow.preview_selection.pages_read(run.id) == {}
        uow.survey_pages.add(run.id, System.SMARTHR, seq=0, rows=[], next_cursor="2")
        uow.survey_pages.add(run.id, System.SMARTHR, seq=1, rows=[], next_cursor=None)
        uow.survey_pages.add(run.id, System.FREEE, seq=0, rows=[], next_cursor="x")
        assert uow.preview_selection.pages_read(run.id) == {System.SMARTHR: (2, True), System.FREEE: (1, False)}


def ended(database: Database, connection: Connection, state: RunState, **changes: object) -> str:
    run = add_run(database, connection, **changes)
    with database.unit_of_work() as uow:
        uow.runs.fail(run.id, "E1", NOW) if state is RunState.FAILED else uow.runs.cancel(run.id, NOW)
        assert uow.runs.close(run.id, now=NOW + timedelta(minutes=1)) is state
    return run.public_id


def test_the_last_attempt_is_no_preview_that_was_thrown_away(database: Database) -> None:
    connection = add_connection(database)
    to_freee = Direction.SMARTHR_TO_FREEE
    failed = ended(database, connection, RunState.FAILED)
    ended(database, connection, RunState.CANCELLED, dry_run=True)
    ended(database, connection, RunState.FAILED, direction=Direction.FREEE_TO_SMARTHR)
    with database.unit_of_work() as uow:
        last = uow.preview_selection.last_attempts(connection.id).get(to_freee)
        assert last is not None and last.public_id == failed
        assert uow.preview_selection.last_success(connection.id, to_freee) is None
        assert uow.preview_selection.open_runs(connection.id) == []
    cancelled = ended(database, connection, RunState.CANCELLED)
    waiting = add_run(database, connection, dry_run=True)
    with database.unit_of_work() as uow:
        last = uow.preview_selection.last_attempts(connection.id).get(to_freee)
        assert last is not None and last.public_id == cancelled
        assert [run.public_id for run in uow.preview_selection.open_runs(connection.id)] == [waiting.public_id]
