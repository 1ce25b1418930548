"""Of whose trouble a mail has told, on both databases: each is told once, and once that it is over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.enums import Direction
from app.domain.error_catalogue.blames import Setting
from app.domain.planning.attention import Told
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Connection
from app.storage.links.attention import Ended
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import Database
from tests.storage.databases import NOW, add_connection, new_item, running_run

TO_FREEE = Direction.SMARTHR_TO_FREEE
SEEN = {"smarthr@:phone": "d1", "smarthr@:gender": "d2", "smarthr@:*": "d3", "setting:consent": "d4"}


@pytest.fixture
def connection(database: Database) -> Connection:
    return add_connection(database)


@pytest.fixture
def run(database: Database, connection: Connection) -> RunRow:
    """A run that has ended one person badly, who waits."""
    run, _ = running_run(database, connection, items=1)
    with database.unit_of_work() as uow:
        uow.items.add_many([new_item(run, 5, source_id="crew-5", state=ItemState.FAILED, error_code="E1")])
        uow.attention.ended([ended(run, ItemState.FAILED)])
    return run


def ended(run: RunRow, state: ItemState) -> Ended:
    bad = state is ItemState.FAILED
    return Ended(
        connection_id=run.connection_id,
        direction=TO_FREEE,
        source_id="crew-5",
        target_id="5",
        number="0005",
        state=state,
        code="E1" if bad else None,
        notes=[Told("E1", "stop", "phone")] if bad else [],
        trigger=run.trigger,
        run_id=run.id,
        item_id=None,
        at=NOW + timedelta(minutes=0 if bad else 1),
        seen=SEEN,
    )


def test_a_trouble_is_told_once_and_its_end_once(database: Database, run: RunRow) -> None:
    with database.unit_of_work() as uow:
        assert uow.healing.healed(run.connection_id, 1, NOW) == 0
        uow.healing.tell(run.id, NOW)
        uow.healing.tell(run.id, NOW)
        assert uow.healing.healed(run.connection_id, 2, NOW) == 0, "the person waits"
    with database.unit_of_work() as uow:
        uow.attention.ended([ended(run, ItemState.SUCCEEDED)])
        assert uow.healing.healed(run.connection_id, 3, NOW) == 1
        assert uow.healing.healed(run.connection_id, 4, NOW) == 0
        assert uow.healing.of_mail(3, limit=10)[1] == 1
        assert uow.healing.of_mail(4, limit=10) == ([], 0)


def test_with_a_trouble_stands_what_it_blames_and_a_newer_outcome_keeps_no_offer(
    database: Database, run: RunRow
) -> None:
    with database.unit_of_work() as uow:
        (row,) = uow.healing.standing(run.connection_id, TO_FREEE).values()
        assert row.seen == {name: made for name, made in SEEN.items() if name != "smarthr@:gender"}
        uow.healing.mended({row.id: ["phone"]}, {row.id: row})
        (row,) = uow.healing.standing(run.connection_id, TO_FREEE).values()
        assert row.mended == ("phone",)
        uow.attention.ended([ended(run, ItemState.FAILED)])
        (row,) = uow.healing.standing(run.connection_id, TO_FREEE).values()
        assert row.mended == ()
        assert uow.healing.directions(run.connection_id) == [TO_FREEE]
        assert uow.healing.waits_at_target(run.connection_id, TO_FREEE, ["5", "6"])
        assert not uow.healing.waits_at_target(run.connection_id, TO_FREEE, ["6"])
        assert Setting.CONSENT not in uow.healing.blamed(run.connection_id)[0].blames.settings
