"""Law: a database that was put back to an earlier state in its own house rests until a person says to go on, and then
compares before it writes: what people decided in the lost hours is not known any more.

Put back as nobody sees it from outside: the same identity, the same database, only its contents are older.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.domain.enums import Direction
from app.domain.errors import Refused, TemporaryError
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.safety.high_water import HighWater
from app.use_cases.household import BEAT, CODE, LOST_BEATS, Household, Standing
from app.use_cases.queries.history import list_runs
from app.use_cases.upkeep.adoption import adopt, house_view
from app.use_cases.upkeep.homekeeping import Homekeeping
from tests.house import House
from tests.use_cases.test_job import only

TO_FREEE = Direction.SMARTHR_TO_FREEE


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    return open_practice(only(company, "create", "update", "equal", most=3))


def lives(house: House, beats: int) -> None:
    """So many beats go by."""
    keeping = Homekeeping(house.ctx)
    for _ in range(beats):
        house.clock.turn(seconds=BEAT.total_seconds() + 1)
        assert keeping.keep() is Standing.AT_HOME


def row(house: House) -> dict[str, object]:
    with house.database.engine.connect() as connection:
        return dict(connection.execute(text("SELECT * FROM houses")).mappings().one())


def put_back(house: House, kept: dict[str, object]) -> None:
    """The row is what a restore brings back of the whole database, as far as the house looks at it."""
    names = ", ".join(f"{name} = :{name}" for name in kept)
    with house.database.engine.begin() as connection:
        connection.execute(text(f"UPDATE houses SET {names}"), kept)


def next_process(house: House) -> House:
    """What the next process of the house that starts finds."""
    household = Household(
        house.ctx.household.identity,
        house.ctx.unit_of_work,
        house.clock,
        HighWater([house.ctx.settings.data_dir / "house.beats"]),
    )
    return replace(house, ctx=replace(house.ctx, household=household))


def test_a_database_that_was_put_back_rests_and_is_gone_on_with_by_a_person(house: House) -> None:
    lives(house, 3)
    backup = row(house)
    lives(house, LOST_BEATS + 1)
    writes = house.writes()
    put_back(house, backup)
    after = next_process(house)
    assert Homekeeping(after.ctx).keep() is Standing.RESTORED
    with pytest.raises(Refused) as refused:
        after.start(TO_FREEE)
    assert refused.value.code == CODE
    with pytest.raises(TemporaryError):
        after.ctx.household.require()
    after.work(reconciling=False)
    assert (house.writes(), len(list_runs(after.ctx, limit=5).items)) == (writes, 0)
    told = adopt(after.ctx, by="cli")
    assert told.standing is Standing.AT_HOME
    assert {each.direction for each in told.comparisons} == set(Direction)
    with pytest.raises(Refused) as refused:
        after.start(TO_FREEE)
    assert refused.value.code == "compare_first"
    assert Homekeeping(after.ctx).keep() is Standing.AT_HOME
    assert next_process(house).ctx.household.look() is Standing.AT_HOME, "nobody rests for it a second time"


def test_what_rests_counts_nothing_so_it_goes_on_resting(house: House) -> None:
    backup = row(house)
    lives(house, LOST_BEATS + 2)
    put_back(house, backup)
    after = next_process(house)
    for _ in range(LOST_BEATS * 2):
        house.clock.turn(seconds=BEAT.total_seconds() + 1)
        assert Homekeeping(after.ctx).keep() is Standing.RESTORED
    assert row(house)["beats"] == backup["beats"]


def test_a_backup_from_before_an_adoption_rests_however_far_it_had_counted(house: House) -> None:
    lives(house, 40)
    backup = row(house)
    with house.ctx.unit_of_work() as uow:
        uow.houses.adopt("f" * 64, house.clock.now() - timedelta(minutes=1))
    house.ctx.household.look()
    adopt(house.ctx, by="cli")
    Homekeeping(house.ctx).keep()
    put_back(house, backup)
    assert next_process(house).ctx.household.look() is Standing.RESTORED


@pytest.mark.parametrize("lost", [0, 1, LOST_BEATS])
def test_a_failover_that_loses_some_seconds_rests_nobody(house: House, lost: int) -> None:
    lives(house, 5)
    kept = row(house)
    lives(house, lost)
    put_back(house, kept)
    assert next_process(house).ctx.household.look() is Standing.AT_HOME


def test_a_beat_is_counted_once_for_all_processes(house: House) -> None:
    lives(house, 1)
    before = row(house)["beats"]
    others = [Homekeeping(next_process(house).ctx) for _ in range(3)]
    for _ in range(4):
        house.clock.turn(seconds=BEAT.total_seconds() / 4)
        for each in others:
            each.keep()
    assert row(house)["beats"] == int(str(before)) + 1


def test_a_host_that_remembers_nothing_does_not_rest(house: House) -> None:
    """A container whose data folder is new, or a file that is broken."""
    lives(house, LOST_BEATS * 3)
    file = house.ctx.settings.data_dir / "house.beats"
    file.write_text("no count", encoding="ascii")
    put_back(house, {"beats": 0})
    assert next_process(house).ctx.household.look() is Standing.AT_HOME


def test_a_new_database_of_the_same_house_is_none_that_was_put_back(house: House) -> None:
    lives(house, LOST_BEATS * 2)
    with house.database.engine.begin() as connection:
        connection.execute(text("DELETE FROM houses"))
    after = next_process(house)
    house.clock.turn(seconds=1)
    assert after.ctx.household.claim() is Standing.AT_HOME


def test_the_count_stands_beside_a_named_identity_where_that_can_be(
    open_practice: Callable[..., House], company: PracticeCompany, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    made = open_practice(only(company, "equal", most=1), HOUSE_FILE=str(shared / "house"))
    lives(made, 2)
    assert [each.name for each in sorted(shared.iterdir())] == ["house", "house.beats"]
    assert not (made.ctx.settings.data_dir / "house.beats").exists()
    assert house_view(made.ctx).standing is Standing.AT_HOME


def test_automatic_sync_begins_anew_after_it(house: House) -> None:
    """A connection that was switched off in the lost hours is on again: nothing is written before somebody looks."""
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_options(replace(house.connection, automatic=Automatic.BOTH))
    lives(house, 1)
    backup = row(house)
    lives(house, LOST_BEATS + 1)
    put_back(house, backup)
    after = next_process(house)
    after.ctx.household.look()
    adopt(after.ctx, by="cli")
    with house.ctx.unit_of_work() as uow:
        assert {mark.direction for mark in uow.beginnings.all()} == set(Direction)
