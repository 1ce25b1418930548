"""What an item keeps when it ends, is put off, or waits with a plan for the mass change to be decided."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.domain.runs.run_state import ItemState, RunState
from app.storage.runs.rows import ItemRow, NewNote
from app.storage.unit_of_work import Database
from tests.storage.databases import NOW, add_connection, new_item, running_run, start_item

pytestmark = pytest.mark.sql

LATER = NOW + timedelta(hours=2)
PLAN: dict[str, Any] = {
    "until": LATER,
    "approved_digest": "digest",
    "effects": "retire",
    "kind": "update",
    "notes": [NewNote("E16", "review", "gender")],
    "number": "0042",
    "name": "山田 花子",
    "target_id": "77",
}


def item(database: Database, item_id: int) -> ItemRow:
    with database.unit_of_work() as uow:
        found = uow.items.get(item_id)
    assert found is not None
    return found


def parked(database: Database, **changes: Any) -> tuple[int, int]:
    """(run, item): an item of a running run that waits with a plan."""
    run, (item_id,) = running_run(database, add_connection(database))
    attempt = start_item(database, item_id)
    with database.unit_of_work() as uow:
        assert uow.items.park(item_id, attempt, **(PLAN | changes))
    return run.id, item_id


def test_a_parked_item_waits_with_its_plan_and_nobody_claims_it_meanwhile(database: Database) -> None:
    _, item_id = parked(database)
    row = item(database, item_id)
    assert (row.state, row.next_at, row.pushed_at, row.starts) == (ItemState.WAITING, LATER, None, 0)
    assert (row.lease_until, row.lease_by, row.error_code) == (None, None, None)
    assert (row.approved_digest, row.chosen, row.effects, row.kind) == ("digest", True, "retire", "update")
    assert (row.employee_number, row.name, row.target_id) == ("0042", "山田 花子", "77")
    assert row.notes == [{"code": "E16", "severity": "review", "key": "gender"}]
    with database.unit_of_work() as uow:
        lease = LATER + timedelta(seconds=30)
        early = LATER - timedelta(seconds=1)
        assert uow.items.claim(item_id, row.attempt, now=early, lease_until=lease, worker="test") is None
        assert uow.items.claim(item_id, row.attempt, now=LATER, lease_until=lease, worker="test") is not None


def test_parking_forgets_the_trouble_of_the_attempt_before_and_keeps_what_is_not_given(database: Database) -> None:
    _, (item_id,) = running_run(database, add_connection(database))
    attempt = start_item(database, item_id)
    with database.unit_of_work() as uow:
        uow.items.set_target(item_id, attempt, "5")
        uow.items.postpone(item_id, attempt, next_at=NOW, error_code="E22", counts=True, now=NOW)
    again = start_item(database, item_id)
    with database.unit_of_work() as uow:
        nothing = {"number": None, "name": None, "target_id": None}
        assert uow.items.park(item_id, again, **(PLAN | nothing))
    row = item(database, item_id)
    assert (row.error_code, row.employee_number, row.name, row.target_id) == (None, "0001", "", "5")


def test_a_worker_that_lost_the_item_parks_nothing(database: Database) -> None:
    _, (item_id,) = running_run(database, add_connection(database))
    attempt = start_item(database, item_id)
    with database.unit_of_work() as uow:
        assert not uow.items.park(item_id, attempt - 1, **PLAN)
        assert uow.items.record_outcome(item_id, attempt, state=ItemState.SUCCEEDED, now=NOW)
        assert not uow.items.park(item_id, attempt, **PLAN)
    assert item(database, item_id).state is ItemState.SUCCEEDED


def test_a_decided_mass_change_makes_the_parked_items_due(database: Database) -> None:
    run_id, item_id = parked(database)
    with database.unit_of_work() as uow:
        uow.items.unpark(run_id, now=NOW)
    row = item(database, item_id)
    assert (row.next_at, row.holds_slot, row.approved_digest) == (NOW, True, None), "it plans anew"


def test_only_parked_items_of_that_run_are_made_due(database: Database) -> None:
    connection = add_connection(database)
    run, (waiting, running, ended, plain) = running_run(database, connection, items=4)
    other, (elsewhere,) = running_run(database, connection)
    with database.unit_of_work() as uow:
        uow.items.clear(other.id)
        (elsewhere,) = uow.items.add_many(
            [new_item(other, 9, next_at=LATER, approved_digest="digest", holds_slot=False)]
        )
    for item_id in (waiting, running, ended):
        attempt = start_item(database, item_id)
        with database.unit_of_work() as uow:
            assert uow.items.park(item_id, attempt, **(PLAN | {"target_id": None}))
    attempt = start_item(database, plain)
    with database.unit_of_work() as uow:
        assert uow.items.postpone(plain, attempt, next_at=LATER, error_code="E22", counts=True, now=NOW)
    for item_id in (running, ended):
        start_item(database, item_id, now=LATER)
    with database.unit_of_work() as uow:
        assert uow.items.record_outcome(ended, 2, state=ItemState.FAILED, now=LATER)
        uow.items.unpark(run.id, now=NOW)
    assert item(database, plain).next_at == LATER, "it waits for a vendor, not for a person"
    assert [item(database, each).approved_digest for each in (waiting, running, ended, elsewhere)] == [
        None,
        "digest",
        "digest",
        "digest",
    ]


def test_putting_off_keeps_what_the_vendor_said(database: Database) -> None:
    _, (item_id,) = running_run(database, add_connection(database))
    attempt = start_item(database, item_id)
    with database.unit_of_work() as uow:
        uow.items.postpone(
            item_id, attempt, next_at=LATER, error_code="E22", counts=True, now=NOW, detail="ただいま混み合っています"
        )
    row = item(database, item_id)
    assert (row.detail, row.error_code, row.lease_until, row.lease_by) == (
        "ただいま混み合っています",
        "E22",
        None,
        None,
    )


@pytest.mark.parametrize("ending", ["cancel", "fail"])
def test_items_of_an_ending_run_know_when_and_why_they_ended(database: Database, ending: str) -> None:
    run, (running, waiting) = running_run(database, add_connection(database), items=2)
    attempt = start_item(database, running)
    with database.unit_of_work() as uow:
        assert uow.runs.cancel(run.id, LATER) if ending == "cancel" else uow.runs.fail(run.id, "E18", LATER)
        assert uow.items.postpone(running, attempt, next_at=LATER, error_code="E22", counts=True, now=LATER)
    ended = [item(database, item_id) for item_id in (running, waiting)]
    assert [row.finished_at for row in ended] == [LATER, LATER]
    assert ended[1].error_code == (None if ending == "cancel" else "E18")
    assert {row.state for row in ended} == {ItemState.CANCELLED if ending == "cancel" else ItemState.FAILED}


def test_only_the_waiting_items_of_one_run_are_moved_and_queued_in_their_order(database: Database) -> None:
    connection = add_connection(database)
    run, ids = running_run(database, connection, items=3, state=RunState.PREVIEWED)
    _, (elsewhere,) = running_run(database, add_connection(database, key="other"))
    with database.unit_of_work() as uow:
        uow.outbox.mark_sent(uow.outbox.due(NOW), NOW)
        uow.runs.approve(run.id, by="test", now=NOW, deadline_at=LATER)
    start_item(database, ids[0])
    with database.unit_of_work() as uow:
        uow.items.move_to(run.id, "bulk")
        assert uow.items.queue_waiting(run.id, now=NOW) == 2
        queued = [(row.ref_id, row.attempt, row.queue) for row in uow.outbox.due(NOW)]
    assert queued == [(ids[1], 0, "bulk"), (ids[2], 0, "bulk")]
    assert [item(database, each).queue for each in (ids[0], elsewhere)] == ["interactive", "interactive"]


def test_one_item_is_marked_as_no_news(database: Database) -> None:
    _, (one, other) = running_run(database, add_connection(database), items=2)
    with database.unit_of_work() as uow:
        uow.items.set_known(one)
    assert [item(database, each).known for each in (one, other)] == [True, False]


def test_an_end_keeps_everything_it_is_given(database: Database) -> None:
    _, (item_id,) = running_run(database, add_connection(database))
    attempt = start_item(database, item_id)
    candidates = [{"system": "freee", "id": "9", "number": "0042", "reason": "number"}]
    months = {"closing_month": "2026-11", "pay_month": "2026-12"}
    words = {"error_code": "E17", "detail": "書式が違います", "number": "0042", "name": "山田 花子"}
    with database.unit_of_work() as uow:
        assert uow.items.record_outcome(
            item_id,
            attempt,
            state=ItemState.FAILED,
            now=LATER,
            kind="create",
            target_id="77",
            candidates=candidates,
            **months,
            **words,
        )
    row = item(database, item_id)
    assert (row.state, row.finished_at, row.lease_until, row.lease_by) == (ItemState.FAILED, LATER, None, None)
    assert (row.kind, row.target_id, row.closing_month, row.pay_month) == ("create", "77", "2026-11", "2026-12")
    assert (row.error_code, row.detail, row.employee_number, row.name) == ("E17", "書式が違います", "0042", "山田 花子")
    assert list(row.candidates) == candidates
