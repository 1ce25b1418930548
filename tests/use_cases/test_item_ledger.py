"""What the job of one item need not store at once: it goes with the job's next commit, and is stored once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.enums import Step
from app.domain.snapshot import BLANK
from app.storage.enums import StepState
from app.storage.runs.rows import NewChange
from app.storage.unit_of_work import Database, UnitOfWork
from app.use_cases.shared.item_ledger import ItemLedger, ItemLost
from tests.storage.databases import NOW, add_connection, running_run, start_item

pytestmark = pytest.mark.sql

LEASE = NOW + timedelta(minutes=5)


class Broken(Exception):
    """Something in the transaction has failed."""


def begun(database: Database) -> tuple[ItemLedger, int, int]:
    """The ledger of an item whose first request has been sent, the item and its attempt."""
    _, (item_id,) = running_run(database, add_connection(database))
    attempt = start_item(database, item_id)
    with database.unit_of_work() as uow:
        uow.steps.sending(item_id, attempt, Step.PROFILE, keys=["last_name"], now=NOW)
    return ItemLedger(database.unit_of_work, item_id, attempt), item_id, attempt


def keep(ledger: ItemLedger, item_id: int, attempt: int) -> None:
    """An answer and a plan, as a job leaves them for its next commit."""
    change = NewChange("last_name", BLANK, "山田")
    ledger.seen(lambda uow: uow.steps.done(item_id, attempt, Step.PROFILE, now=NOW))
    ledger.planned("plan", lambda uow: uow.changes.replace(item_id, [change]))


def stored(database: Database, item_id: int) -> tuple[list[StepState], int]:
    """(states of the steps, number of planned changes)"""
    with database.unit_of_work() as uow:
        steps, changes = uow.steps.of_items([item_id])[item_id], uow.changes.of_items([item_id])[item_id]
    return [step.state for step in steps], len(changes)


def taken_over(database: Database, item_id: int, attempt: int) -> None:
    with database.unit_of_work() as uow:
        assert uow.items.postpone(item_id, attempt, next_at=NOW, error_code=None, counts=False, now=NOW)
    assert start_item(database, item_id) == attempt + 1


def test_what_waits_is_stored_with_the_next_commit_and_only_once(database: Database) -> None:
    ledger, item_id, attempt = begun(database)
    keep(ledger, item_id, attempt)
    times: list[int] = []
    ledger.seen(lambda _: times.append(1))
    assert stored(database, item_id) == ([StepState.SENDING], 0)
    for _ in range(2):
        with ledger.commit(lease_until=LEASE):
            pass
    assert stored(database, item_id) == ([StepState.DONE], 1)
    assert len(times) == 1


def test_what_could_not_be_committed_waits_on(database: Database) -> None:
    ledger, item_id, attempt = begun(database)
    keep(ledger, item_id, attempt)
    with pytest.raises(Broken), ledger.commit(lease_until=LEASE):
        raise Broken
    assert stored(database, item_id) == ([StepState.SENDING], 0)
    with ledger.commit():
        pass
    assert stored(database, item_id) == ([StepState.DONE], 1)


def test_who_has_lost_the_item_sends_nothing_and_stores_no_plan_but_what_was_answered(database: Database) -> None:
    ledger, item_id, attempt = begun(database)
    keep(ledger, item_id, attempt)
    taken_over(database, item_id, attempt)

    def never(_: UnitOfWork) -> None:
        raise AssertionError

    with pytest.raises(ItemLost), ledger.commit(lease_until=LEASE):
        raise AssertionError
    ledger.planned("months", never)
    ledger.store_seen()
    assert stored(database, item_id) == ([StepState.DONE], 0)
    with ledger.commit():
        pass
    assert stored(database, item_id) == ([StepState.DONE], 0)


def test_what_a_link_remembers_is_changed_in_the_order_in_which_it_was_learned(database: Database) -> None:
    ledger, _, _ = begun(database)
    connection = add_connection(database, key="other")
    with database.unit_of_work() as uow:
        link = uow.links.create(connection.id, "crew-1", "1", now=NOW, baseline={"title": "a"})
    ledger.learned(link.id, lambda state: state.move_baseline({"title": "b"}, seen={"title": "a"}))
    with ledger.commit(learned=[(link.id, lambda state: state.move_baseline({"title": "c"}, seen={"title": "b"}))]):
        pass
    with database.unit_of_work() as uow:
        (now,) = uow.links.for_connection(connection.id)
    assert now.baseline == {"title": "c"}
