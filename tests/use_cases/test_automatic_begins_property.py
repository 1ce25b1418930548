"""The law over any sequence: while a direction begins with a preview, nothing is written there by itself; afterwards
nothing of what changed is lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from sqlalchemy import select

from app.domain.enums import Direction
from app.domain.errors import Refused
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.storage.tables.models import ItemStepTable, ItemTable, RunTable
from app.use_cases.connections import connection_settings
from app.use_cases.intake import approve_retry_cancel, delivery_replay
from app.use_cases.shared.delivery_lookup import DeliveryFilter
from app.use_cases.upkeep import reconcile, relay
from tests.beginnings import approve, begin, compared, marks, previews, switch
from tests.house import KEY, House, open_house
from tests.listening import FREEE_TOKEN, differences, heard_out, listening, now_in_japan
from tests.properties import examples
from tests.use_cases.test_job import only
from tests.use_cases.test_two_way import somebody

pytestmark = pytest.mark.reach("test")

TO_FREEE = Direction.SMARTHR_TO_FREEE
names = itertools.count(1)


def edit_smarthr(house: House) -> None:
    nth = next(names)
    house.smarthr.edit(somebody(house, nth % 3)[0], {"tel_number": f"080-0000-{nth % 10_000:04}"})


def edit_freee(house: House) -> None:
    nth = next(names)
    phone = {"phone1": "090", "phone2": "0000", "phone3": f"{nth % 10_000:04}"}
    house.freee.edit(somebody(house, nth % 3)[1], {"profile_rule": phone})


def hear(house: House) -> None:
    heard_out(house)
    relay.relay_once(house.ctx)


def work(house: House) -> None:
    """Quiet windows pass, jobs run, lost work is found."""
    house.clock.turn(minutes=1)
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)
    reconcile.reconcile_once(house.ctx)


def hour(house: House) -> None:
    house.clock.turn(hours=1, minutes=1)
    reconcile.reconcile_once(house.ctx)
    compared(house)


def replay(house: House) -> None:
    delivery_replay.replay_many(house.ctx, DeliveryFilter(since=house.clock.now() - timedelta(days=2)))


def retry(house: House) -> None:
    with house.ctx.unit_of_work() as uow:
        runs = [run for run in uow.runs.page(after=None, limit=20) if run.trigger.is_automatic]
    for run in runs[:3]:
        with suppress(Refused):
            approve_retry_cancel.retry(house.ctx, run.public_id, by="test")


def approve_one(house: House) -> None:
    for direction in list(previews(house))[:1]:
        with suppress(Refused):
            approve(house, direction)


def cancel_one(house: House) -> None:
    for run in list(previews(house).values())[:1]:
        approve_retry_cancel.cancel(house.ctx, run, by="test")


def one_way(house: House) -> None:
    switch(house, "smarthr_to_freee")


def both_ways(house: House) -> None:
    switch(house, "both")


def off(house: House) -> None:
    switch(house, "off")


def other_policy(house: House) -> None:
    switch(house, house.connection.automatic.value, policy=f"{('smarthr', 'freee')[next(names) % 2]}_wins")


def other_items(house: House) -> None:
    with house.ctx.unit_of_work() as uow:
        excluded = ["title"] if not uow.connections.list_all()[0].excluded else []
    with suppress(Refused):
        choice = connection_settings.ItemChoice(excluded, {}, include_building=True, create_positions=False)
        connection_settings.set_items(house.ctx, KEY, choice)


STEPS = (edit_smarthr, edit_freee, hear, work, hour, replay, retry, approve_one, cancel_one)
SETTINGS = (one_way, both_ways, off, other_policy, other_items)


def by_itself(house: House) -> dict[Direction, int]:
    """Requests that write, of automatic runs that no person has approved: direction → how many."""
    query = (
        select(RunTable.direction, RunTable.trigger, ItemStepTable.id)
        .join(ItemTable, ItemTable.run_id == RunTable.id)
        .join(ItemStepTable, ItemStepTable.item_id == ItemTable.id)
        .where(RunTable.approved_at.is_(None))
    )
    with house.database.engine.connect() as connection:
        found = [row[0] for row in connection.execute(query) if row[1].is_automatic]
    return {direction: found.count(direction) for direction in Direction}


@pytest.mark.database("sqlite")
@given(steps=st.lists(st.sampled_from(STEPS + SETTINGS), min_size=6, max_size=22))
@examples(4, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_nothing_is_written_by_itself_while_a_direction_begins_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
    migrated_url: Callable[[Path], str],
    company: PracticeCompany,
    steps: list[Callable[[House], None]],
) -> None:
    folder = tmp_path_factory.mktemp("house")
    people = only(company, "equal", most=3)
    with closing(
        open_house(folder, people, DATABASE_URL=migrated_url(folder), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    ) as house:
        house.run(TO_FREEE, as_of_date=now_in_japan(house))
        with listening(house, Automatic.OFF):
            for step in (both_ways, *steps):
                begun_before, before = set(marks(house)), by_itself(house)
                step(house)
                grown = {way for way, count in by_itself(house).items() if count > before[way]}
                assert not grown & begun_before & set(marks(house)), step.__name__
            switch(house, "both", policy="smarthr_wins")
            for _ in range(6):  # until both directions have carried what the other one brought
                hear(house)
                house.work()
                begin(house)
                hour(house)
                house.clock.turn(minutes=1)
                house.work()
            assert marks(house) == {}
            assert differences(house) == []
