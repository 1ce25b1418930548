"""Claims, fences and slots of items, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState, RunState
from app.storage.enums import OutboxKind
from app.storage.runs.rows import NewNote
from app.storage.unit_of_work import Database
from tests.storage.databases import NOW, add_connection, add_run, end_item, new_item, running_run, start_item
from tests.together import together

pytestmark = pytest.mark.sql

LEASE = NOW + timedelta(seconds=30)


def claim(database: Database, item_id: int, attempt: int = 0) -> object:
    with database.unit_of_work() as uow:
        return uow.items.claim(item_id, attempt, now=NOW, lease_until=LEASE, worker="test")


def test_of_many_claimers_exactly_one_gets_the_item(database: Database) -> None:
    connection = add_connection(database)
    _, ids = running_run(database, connection, items=10)
    for item_id in ids:
        claims = together(lambda _: claim(database, item_id), 6)  # noqa: B023 - run before the next turn
        assert sum(found is not None for found in claims) == 1


def test_a_claim_counts_the_attempt_and_the_start(database: Database) -> None:
    connection = add_connection(database)
    _, (item_id,) = running_run(database, connection)
    with database.unit_of_work() as uow:
        item = uow.items.claim(item_id, 0, now=NOW, lease_until=LEASE, worker="host:1")
    assert item is not None
    assert (item.state, item.attempt, item.starts, item.lease_until, item.lease_by, item.started_at) == (
        ItemState.RUNNING,
        1,
        1,
        LEASE,
        "host:1",
        NOW,
    )


@pytest.mark.parametrize("attempt", [1, -1, 7])
def test_a_job_of_another_attempt_claims_nothing(database: Database, attempt: int) -> None:
    connection = add_connection(database)
    _, (item_id,) = running_run(database, connection)
    assert claim(database, item_id, attempt) is None


def test_an_item_is_not_claimed_before_its_time(database: Database) -> None:
    connection = add_connection(database)
    _, (item_id,) = running_run(database, connection)
    attempt = start_item(database, item_id)
    later = NOW + timedelta(seconds=60)
    with database.unit_of_work() as uow:
        assert uow.items.postpone(item_id, attempt, next_at=later, error_code="E22", counts=True, now=NOW)
    assert claim(database, item_id, attempt) is None
    with database.unit_of_work() as uow:
        again = uow.items.claim(item_id, attempt, now=later, lease_until=LEASE, worker="test")
    assert again is not None
    assert (again.attempt, again.starts, again.attempts_failed) == (2, 1, 1)


@pytest.mark.parametrize("stopped", ["paused", "consent", "cancelled", "preview"])
def test_nothing_is_claimed_of_a_run_that_may_not_work(database: Database, stopped: str) -> None:
    connection = add_connection(database)
    state = RunState.PREVIEWED if stopped == "preview" else RunState.RUNNING
    run, (item_id,) = running_run(database, connection, state=state)
    with database.unit_of_work() as uow:
        if stopped == "paused":
            uow.connections.set_paused(connection.id, True)
        elif stopped == "consent":
            uow.connections.set_needs_consent(connection.id, True)
        elif stopped == "cancelled":
            uow.runs.cancel(run.id, NOW)
    assert claim(database, item_id) is None


def test_the_late_word_of_an_orphan_changes_nothing(database: Database) -> None:
    connection = add_connection(database)
    _, (item_id,) = running_run(database, connection)
    orphan = start_item(database, item_id)
    with database.unit_of_work() as uow:
        assert uow.recovery.free_dead_leases(LEASE + timedelta(seconds=1), max_starts=3) == 1
    owner = start_item(database, item_id, now=LEASE + timedelta(seconds=2))
    with database.unit_of_work() as uow:
        assert not uow.items.renew(item_id, orphan, LEASE)
        assert not uow.items.record_outcome(item_id, orphan, state=ItemState.FAILED, now=NOW)
        assert not uow.items.postpone(item_id, orphan, next_at=NOW, error_code=None, counts=True, now=NOW)
        assert not uow.items.set_target(item_id, orphan, "wrong")
        assert uow.items.renew(item_id, owner, LEASE)
        assert uow.items.record_outcome(item_id, owner, state=ItemState.SUCCEEDED, target_id="9", now=NOW)
        assert not uow.items.record_outcome(item_id, owner, state=ItemState.FAILED, now=NOW)
        item = uow.items.get(item_id)
    assert item is not None
    assert (item.state, item.target_id, item.lease_until, item.finished_at) == (ItemState.SUCCEEDED, "9", None, NOW)


def test_whose_last_start_has_just_died_is_not_started_again(database: Database) -> None:
    """The lease ended between the pass that ends the poisoned and the one that frees dead leases."""
    connection = add_connection(database)
    _, (item_id,) = running_run(database, connection)
    start_item(database, item_id)
    late = LEASE + timedelta(seconds=1)
    with database.unit_of_work() as uow:
        assert uow.recovery.free_dead_leases(late, max_starts=1) == 0
        assert uow.recovery.end_poisoned(late, max_starts=1)


def test_of_many_finishers_exactly_one_is_heard(database: Database) -> None:
    connection = add_connection(database)
    _, (item_id,) = running_run(database, connection)
    attempt = start_item(database, item_id)

    def finish(number: int) -> object:
        with database.unit_of_work() as uow:
            return uow.items.record_outcome(
                item_id, attempt, state=ItemState.SUCCEEDED, now=NOW, error_code=f"E{number + 1}"
            )

    heard = together(finish, 6)
    assert heard.count(True) == 1
    with database.unit_of_work() as uow:
        item = uow.items.get(item_id)
    assert item is not None
    assert item.error_code == f"E{heard.index(True) + 1}"


def test_finish_keeps_what_is_not_given(database: Database) -> None:
    connection = add_connection(database)
    _, (item_id,) = running_run(database, connection)
    attempt = start_item(database, item_id)
    with database.unit_of_work() as uow:
        uow.items.set_target(item_id, attempt, "42", kind="create")
        uow.items.set_months(item_id, attempt, closing_month="2026-11", pay_month="2026-12")
        uow.items.record_outcome(
            item_id, attempt, state=ItemState.NEEDS_REVIEW, notes=[NewNote("E16", "review", "gender")], now=NOW
        )
        item = uow.items.get(item_id)
    assert item is not None
    assert (item.target_id, item.kind, item.closing_month, item.pay_month) == ("42", "create", "2026-11", "2026-12")
    assert item.notes == [{"code": "E16", "severity": "review", "key": "gender"}]


def test_postponing_queues_the_next_attempt_for_its_time(database: Database) -> None:
    connection = add_connection(database)
    _, (item_id,) = running_run(database, connection)
    with database.unit_of_work() as uow:
        uow.outbox.mark_sent(uow.outbox.due(NOW), NOW)
    attempt = start_item(database, item_id)
    later = NOW + timedelta(seconds=60)
    with database.unit_of_work() as uow:
        uow.items.postpone(item_id, attempt, next_at=later, error_code="E21", counts=False, now=NOW)
    with database.unit_of_work() as uow:
        assert uow.outbox.due(NOW) == []
        (row,) = uow.outbox.due(later)
        item = uow.items.get(item_id)
    assert (row.kind, row.ref_id, row.attempt, row.queue) == (OutboxKind.ITEM, item_id, 1, "interactive")
    assert item is not None
    assert (item.state, item.starts, item.attempts_failed, item.pushed_at) == (ItemState.WAITING, 0, 0, None)


@pytest.mark.parametrize(
    ("ending", "state", "code"), [("cancel", ItemState.CANCELLED, "E22"), ("fail", ItemState.FAILED, "E18")]
)
def test_an_item_of_an_ending_run_is_not_postponed_but_ended(
    database: Database, ending: str, state: ItemState, code: str
) -> None:
    connection = add_connection(database)
    run, (item_id,) = running_run(database, connection)
    attempt = start_item(database, item_id)
    with database.unit_of_work() as uow:
        assert uow.runs.cancel(run.id, NOW) if ending == "cancel" else uow.runs.fail(run.id, "E18", NOW)
        assert uow.items.postpone(item_id, attempt, next_at=LEASE, error_code="E22", counts=True, now=NOW)
        item = uow.items.get(item_id)
    assert item is not None
    assert (item.state, item.error_code) == (state, code)


# ── slots: one open item per employee and direction ───────────────────────────────────────────────────────────────


def test_a_second_item_for_the_same_employee_waits_for_the_first(database: Database) -> None:
    connection = add_connection(database)
    _, (first,) = running_run(database, connection)
    _, (second,) = running_run(database, connection)
    with database.unit_of_work() as uow:
        rows = [uow.items.get(first), uow.items.get(second)]
    assert [row.holds_slot for row in rows if row] == [True, False]
    attempt = start_item(database, first)
    assert claim(database, second) is None
    with database.unit_of_work() as uow:
        waiting = uow.items.get(second)
        uow.items.record_outcome(first, attempt, state=ItemState.SUCCEEDED, now=NOW)
    assert waiting is not None
    assert waiting.state is ItemState.WAITING
    assert waiting.next_at > NOW  # it asks again a little later, by an outbox row of its own
    assert start_item(database, second, now=waiting.next_at) == 1


def test_the_other_direction_and_other_connections_do_not_wait(database: Database) -> None:
    connection, other = add_connection(database), add_connection(database, key="other")
    _, (first,) = running_run(database, connection)
    _, (back,) = running_run(database, connection, direction=Direction.FREEE_TO_SMARTHR)
    _, (elsewhere,) = running_run(database, other)
    for item_id in (first, back, elsewhere):
        start_item(database, item_id)


def test_a_preview_blocks_nobody(database: Database) -> None:
    connection = add_connection(database)
    running_run(database, connection, state=RunState.PREVIEWED)
    _, (item_id,) = running_run(database, connection)
    start_item(database, item_id)


def test_people_without_a_source_id_do_not_share_a_slot(database: Database) -> None:
    connection = add_connection(database)
    run = add_run(database, connection)
    with database.unit_of_work() as uow:
        uow.items.add_many([new_item(run, n, source_id=None) for n in range(3)])


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (("crew-1", "42"), ("42", "crew-1")),
        (("crew-1", "42"), ("42", None)),
        (("crew-1", None), ("42", "crew-1")),
        (("crew-1", "42"), ("42", "crew-of-before")),
        (("crew-1", "43"), ("42", "crew-1")),
    ],
    ids=["both-ids", "only-freees-id", "only-smarthrs-id", "freees-id-agrees", "smarthrs-id-agrees"],
)
@pytest.mark.parametrize("first", ["there", "back"])
def test_nobody_is_written_both_ways_at_once_whichever_id_tells(
    database: Database, there: tuple[str, str | None], back: tuple[str, str | None], first: str
) -> None:
    """One direction knows a person by the id of one system only, as long as there is no link."""
    connection = add_connection(database)
    items = {}
    for name, direction, (source, target) in (
        ("there", Direction.SMARTHR_TO_FREEE, there),
        ("back", Direction.FREEE_TO_SMARTHR, back),
    ):
        run, (items[name],) = running_run(database, connection, direction=direction)
        with database.unit_of_work() as uow:
            uow.items.clear(run.id)
            (items[name],) = uow.items.add_many([new_item(run, source_id=source, target_id=target)])
    second = "back" if first == "there" else "there"
    start_item(database, items[first])
    with database.unit_of_work() as uow:
        assert uow.items.claim(items[second], 0, now=NOW, lease_until=LEASE, worker="test") is None
    with database.unit_of_work() as uow:
        item = uow.items.get(items[second])
        assert item is not None
        assert (item.state, item.next_at) == (ItemState.WAITING, NOW + timedelta(seconds=5))
        assert uow.items.record_outcome(items[first], 1, state=ItemState.SUCCEEDED, now=NOW)
    with database.unit_of_work() as uow:
        assert uow.items.claim(items[second], 0, now=item.next_at, lease_until=LEASE, worker="test") is not None


def test_two_surveys_at_once_never_both_hold_the_slot(database: Database) -> None:
    connection = add_connection(database)
    runs = [add_run(database, connection) for _ in range(4)]

    def add(number: int) -> object:
        with database.unit_of_work() as uow:
            return uow.items.add_many([new_item(runs[number], n) for n in range(20)])

    ids = together(add, 4)
    with database.unit_of_work() as uow:
        holding = [uow.items.get(i) for each in ids for i in each]  # type: ignore[attr-defined]
    held = [row.source_id for row in holding if row is not None and row.holds_slot]
    assert len(held) == len(set(held)) == 20


def test_items_come_back_in_the_order_they_were_given(database: Database) -> None:
    connection = add_connection(database)
    run = add_run(database, connection)
    with database.unit_of_work() as uow:
        ids = uow.items.add_many([new_item(run, position) for position in (4, 2, 0, 3, 1)])
        numbers = [row.employee_number for i in ids if (row := uow.items.get(i))]
        pages = [[row.position for row in uow.items.page(run.id, after=after, limit=2)] for after in (-1, 1, 3, 4)]
    assert numbers == ["0005", "0003", "0001", "0004", "0002"]
    assert pages == [[0, 1], [2, 3], [4], []]


def test_counts_and_pages_by_state(database: Database) -> None:
    connection = add_connection(database)
    run, ids = running_run(database, connection, items=4)
    end_item(database, ids[0])
    end_item(database, ids[2], state=ItemState.FAILED, error_code="E1")
    with database.unit_of_work() as uow:
        counts = uow.items.counts(run.id)
        failed = uow.items.page(run.id, after=-1, limit=10, state=ItemState.FAILED)
        numbers = uow.items.numbers(run.id, [ItemState.FAILED])
        recent, began = uow.items.worked_since(run.id, NOW)
    assert counts == {ItemState.SUCCEEDED: 1, ItemState.FAILED: 1, ItemState.WAITING: 2}
    assert [row.id for row in failed] == [ids[2]]
    assert numbers == ["0003"]
    assert (recent, began) == (2, NOW)


def test_an_event_joins_a_waiting_item_of_a_running_run_only(database: Database) -> None:
    connection = add_connection(database)
    running_run(database, connection, state=RunState.PREVIEWED)
    _, (item_id,) = running_run(database, connection)
    with database.unit_of_work() as uow:
        found = uow.items.waiting_for(connection.id, Direction.SMARTHR_TO_FREEE, ["crew-0", "somebody else"])
        back = uow.items.waiting_for(connection.id, Direction.FREEE_TO_SMARTHR, ["crew-0"])
    assert (found, back) == ({"crew-0": item_id}, {})
    start_item(database, item_id)  # it may have read already: the event needs an item of its own
    with database.unit_of_work() as uow:
        assert uow.items.waiting_for(connection.id, Direction.SMARTHR_TO_FREEE, ["crew-0"]) == {}
