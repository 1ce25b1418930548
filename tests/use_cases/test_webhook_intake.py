"""Events: many deliveries in one transaction, whom a deletion concerns, and senders remembered for two seconds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.domain.enums import Direction, System
from app.domain.runs.commands import Delivery, ReceivedEvent
from app.domain.settings.connection_settings import Automatic
from app.storage.enums import DeliveryState, UnlinkReason
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.intake.webhook_intake import (
    SenderCache,
    accept,
    delivery_of,
    freee_connections,
    smarthr_sender,
    sort_received,
)
from app.use_cases.upkeep.bounds import keep_bounds
from app.wiring import keys_of
from tests.statements import statements
from tests.storage.databases import NOW, add_connection
from tests.use_cases.engine_room import Room
from tests.web.hooks import rows, stored

pytestmark = pytest.mark.sql


@pytest.fixture(autouse=True)
def automatic(room: Room) -> None:
    listen(room, Automatic.BOTH)


def listen(room: Room, automatic: Automatic) -> None:
    with room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(room.connection, automatic=automatic))


def told(room: Room, *people: str, number: str | None = None, connection: int | None = 0, **changes: Any) -> Delivery:
    """A delivery of SmartHR, of this body number."""
    moment = NOW if number is not None else None
    event = ReceivedEvent(System.SMARTHR, "crew_updated", known=True, people=people, triggered_at=moment)
    whose = room.connection.id if connection == 0 else connection
    return delivery_of(room.ctx, replace(event, **changes), whose, (number or "").encode())


def take(room: Room, *deliveries: Delivery) -> None:
    """Store and sort, as the web process and the relay do it."""
    accept(room.ctx, deliveries)
    sort_received(room.ctx)


def link(room: Room, smarthr_id: str, freee_id: str) -> int:
    with room.database.unit_of_work() as uow:
        return uow.links.create(room.connection.id, smarthr_id, freee_id, now=NOW).id


def test_many_in_one_transaction_each_with_its_own_result(room: Room) -> None:
    first, *_ = accept(room.ctx, [told(room, "a", number="1")])
    results = accept(
        room.ctx,
        [
            told(room, "b", number="2"),
            told(room, "a", number="1"),
            told(room, "a", "b", "c"),
            told(room, "b", number="2"),
            told(room, "x", number="3", known=False),
            told(room, "y", number="4", connection=None),
            told(room),
        ],
    )
    assert [(r.state.value, r.repeated, r.unsorted_as) for r in results] == [
        ("received", False, None),
        ("received", True, "repeated"),
        ("received", False, None),
        ("received", True, "repeated"),
        ("unknown", False, "unknown"),
        ("unrouted", False, "unrouted"),
        ("received", False, None),
    ]
    assert (results[1].id, results[3].id) == (first.id, results[0].id)
    assert rows(room.database)[1:] == (0, 0), "the answer waits for nothing but the row"

    assert sort_received(room.ctx) == 4
    found = stored(room.database)
    states = {delivery.id: delivery.state.value for delivery in found.deliveries}
    assert [states[result.id] for result in results] == [
        *("accepted", "accepted", "accepted", "accepted"),
        *("unknown", "unrouted", "ignored"),
    ]
    assert sort_received(room.ctx) == 0
    assert found.people == ["a", "b", "c"]
    by_person = {item.source_id: item.id for item in found.items}
    assert found.links == {
        first.id: [by_person["a"]],
        results[0].id: [by_person["b"]],
        results[2].id: sorted(by_person.values()),
    }


def test_of_two_repetitions_at_once_only_the_one_with_another_body_is_told(room: Room) -> None:
    (first,) = accept(room.ctx, [told(room, "a", number="1", delivery_id="d-1")])
    same, other = (told(room, "a", number=number, delivery_id="d-1") for number in ("1", "2"))
    for repetitions in ([same, other], [other, same]):
        with capture_logs() as logs:
            results = accept(room.ctx, repetitions)
        assert [(each.id, each.repeated) for each in results] == [(first.id, True)] * 2
        assert [entry["delivery_id"] for entry in logs if entry["event"] == "delivery_differs"] == [first.id]


def test_one_that_cannot_be_stored_takes_all_with_it(room: Room) -> None:
    wrong = replace(told(room, "b"), received_at=NOW.replace(tzinfo=None))
    with pytest.raises(Exception, match="zone"):
        accept(room.ctx, [told(room, "a"), wrong])
    assert rows(room.database) == (0, 0, 0)


def test_the_number_of_statements_does_not_grow_with_the_deliveries(room: Room) -> None:
    """Everything is asked for once per transaction: one INSERT at the door, and the sorting by portions."""
    take(room, told(room, "first", number="0"))
    counts = []
    for batch in (4, 40):
        with statements(room.database.engine) as seen:
            accept(room.ctx, [told(room, f"p{batch}-{n}", number=f"{batch}-{n}") for n in range(batch)])
            stored_by = len(seen)
            sort_received(room.ctx)
        counts.append((stored_by, len(seen)))
    assert counts[0] == counts[1]
    assert counts[0][0] <= 2
    assert counts[0][1] < 24


# ── deletions ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("automatic", [Automatic.SMARTHR_TO_FREEE, Automatic.BOTH])
def test_who_was_deleted_at_the_source_is_looked_at(room: Room, automatic: Automatic) -> None:
    listen(room, automatic)
    take(room, told(room, "crew-1", name="crew_deleted"))
    found = stored(room.database)
    assert (found.people, found.runs[0].direction) == (["crew-1"], Direction.SMARTHR_TO_FREEE)


def test_for_somebody_deleted_at_the_target_the_partner_is_looked_at(room: Room) -> None:
    """SmartHR is no source here, but the link of the one who is gone is void."""
    listen(room, Automatic.FREEE_TO_SMARTHR)
    link(room, "crew-1", "31")
    take(room, told(room, "crew-1", name="crew_deleted"), told(room, "crew-1"))
    found = stored(room.database)
    assert (found.people, found.runs[0].direction) == (["31"], Direction.FREEE_TO_SMARTHR)
    assert [delivery.state.value for delivery in found.deliveries] == ["accepted", "ignored"]


@pytest.mark.parametrize("unlinked", [True, False])
def test_somebody_deleted_at_the_target_whom_nobody_is_linked_to_concerns_nobody(room: Room, unlinked: bool) -> None:
    """An accepted delivery would have to have an item."""
    listen(room, Automatic.FREEE_TO_SMARTHR)
    if unlinked:
        with room.database.unit_of_work() as uow:
            uow.links.unlink(link_id(uow, room), why=UnlinkReason.SMARTHR_DELETED, now=NOW)
    take(room, told(room, "crew-1", name="crew_deleted"))
    assert [each.state for each in stored(room.database).deliveries] == [DeliveryState.IGNORED]
    assert rows(room.database) == (1, 0, 0)


def link_id(uow: Any, room: Room) -> int:
    return int(uow.links.create(room.connection.id, "crew-1", "31", now=NOW).id)


@pytest.mark.parametrize("name", ["crew_deleted", "crew_updated"])
def test_with_the_automatic_sync_off_nothing_is_done(room: Room, name: str) -> None:
    listen(room, Automatic.OFF)
    link(room, "crew-1", "31")
    take(room, told(room, "crew-1", name=name))
    assert [each.state for each in stored(room.database).deliveries] == [DeliveryState.IGNORED]
    assert rows(room.database) == (1, 0, 0)


# ── who sends ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sender_has_the_secrets_of_the_moment(room: Room) -> None:
    key = room.connection.key
    assert smarthr_sender(room.ctx, key).secrets == ()
    with room.database.unit_of_work() as uow:
        for secret in ("first", "second", "third"):
            uow.webhook_registrations.set_secret(room.connection.id, secret, previous_until=NOW + timedelta(hours=1))
    assert smarthr_sender(room.ctx, key).secrets == ("third", "second")
    room.clock.turn(hours=1)
    assert smarthr_sender(room.ctx, key).secrets == ("third",)
    assert smarthr_sender(room.ctx, "nobody").secrets == smarthr_sender(room.ctx, "a\0b").secrets == ()


def test_companies(room: Room) -> None:
    second = add_connection(room.database, "second")
    other = add_connection(room.database, "other", freee_company_id=7)
    assert freee_connections(room.ctx, 1234567) == (room.connection.id, second.id)
    assert freee_connections(room.ctx, 7) == (other.id,)
    assert freee_connections(room.ctx, 8) == freee_connections(room.ctx, None) == (None,)


def test_the_cache_knows_for_two_seconds_and_keeps_no_strangers(room: Room) -> None:
    cache = SenderCache(room.ctx)
    key = room.connection.key
    assert cache.smarthr(key).secrets == () and cache.freee(8) == (None,)
    with room.database.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(room.connection.id, "first", previous_until=NOW)
    added = add_connection(room.database, "added", freee_company_id=8)
    assert cache.smarthr(key).secrets == ("first",) and cache.freee(8) == (added.id,)  # nobody was not remembered
    with room.database.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(room.connection.id, "second", previous_until=NOW)
    room.clock.turn(seconds=1.9)
    assert cache.smarthr(key).secrets == ("first",)
    room.clock.turn(seconds=0.1)
    assert cache.smarthr(key).secrets == ("second",)
    room.clock.turn(hours=-1)  # a clock that was set back
    with room.database.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(room.connection.id, "third", previous_until=NOW)
    assert "third" in cache.smarthr(key).secrets


def test_while_one_reads_a_sender_anew_the_others_go_on_with_what_was_known(room: Room) -> None:
    """A storm's threads would open a database connection each, all at the same moment."""
    with room.database.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(room.connection.id, "first", previous_until=NOW)
    reads, others_ask = [0], [False]

    def ask() -> tuple[object, object]:
        return cache.smarthr(room.connection.key).secrets, cache.freee(1234567)

    def unit_of_work() -> UnitOfWork:
        reads[0] += 1
        if others_ask[0] and reads[0] < 10:
            assert ask() == known
        return room.database.unit_of_work()

    cache = SenderCache(replace(room.ctx, unit_of_work=unit_of_work))
    known = ask()
    room.clock.turn(seconds=3)
    others_ask[0] = True
    assert (ask(), reads[0]) == (known, 4)


