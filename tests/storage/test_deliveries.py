"""Deliveries, registrations and counters as the database keeps them: one row per key, pages, retention, secrets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.enums import System
from app.domain.runs.run_state import ItemState
from app.storage.automatic.deliveries import Wanted
from app.storage.automatic.rows import NewDelivery
from app.storage.enums import DeliveryState, WebhookState
from app.storage.metrics.counters import labels
from app.storage.unit_of_work import Database
from app.storage.upkeep.bounds import BOUNDED
from tests.storage.databases import NOW, add_connection, end_item, running_run
from tests.together import together

pytestmark = pytest.mark.sql


def new(dedup: str | None = None, **changes: object) -> NewDelivery:
    given = NewDelivery(
        system=System.SMARTHR,
        connection_id=None,
        event="crew_updated",
        dedup=dedup,
        digest=f"digest of {dedup}",
        state=DeliveryState.ACCEPTED,
        people=("crew-1",),
        received_at=NOW,
    )
    return replace(given, **changes)  # type: ignore[arg-type]


def add(database: Database, *deliveries: NewDelivery) -> list[int | None]:
    with database.unit_of_work() as uow:
        return uow.deliveries.add_many(deliveries)


# ── one row per key ───────────────────────────────────────────────────────────────────────────────────────────────


def test_ids_come_in_the_order_given_and_none_for_what_is_there(database: Database) -> None:
    (first,) = add(database, new("b"))
    ids = add(database, new("z"), new("b"), new(), new("a"), new("z"), new())
    assert [i is None for i in ids] == [False, True, False, False, True, False]
    with database.unit_of_work() as uow:
        kept = {i: uow.deliveries.get(i) for i in ids if i}
        again = uow.deliveries.found(["b"]).get("b")
    assert [row.dedup if row else "" for row in kept.values()] == ["z", None, "a", None]
    assert again is not None and again.id == first


def test_of_two_in_one_transaction_the_first_is_kept(database: Database) -> None:
    ids = add(database, new("a", digest="first"), new("a", digest="second"))
    assert ids[0] is not None and ids[1] is None
    with database.unit_of_work() as uow:
        found = uow.deliveries.found(["a", "nobody"])
    assert {key: (row.id, row.digest) for key, row in found.items()} == {"a": (ids[0], "first")}


def test_nothing_is_nothing(database: Database) -> None:
    assert add(database) == []


def test_everything_of_a_delivery_is_read_as_it_was_written(database: Database) -> None:
    connection = add_connection(database)
    given = new("k", connection_id=connection.id, people=("a", "b"), triggered_at=NOW - timedelta(seconds=2))
    (delivery_id,) = add(database, given)
    assert delivery_id is not None
    with database.unit_of_work() as uow:
        row = uow.deliveries.get(delivery_id)
    assert row is not None
    kept = {name: getattr(row, name) for name in given.__dataclass_fields__}
    assert kept == {name: getattr(given, name) for name in given.__dataclass_fields__} | {"people": ["a", "b"]}
    assert (row.replayed_at, row.replays) == (None, 0)


def test_crosswise_transactions_do_not_wait_for_each_other(database: Database) -> None:
    """Each inserts the same keys, in opposite orders."""
    keys = [f"k{n:03d}" for n in range(50)]
    results = together(lambda n: add(database, *(new(key) for key in keys[:: 1 - 2 * (n % 2)])), 4)
    inserted = [i for ids in results for i in ids if i is not None]
    assert len(results) == 4 and len(inserted) == len(set(inserted)) == 50


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pages_and_filters(database: Database) -> None:
    connection = add_connection(database)
    ids = add(
        database,
        new("a"),
        new("b", connection_id=connection.id, received_at=NOW + timedelta(minutes=1)),
        new("c", state=DeliveryState.UNKNOWN, received_at=NOW + timedelta(minutes=2)),
    )
    a, b, c = (i or 0 for i in ids)
    with database.unit_of_work() as uow:

        def page(after: int | None = None, limit: int = 10, **wanted: Any) -> list[int]:
            return [row.id for row in uow.deliveries.page(Wanted(**wanted), after=after, limit=limit)]

        newest_first = sorted((a, b, c), reverse=True)
        assert page() == newest_first
        assert page(limit=2) + page(after=newest_first[1]) == newest_first
        assert page(connection_id=connection.id) == [b]
        assert page(state=DeliveryState.UNKNOWN) == [c]
        assert page(since=NOW + timedelta(minutes=1), until=NOW + timedelta(minutes=2)) == [b]
        assert page(failed=True) == []


def test_items_of_deliveries_and_those_that_ended_badly(database: Database) -> None:
    connection = add_connection(database)
    run, (good, bad) = running_run(database, connection, items=2)
    one, other = (i or 0 for i in add(database, new("a"), new("b")))
    with database.unit_of_work() as uow:
        uow.deliveries.link_items([(one, good), (one, good), (other, good), (other, bad)])
        uow.deliveries.link_items([])
    with database.unit_of_work() as uow:
        assert sorted(uow.deliveries.asked_for(run.id)) == [(one, "crew-0"), (other, "crew-0"), (other, "crew-1")]
    end_item(database, good)
    end_item(database, bad, ItemState.FAILED)
    with database.unit_of_work() as uow:
        assert uow.deliveries.items_of([one, other]) == {
            one: [(good, run.id, ItemState.SUCCEEDED)],
            other: [(good, run.id, ItemState.SUCCEEDED), (bad, run.id, ItemState.FAILED)],
        }
        assert [row.id for row in uow.deliveries.page(Wanted(failed=True), after=None, limit=9)] == [other]
        assert uow.deliveries.asked_for(run.id) == []


def test_who_was_told_of_and_when_somebody_was_last_heard(database: Database) -> None:
    connection = add_connection(database)
    mine = {"connection_id": connection.id}
    later = NOW + timedelta(hours=1)
    add(
        database,
        new("a", people=("old",), **mine),
        new("b", people=("x", "y"), received_at=later, **mine),
        new("c", people=("31",), system=System.FREEE, received_at=later, **mine),
        new("d", people=("nobody's",), received_at=later),
    )
    with database.unit_of_work() as uow:
        assert uow.deliveries.people_told_since(connection.id, System.SMARTHR, later) == {"x", "y"}
        assert uow.deliveries.people_told_since(connection.id, System.FREEE, NOW) == {"31"}


def test_replay_is_remembered_and_old_ones_are_forgotten_with_their_pairs(database: Database) -> None:
    connection = add_connection(database)
    _, (item,) = running_run(database, connection)
    old, young = (i or 0 for i in add(database, new("a", state=DeliveryState.IGNORED), new("b", received_at=NOW)))
    with database.unit_of_work() as uow:
        uow.deliveries.link_items([(old, item), (young, item)])
        uow.deliveries.mark_replayed([old], NOW)
        uow.deliveries.mark_replayed([old], NOW)
        row = uow.deliveries.get(old)
    assert row is not None and (row.state, row.replays, row.replayed_at) == (DeliveryState.ACCEPTED, 2, NOW)
    with database.engine.begin() as connected:
        connected.execute(text("UPDATE deliveries SET received_at = '2020-01-01 00:00:00' WHERE dedup = 'a'"))
    bounds = [each for each in BOUNDED if each.table == "deliveries"]
    with database.unit_of_work() as uow:
        assert [sum(uow.bounds.forget_old(each, NOW) for each in bounds) for _ in range(2)] == [1, 0]
        assert uow.deliveries.get(old) is None and uow.deliveries.get(young) is not None
        assert uow.deliveries.items_of([old, young])[young] != []
        assert uow.items.get(item) is not None


# ── registrations ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_secrets_are_sealed_and_the_former_one_is_kept(database: Database) -> None:
    connection = add_connection(database)
    until = NOW + timedelta(days=1)
    with database.unit_of_work() as uow:
        assert uow.webhook_registrations.get(connection.id) is None
        uow.webhook_registrations.set_secret(connection.id, "first-secret", previous_until=until)
        uow.webhook_registrations.set_secret(connection.id, "second-secret", previous_until=until)
        row = uow.webhook_registrations.get(connection.id)
    assert row.secrets_at(NOW) == ("second-secret", "first-secret")
    assert row.secrets_at(until) == ("second-secret",)
    assert "secret" not in repr(row).replace("secret=", "")
    with database.engine.connect() as connected:
        kept = str(connected.execute(text("SELECT * FROM webhooks")).all())
    assert "first-secret" not in kept and "second-secret" not in kept


def test_a_secret_that_was_not_taken_over_is_dropped(database: Database) -> None:
    connection = add_connection(database)
    with database.unit_of_work() as uow:
        for secret in ("first", "second"):
            uow.webhook_registrations.set_secret(connection.id, secret, previous_until=NOW + timedelta(days=1))
        uow.webhook_registrations.drop_secret(connection.id)
        row = uow.webhook_registrations.get(connection.id)
        assert row is not None and row.secrets_at(NOW) == ("first",)
        uow.webhook_registrations.drop_secret(connection.id)
        uow.webhook_registrations.drop_secret(connection.id)
        assert uow.webhook_registrations.get(connection.id) is None


def test_how_a_registration_was_found(database: Database) -> None:
    connection = add_connection(database)
    with database.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(connection.id, "s", previous_until=NOW)
        uow.webhook_registrations.found(
            connection.id, vendor_id="w-1", state=WebhookState.DISABLED, disabled_at=NOW, now=NOW
        )
        row = uow.webhook_registrations.get(connection.id)
    assert row is not None
    assert (row.vendor_id, row.state, row.disabled_at, row.checked_at) == ("w-1", WebhookState.DISABLED, NOW, NOW)


# ── counters ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_counters_only_grow_also_at_the_same_moment(database: Database) -> None:
    one, other = ("seen", labels(system="freee", event="updated")), ("seen", labels(system="smarthr", event="created"))

    def count(number: int) -> None:
        for _ in range(10):
            with database.unit_of_work() as uow:
                uow.counters.add({one: 1, other: 2} if number % 2 else {other: 2, one: 1})

    together(count, 4)
    with database.unit_of_work() as uow:
        uow.counters.add({})
        uow.counters.add({("nothing", ()): 0})
        assert uow.counters.all() == {"seen": {one[1]: 40, other[1]: 80}}
