"""Deliveries for ops over the API: lists with every filter, one of them, and doing them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.domain.enums import Direction, System
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic
from app.use_cases.intake import delivery_replay
from app.use_cases.shared.delivery_lookup import DeliveryFilter
from app.use_cases.upkeep import relay
from tests.web.hooks import rows, stored
from tests.web.made import add_delivery
from tests.web.world import KEY, World

pytestmark = pytest.mark.sql

Bearer = Callable[..., dict[str, str]]
LIST = "/api/v1/deliveries"
SINCE = {"since": "2026-11-22T00:00:00+09:00"}


@pytest.fixture
def reader(client: FlaskClient, bearer: Bearer) -> Callable[..., Any]:
    headers = bearer("ops:read")

    def read(path: str = LIST, **query: Any) -> Any:
        answer = client.get(path, query_string=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json

    return read


@pytest.fixture
def again(client: FlaskClient, bearer: Bearer) -> Callable[..., Any]:
    headers = bearer("ops:write")

    def post(path: str = f"{LIST}/replay", status: int = 202, **body: Any) -> Any:
        answer = client.post(path, json=body or None, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json

    return post


def end_items(world: World, state: ItemState, *, among: int | None = None) -> None:
    """Release what was gathered, and bring everything that waits to this end (of one delivery, or of all)."""
    world.clock.turn(minutes=2)
    relay.relay_once(world.ctx)
    held = stored(world.database)
    wanted = (
        {item_id for item_ids in held.links.values() for item_id in item_ids} if among is None else held.links[among]
    )
    with world.ctx.unit_of_work() as uow:
        for item in held.items:
            if item.state is ItemState.WAITING and item.id in wanted:
                now = world.clock.now()
                claimed = uow.items.claim(
                    item.id, item.attempt, now=now, lease_until=now + timedelta(minutes=1), worker="t"
                )
                assert claimed
                code = "E1" if state is ItemState.FAILED else None
                assert uow.items.record_outcome(item.id, claimed.attempt, state=state, error_code=code, now=now)


def ids(page: Any) -> list[int]:
    return [each["id"] for each in page["items"]]


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_newest_first_page_by_page(world: World, reader: Callable[..., Any]) -> None:
    made = [add_delivery(world, f"crew-{n}") for n in range(5)]
    first = reader(limit=2)
    assert ids(first) == [made[4], made[3]]
    second = reader(limit=2, after=first["next_after"])
    last = reader(limit=2, after=second["next_after"])
    assert ids(second) + ids(last) == [made[2], made[1], made[0]]
    assert last["next_after"] is None


def test_every_filter_narrows_the_list(world: World, reader: Callable[..., Any]) -> None:
    early = add_delivery(world, "crew-1")
    world.clock.turn(hours=1)
    known = add_delivery(world, "crew-2")
    unknown = add_delivery(world, "crew-3", name="surprise", known=False)
    assert ids(reader(state="unknown")) == [unknown]
    assert ids(reader(since="2026-11-22T13:00:00+09:00")) == [unknown, known]
    assert ids(reader(until="2026-11-22T04:00:00Z")) == [early]
    assert ids(reader(connection=KEY, state="accepted")) == [known, early]
    assert ids(reader(failed="true")) == []
    assert ids(reader(failed="false")) == [unknown, known, early]


def test_one_of_them_with_its_people_and_results(world: World, reader: Callable[..., Any]) -> None:
    one = add_delivery(world, "crew-1", "crew-2")
    shown = reader(f"{LIST}/{one}")
    assert (shown["event"], shown["system"], shown["connection"]) == ("crew_updated", "smarthr", KEY)
    assert (shown["people_count"], shown["people"], shown["state"]) == (2, ["crew-1", "crew-2"], "accepted")
    assert (shown["replays"], shown["replayed_at"]) == (0, None)
    assert {item["state"] for item in shown["items"]} == {"waiting"}
    (run,) = {item["run"] for item in shown["items"]}
    assert stored(world.database).runs[0].public_id == run
    end_items(world, ItemState.FAILED)
    assert reader(f"{LIST}/{one}")["results"]["failed"] == 2
    (listed,) = reader()["items"]
    assert listed["results"]["failed"] == 2
    assert "people" not in listed and "items" not in listed


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{LIST}/77", 404, "delivery_not_found"),
        (f"{LIST}/{10**30}", 404, "delivery_not_found"),
        (f"{LIST}?state=done", 422, "invalid_delivery_state"),
        (f"{LIST}?since=2026-11-22", 422, "invalid_instant"),
        (f"{LIST}?since=2026-11-22T09:00:00", 422, "invalid_instant"),
        (f"{LIST}?until=0001-01-01T00:00:00%2B14:00", 422, "invalid_instant"),
        (f"{LIST}?failed=1", 422, "invalid_boolean"),
        (f"{LIST}?connection=nobody", 404, "unknown_connection"),
    ],
)
def test_what_cannot_be_asked(path: str, status: int, code: str, client: FlaskClient, bearer: Bearer) -> None:
    answer = client.get(path, headers=bearer("ops:read"))
    assert (answer.status_code, answer.json["code"]) == (status, code)


# ── again ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_replay_reads_the_people_anew(world: World, reader: Callable[..., Any], again: Callable[..., Any]) -> None:
    one = add_delivery(world, "crew-1", "crew-2")
    end_items(world, ItemState.FAILED)
    assert again(f"{LIST}/{one}/replay") == {"replayed": 1, "people": 2, "skipped": 0, "next_after": None}
    shown = reader(f"{LIST}/{one}")
    assert shown["results"]["waiting"] == 2 and shown["results"]["failed"] == 2
    assert shown["replays"] == 1 and shown["replayed_at"]
    assert [run.state.value for run in stored(world.database).runs] == ["running", "waiting"]


def test_a_replay_while_it_still_waits_adds_nothing(world: World, again: Callable[..., Any]) -> None:
    one = add_delivery(world, "crew-1")
    before = rows(world.database)
    for _ in range(2):
        assert again(f"{LIST}/{one}/replay")["people"] == 1
    assert rows(world.database) == before


def test_the_direction_is_judged_anew(world: World, again: Callable[..., Any]) -> None:
    one = add_delivery(world, "crew-1", automatic=Automatic.FREEE_TO_SMARTHR)
    assert stored(world.database).items == []
    assert again(f"{LIST}/{one}/replay", 409)["code"] == "nothing_to_replay"
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection
        uow.connections.set_options(replace(connection, automatic=Automatic.SMARTHR_TO_FREEE))
    assert again(f"{LIST}/{one}/replay")["replayed"] == 1
    (item,) = stored(world.database).items
    assert (item.source_id, item.direction) == ("crew-1", Direction.SMARTHR_TO_FREEE)
    assert stored(world.database).deliveries[0].state.value == "accepted"


def test_each_side_goes_its_own_way(world: World, again: Callable[..., Any]) -> None:
    made = [add_delivery(world, "678", system=System.FREEE, name="updated"), add_delivery(world, "crew-1")]
    end_items(world, ItemState.SUCCEEDED)
    for one in made:
        again(f"{LIST}/{one}/replay")
    waiting = {(i.source_id, i.direction) for i in stored(world.database).items if i.state is ItemState.WAITING}
    assert waiting == {("678", Direction.FREEE_TO_SMARTHR), ("crew-1", Direction.SMARTHR_TO_FREEE)}


def test_a_deletion_at_the_target_looks_at_the_partner(world: World, again: Callable[..., Any]) -> None:
    one = add_delivery(world, "678", system=System.FREEE, name="destroyed", automatic=Automatic.SMARTHR_TO_FREEE)
    assert again(f"{LIST}/{one}/replay", 409)["code"] == "nothing_to_replay"
    with world.ctx.unit_of_work() as uow:
        uow.links.create(1, "crew-5", "678", now=world.clock.now())
    assert again(f"{LIST}/{one}/replay")["people"] == 1
    assert stored(world.database).people == ["crew-5"]


def test_an_event_we_did_not_know_is_looked_at_when_somebody_asks(world: World, again: Callable[..., Any]) -> None:
    named = add_delivery(world, "crew-1", name="surprise", known=False)
    assert again(f"{LIST}/{named}/replay")["people"] == 1
    assert stored(world.database).people == ["crew-1"]


def test_a_range_is_replayed_in_one_run(world: World, again: Callable[..., Any]) -> None:
    before = add_delivery(world, "crew-0")
    world.clock.turn(days=1)
    for number in range(1, 4):
        add_delivery(world, f"crew-{number}")
    add_delivery(world, "crew-1", name="surprise", known=False)
    end_items(world, ItemState.SUCCEEDED)
    done = again(since="2026-11-23T00:00:00+09:00", until="2026-11-24T00:00:00+09:00", connection=KEY)
    assert done == {"replayed": 4, "people": 3, "skipped": 0, "next_after": None}
    held = stored(world.database)
    waiting = [item for item in held.items if item.state is ItemState.WAITING]
    assert sorted(str(item.source_id) for item in waiting) == ["crew-1", "crew-2", "crew-3"]
    assert len({item.run_id for item in waiting}) == 1
    assert [d.replays for d in held.deliveries if d.id == before] == [0]


def test_the_failed_ones_until_they_end_well(world: World, again: Callable[..., Any]) -> None:
    bad, good = add_delivery(world, "crew-1"), add_delivery(world, "crew-2")
    end_items(world, ItemState.FAILED, among=bad)
    end_items(world, ItemState.SUCCEEDED, among=good)
    assert again(failed=True)["replayed"] == 1
    assert again(failed=True)["replayed"] == 0  # it waits again
    end_items(world, ItemState.FAILED)
    assert again(failed=True)["replayed"] == 1
    end_items(world, ItemState.SUCCEEDED)
    assert again(failed=True)["replayed"] == 0
    assert [d.replays for d in stored(world.database).deliveries] == [2, 0]


def test_a_limit_leaves_the_rest_for_the_next_call(world: World, again: Callable[..., Any]) -> None:
    made = [add_delivery(world, f"crew-{n}") for n in range(5)]
    end_items(world, ItemState.SUCCEEDED)
    first = again(**SINCE, limit=3)
    assert (first["replayed"], first["next_after"]) == (3, made[2])
    assert again(**SINCE, limit=3, after=first["next_after"]) == {
        "replayed": 2,
        "people": 2,
        "skipped": 0,
        "next_after": None,
    }
    assert [d.replays for d in stored(world.database).deliveries] == [1] * 5


def test_many_are_replayed_in_portions(world: World) -> None:
    for number in range(delivery_replay.PORTION + 3):
        add_delivery(world, f"crew-{number}")
    end_items(world, ItemState.SUCCEEDED)
    done = delivery_replay.replay_many(world.ctx, DeliveryFilter(since=world.clock.now() - timedelta(days=1)))
    assert (done.replayed, done.people, done.next_after) == (delivery_replay.PORTION + 3,) * 2 + (None,)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "replay_needs_since"),
        ({"connection": KEY}, 422, "replay_needs_since"),
        ({"failed": "true"}, 422, "invalid_boolean"),
        ({**SINCE, "limit": 0}, 422, "invalid_replay_limit"),
        ({**SINCE, "limit": "5"}, 422, "invalid_replay_limit"),
        ({**SINCE, "limit": True}, 422, "invalid_replay_limit"),
        ({**SINCE, "connection": "nobody"}, 404, "unknown_connection"),
        ({"since": 5}, 422, "invalid_instant"),
    ],
)
def test_a_wrong_replay_does_nothing(
    body: dict[str, Any], status: int, code: str, world: World, client: FlaskClient, bearer: Bearer
) -> None:
    add_delivery(world, "crew-1")
    before = rows(world.database)
    answer = client.post(f"{LIST}/replay", json=body, headers=bearer("ops:write"))
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert rows(world.database) == before