def test_a_sender_that_is_gone_is_forgotten(room: Room) -> None:
    cache = SenderCache(room.ctx)
    assert cache.freee(1234567) == (room.connection.id,)
    with room.database.engine.begin() as connection:
        connection.execute(text("UPDATE connections SET freee_company_id = 99"))
    room.clock.turn(seconds=3)
    assert [cache.freee(1234567), cache.freee(1234567)] == [(None,), (None,)]


def test_a_digest_tells_bodies_apart_and_is_keyed(room: Room) -> None:
    one, other = told(room, number="1"), told(room, number="2")
    keyed = replace(room.ctx, keys=keys_of(replace(room.ctx.settings, secret_key="z" * 32)))
    again = delivery_of(keyed, one.event, 1, b"1")
    assert len({one.digest, other.digest, again.digest}) == 3
    assert one.digest == told(room, number="1").digest and len(one.digest) == 64


# ── retention ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_deliveries_are_forgotten_after_a_month(room: Room) -> None:
    take(room, told(room, "a", number="1"))
    room.clock.turn(days=29)
    keep_bounds(room.ctx)
    assert rows(room.database)[0] == 1
    take(room, told(room, "b", number="2"))
    room.clock.turn(days=2)
    keep_bounds(room.ctx)
    assert [delivery.people for delivery in stored(room.database).deliveries] == [["b"]]
