"""No table grows without end, and nobody's flood pushes out what belongs to somebody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select

from app.storage.tables.models import Base
from app.storage.unit_of_work import Database
from app.storage.upkeep.bounds import BOUNDED, GROWING, Bound
from app.use_cases.upkeep.bounds import SECONDS, keep_bounds
from tests.storage.schema_walk import fill, value
from tests.use_cases.engine_room import Room

pytestmark = pytest.mark.sql

MOST = 5
FLOODER, OTHER = 11, 12
WITH_OWNER = [bound for bound in BOUNDED if bound.most is not None]


def named(bound: Bound) -> str:
    return f"{bound.table} per {' '.join(bound.owner) or 'row'}"


def row(bound: Bound, number: int, *, owner: int, at: datetime) -> dict[str, Any]:
    """A row of its own in every unique column, which belongs to one of two owners."""
    given = {c.name: value(c, number if c.primary_key or c.unique else owner) for c in bound.rows.columns}
    given |= {bound.since: at} | {name: value(bound.rows.c[name], owner) for name in bound.owner}
    if bound.table == "deliveries":
        given |= {"state": "ignored", "connection_id": None if bound.owner == ("system",) else given["connection_id"]}
    if bound.owner == ("system",):
        given["system"] = "smarthr" if owner == FLOODER else "freee"
    return given


def only_owners(room: Room, bound: Bound) -> None:
    """A row of each owner in every table, and none in this one."""
    fill(room.database.engine, rows=(FLOODER, OTHER))
    with room.database.engine.begin() as connection:
        connection.execute(delete(bound.rows))


def put(room: Room, bound: Bound, *, owner: int, number: int, since: datetime) -> list[Any]:
    """So many rows, the newest first, a minute apart; returns their keys."""
    first = 1000 * owner
    rows = [row(bound, first + n, owner=owner, at=since - timedelta(minutes=n) if n else since) for n in range(number)]
    with room.database.engine.begin() as connection:
        connection.execute(insert(bound.rows), rows)
    return [tuple(each[c.name] for c in bound.rows.primary_key) for each in rows]


def keys(database: Database, bound: Bound) -> set[Any]:
    with database.engine.connect() as connection:
        return {tuple(found) for found in connection.execute(select(*bound.rows.primary_key))}


def young(room: Room, bound: Bound) -> datetime:
    """A moment at which a row of this table is not too old."""
    return room.clock.now() - bound.age / 2 + (timedelta(hours=2) if not bound.age else timedelta(0))


def test_every_table_says_what_its_size_depends_on() -> None:
    bounded = {bound.table for bound in BOUNDED}
    assert bounded | set(GROWING) == set(Base.metadata.tables)
    assert bounded & set(GROWING) == set()
    assert all(bound.why for bound in BOUNDED) and all(GROWING.values())


@pytest.mark.few(3)
@pytest.mark.parametrize("bound", WITH_OWNER, ids=named)
def test_a_flood_pushes_out_only_what_its_own_sender_has_sent_before(room: Room, bound: Bound) -> None:
    only_owners(room, bound)
    flood = put(room, bound, owner=FLOODER, number=3 * MOST, since=young(room, bound))
    others = put(room, bound, owner=OTHER, number=MOST, since=young(room, bound) - timedelta(minutes=30))
    assert keep_bounds(room.ctx, [replace(bound, most=MOST, age=timedelta(days=3650))]) == {bound.table: 2 * MOST}
    assert keys(room.database, bound) == {*flood[:MOST], *others}, "the newest stay, and all of the other's"


@pytest.mark.few(3)
@pytest.mark.parametrize("bound", BOUNDED, ids=named)
def test_what_is_too_old_goes_and_what_is_not_stays(room: Room, bound: Bound) -> None:
    only_owners(room, bound)
    edge = room.clock.now() - bound.age
    (old,) = put(room, bound, owner=FLOODER, number=1, since=edge - timedelta(seconds=1))
    (fresh,) = put(room, bound, owner=OTHER, number=1, since=edge)
    keep_bounds(room.ctx, [bound])
    left = keys(room.database, bound)
    assert (old in left, fresh in left) == (False, True)


def test_a_sender_may_repeat_ten_thousand_requests_and_no_more(room: Room) -> None:
    """With the numbers that hold in service, in portions."""
    (bound,) = (each for each in BOUNDED if each.table == "idempotency")
    now, most = room.clock.now(), bound.most or 0
    only_owners(room, bound)
    with room.database.engine.begin() as connection:
        rows = [
            {"key_hash": f"k{n}", "owner": owner, "request_hash": "r", "run_id": FLOODER, "created_at": now}
            for owner, number in (("key:flood", most + 1500), ("key:quiet", 3))
            for n in range(number)
        ]
        connection.execute(insert(bound.rows), rows)
    assert keep_bounds(room.ctx)["idempotency"] >= 1500
    with room.database.engine.connect() as connection:
        counted = select(bound.rows.c.owner, func.count()).group_by(bound.rows.c.owner)
        found = {each.owner: each[1] for each in connection.execute(counted)}
    assert (found["key:flood"], found["key:quiet"]) == (most, 3)


def test_one_process_at_a_time_does_it(room: Room) -> None:
    (bound,) = (each for each in BOUNDED if each.table == "outbox")
    only_owners(room, bound)
    put(room, bound, owner=FLOODER, number=1, since=room.clock.now() - timedelta(days=9))
    assert keep_bounds(room.ctx)["outbox"] == 1
    put(room, bound, owner=OTHER, number=1, since=room.clock.now() - timedelta(days=9))
    assert keep_bounds(room.ctx) == {}
    room.clock.turn(seconds=SECONDS)
    assert keep_bounds(room.ctx)["outbox"] == 1


def test_a_delivery_that_is_still_work_is_never_thrown_away(room: Room) -> None:
    (bound, _) = (each for each in BOUNDED if each.table == "deliveries")
    only_owners(room, bound)
    rows = [row(bound, 100 + n, owner=FLOODER, at=room.clock.now() - timedelta(days=40)) for n in range(3)]
    with room.database.engine.begin() as connection:
        connection.execute(insert(bound.rows), [each | {"state": "received"} for each in rows])
    assert keep_bounds(room.ctx, [replace(bound, most=1)]) == {}
