"""Compare-and-set under real threads and real processes: of many who try at once, exactly one gets it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from app.domain.enums import Direction, System
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.readability import Listing
from app.domain.vendors.tokens import FreeeTokens
from app.storage.enums import HistoryKind, MailKind, MailState, OutboxKind, UnlinkReason
from app.storage.links.rows import DirectoryEntry
from app.storage.unit_of_work import Database
from tests.storage.databases import KEY, NOW, add_connection, add_run, end_item, new_item, running_run, start_item
from tests.together import together

pytestmark = pytest.mark.sql

ROOT = Path(__file__).resolve().parents[2]
LEASE = NOW + timedelta(seconds=30)
THREADS = 6
ROUNDS = 3

CLAIMER = """
import json, sys
from datetime import datetime, timedelta
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
url, key, worker, now, *ids = sys.argv[1:]
database, moment, mine = Database(url, Vault([key])), datetime.fromisoformat(now), []
for item_id in map(int, ids):
    with database.unit_of_work() as uow:
        item = uow.items.claim(item_id, 0, now=moment, lease_until=moment + timedelta(seconds=30), worker=worker)
    if item is not None:
        mine.append(item.id)
print(json.dumps(mine))
"""


def won(results: list[object]) -> int:
    return sum(result is not None and result is not False for result in results)


def in_unit(database: Database, work: Callable[..., object]) -> object:
    with database.unit_of_work() as uow:
        return work(uow)


def test_processes_share_the_items_among_them(database: Database) -> None:
    connection = add_connection(database)
    _, ids = running_run(database, connection, items=40)
    url = database.engine.url.render_as_string(hide_password=False)
    arguments = [sys.executable, "-c", CLAIMER, url, KEY]
    started = [
        subprocess.Popen([*arguments, f"worker-{n}", NOW.isoformat(), *map(str, ids)], cwd=ROOT, stdout=subprocess.PIPE)
        for n in range(3)
    ]
    claimed = [json.loads(process.communicate(timeout=60)[0]) for process in started]
    assert sorted(item_id for mine in claimed for item_id in mine) == ids
    with database.unit_of_work() as uow:
        holders = Counter(item.lease_by for item in map(uow.items.get, ids) if item)
    assert holders == Counter({f"worker-{n}": len(mine) for n, mine in enumerate(claimed) if mine})


def test_one_of_many_surveys_a_run(database: Database) -> None:
    connection = add_connection(database)
    for _ in range(ROUNDS):
        run = add_run(database, connection)
        claims = together(
            lambda _: in_unit(database, lambda uow: uow.runs.claim_survey(run.id, now=NOW, lease_until=LEASE)),  # noqa: B023
            THREADS,
        )
        assert won(claims) == 1


def test_a_dead_survey_is_taken_over_by_one(database: Database) -> None:
    connection = add_connection(database)
    run = add_run(database, connection)
    with database.unit_of_work() as uow:
        assert uow.runs.claim_survey(run.id, now=NOW, lease_until=LEASE) is not None
    later, until = LEASE + timedelta(seconds=1), LEASE + timedelta(seconds=31)
    claims = together(
        lambda _: in_unit(database, lambda uow: uow.runs.claim_survey(run.id, now=later, lease_until=until)), THREADS
    )
    assert won(claims) == 1
    with database.unit_of_work() as uow:
        row = uow.runs.get(run.id)
    assert row is not None
    assert (row.survey_attempt, row.survey_starts, row.started_at) == (2, 2, NOW)


def test_one_of_many_approves_cancels_or_fails_a_preview(database: Database) -> None:
    connection = add_connection(database)
    for _ in range(ROUNDS):
        run, _ids = running_run(database, connection, state=RunState.PREVIEWED)

        def act(number: int, run_id: int = run.id) -> object:
            acts: list[Callable[..., bool]] = [
                lambda uow: uow.runs.approve(run_id, by="x", now=NOW, deadline_at=LEASE),
                lambda uow: uow.runs.approve(run_id, by="y", now=NOW, deadline_at=LEASE),
            ]
            return in_unit(database, acts[number % 2])

        assert won(together(act, THREADS)) == 1
        ends: list[Callable[..., bool]] = [
            lambda uow, run_id=run.id: uow.runs.cancel(run_id, NOW),
            lambda uow, run_id=run.id: uow.runs.fail(run_id, "E18", NOW),
        ]
        results = together(lambda n, ends=ends: in_unit(database, ends[n % 2]), THREADS)  # type: ignore[misc]
        assert won(results) == 1
        with database.unit_of_work() as uow:
            row, (item,) = uow.runs.get(run.id), uow.items.page(run.id, after=-1, limit=5)
        assert row is not None
        assert row.ends_as in (RunState.CANCELLED, RunState.FAILED)
        assert item.state.value == row.ends_as.value  # the items went the way of the one that won


def test_one_of_many_closes_a_run(database: Database) -> None:
    connection = add_connection(database)
    for _ in range(ROUNDS):
        run, (item_id,) = running_run(database, connection)
        end_item(database, item_id)
        results = together(
            lambda _: in_unit(database, lambda uow: uow.runs.close(run.id, now=NOW)),  # noqa: B023
            THREADS,
        )
        assert [result for result in results if result] == [RunState.SUCCEEDED]


def test_one_of_many_sends_a_mail_and_one_of_many_settles_it(database: Database) -> None:
    connection = add_connection(database)
    for _ in range(ROUNDS):
        run = add_run(database, connection)
        with database.unit_of_work() as uow:
            mail_id = uow.mails.add(run.id, kind=MailKind.SUMMARY, message_id=f"<{run.id}@x>", now=NOW)
        claims = together(
            lambda _: in_unit(database, lambda uow: uow.mails.claim(mail_id, now=NOW, lease_until=LEASE)),  # noqa: B023
            THREADS,
        )
        assert won(claims) == 1
        states = [MailState.SENT, MailState.FAILED]
        settled = together(
            lambda n: in_unit(
                database,
                lambda uow: uow.mails.record_result(mail_id, attempts=1, state=states[n % 2], now=NOW),  # noqa: B023
            ),
            THREADS,
        )
        assert won(settled) == 1


def test_a_run_has_one_mail_and_one_end_however_many_add_them(database: Database) -> None:
    run = add_run(database, add_connection(database))

    def add(number: int) -> object:
        try:
            with database.unit_of_work() as uow:
                uow.history.add(run.id, HistoryKind.END, at=NOW, result=RunState.SUCCEEDED)
                return uow.mails.add(run.id, kind=MailKind.SUMMARY, message_id=f"<{number}@x>", now=NOW)
        except IntegrityError:
            return None

    assert won(together(add, THREADS)) == 1
    with database.unit_of_work() as uow:
        assert len(uow.history.of_run(run.id)) == 1


def test_two_runs_never_link_one_person_twice(database: Database) -> None:
    connection = add_connection(database)

    def link(number: int) -> object:
        crew, employee = ("crew", str(number)) if number % 2 else (f"crew-{number}", "7")
        try:
            with database.unit_of_work() as uow:
                return uow.links.create(connection.id, crew, employee, now=NOW)
        except IntegrityError:
            return None

    together(link, THREADS)
    with database.unit_of_work() as uow:
        links = uow.links.for_connection(connection.id)
        ids = sorted({link.smarthr_id for link in links}), sorted({link.freee_id for link in links})
    assert len(links) == 2  # one for the crew, one for the employee 7
    assert [len(side) for side in ids] == [2, 2]


def test_one_unlinks(database: Database) -> None:
    connection = add_connection(database)
    with database.unit_of_work() as uow:
        link = uow.links.create(connection.id, "crew", "7", now=NOW)
    results = together(
        lambda _: in_unit(database, lambda uow: uow.links.unlink(link.id, why=UnlinkReason.BY_PERSON, now=NOW)), THREADS
    )
    assert won(results) == 1


def test_the_same_key_at_the_same_moment_is_kept_once(database: Database) -> None:
    connection = add_connection(database)
    runs = [add_run(database, connection) for _ in range(THREADS)]

    def keep(number: int) -> object:
        with database.unit_of_work() as uow:
            return uow.idempotency.add("k", "cli", request_hash="r", run_id=runs[number].id, now=NOW)

    results = together(keep, THREADS)
    assert won(results) == 1
    with database.unit_of_work() as uow:
        row = uow.idempotency.find("k", "cli")
        assert uow.idempotency.find("k", "somebody else") is None
    assert row is not None
    assert row.run_id == runs[results.index(True)].id


def test_a_consent_is_used_once(database: Database) -> None:
    connection = add_connection(database)
    with database.unit_of_work() as uow:
        uow.consents.add("h", connection.id, verifier="v" * 43, redirect_uri="http://x", expires_at=LEASE)
    taken = together(lambda _: in_unit(database, lambda uow: uow.consents.take("h", now=NOW)), THREADS)
    assert won(taken) == 1


def test_a_pair_of_tokens_is_renewed_by_one_and_stored_by_one(database: Database) -> None:
    connection = add_connection(database)
    with database.unit_of_work() as uow:
        tokens = uow.connections.freee_tokens(connection.id)
    assert tokens is not None
    claims = together(
        lambda _: in_unit(
            database,
            lambda uow: uow.connections.claim_refresh(connection.id, version=tokens.version, now=NOW, until=LEASE),
        ),
        THREADS,
    )
    assert won(claims) == 1

    def store(number: int) -> object:
        fresh = FreeeTokens(f"access-{number}", f"refresh-{number}", LEASE)
        return in_unit(
            database,
            lambda uow: uow.connections.store_refreshed(connection.id, fresh, version=tokens.version, now=NOW),
        )

    stored = together(store, THREADS)
    assert won(stored) == 1
    with database.unit_of_work() as uow:
        kept = uow.connections.freee_tokens(connection.id)
    assert kept is not None
    assert (kept.access_token, kept.version) == (f"access-{stored.index(True)}", tokens.version + 1)


def test_a_key_is_revoked_once(database: Database) -> None:
    with database.unit_of_work() as uow:
        uow.keys.add(name="n", prefix="p", digest="d", scopes=["runs:read"], now=NOW)
    results = together(lambda _: in_unit(database, lambda uow: uow.keys.revoke("p", now=NOW)), THREADS)
    assert won(results) == 1


def test_what_two_surveys_learn_at_once_is_all_kept(database: Database) -> None:
    connection = add_connection(database)
    together(
        lambda n: in_unit(
            database,
            lambda uow: uow.connections.learn(
                connection.id, {System.SMARTHR: Listing({f"attribute_{n}": "1"})}, {}, now=NOW
            ),
        ),
        THREADS,
    )
    with database.unit_of_work() as uow:
        learned = uow.connections.get(connection.id)
    assert learned is not None
    assert learned.hoped(System.SMARTHR) == {f"attribute_{n}" for n in range(THREADS)}


def test_vendor_calls_counted_at_once_add_up(database: Database) -> None:
    run = add_run(database, add_connection(database))
    together(lambda _: [in_unit(database, lambda uow: uow.runs.add_calls(run.id, {s: 2})) for s in System], THREADS)  # noqa: B023
    with database.unit_of_work() as uow:
        row = uow.runs.get(run.id)
    assert row is not None
    assert (row.smarthr_calls, row.freee_calls) == (2 * THREADS, 2 * THREADS)


def test_a_directory_replaced_by_two_at_once_is_one_of_the_two(database: Database) -> None:
    connection = add_connection(database)

    def replace(number: int) -> None:
        people = [DirectoryEntry(f"{number}-{n}", f"crew-{n}") for n in range(20)]
        with database.unit_of_work() as uow:
            uow.directory.replace(connection.id, System.SMARTHR, people, now=NOW)

    together(replace, 4)
    with database.unit_of_work() as uow:
        assert uow.directory.size(connection.id, System.SMARTHR) == 20
        whole = [
            len(uow.directory.known_numbers(connection.id, System.SMARTHR, [f"{n}-{m}" for m in range(20)]))
            for n in range(4)
        ]
    assert sorted(whole) == [0, 0, 0, 20]


@pytest.mark.parametrize("queue", ["interactive", "bulk"])
def test_lost_items_pushed_by_many_at_once_run_once(database: Database, queue: str) -> None:
    """On PostgreSQL two who push at the same moment may both queue an item: the jobs have one id and one attempt."""
    connection = add_connection(database)
    _, ids = running_run(database, connection, items=5, queue=queue)
    with database.unit_of_work() as uow:
        uow.outbox.mark_sent(uow.outbox.due(NOW), NOW)
    later = NOW + timedelta(seconds=60)
    pushed = together(
        lambda _: in_unit(database, lambda uow: uow.recovery.push_lost_items(later, pushed_before=later)), THREADS
    )
    with database.unit_of_work() as uow:
        due = [row.ref_id for row in uow.outbox.due(later) if row.kind is OutboxKind.ITEM]
    assert sum(pushed) == len(due)  # type: ignore[arg-type]
    assert sorted(set(due)) == ids

    def claim(number: int) -> object:
        return in_unit(
            database, lambda uow: uow.items.claim(due[number], 0, now=later, lease_until=later, worker=f"w{number}")
        )

    assert won(together(claim, len(due))) == 5


def test_a_freed_lease_and_its_late_owner(database: Database) -> None:
    """The reconciler frees the item while its owner finishes it: one of the two is heard, never both."""
    connection = add_connection(database)
    late = LEASE + timedelta(seconds=1)
    for _ in range(ROUNDS):
        _, (item_id,) = running_run(database, connection)
        attempt = start_item(database, item_id)
        works: list[Callable[..., object]] = [
            lambda uow: uow.recovery.free_dead_leases(late, max_starts=3) == 1,
            lambda uow, i=item_id, a=attempt: uow.items.record_outcome(i, a, state=ItemState.SUCCEEDED, now=late),
        ]
        freed, finished = together(lambda n, works=works: in_unit(database, works[n]), 2)  # type: ignore[misc]
        assert [freed, finished].count(True) == 1
        with database.unit_of_work() as uow:
            item = uow.items.get(item_id)
            assert item is not None
            assert item.state is (ItemState.WAITING if freed else ItemState.SUCCEEDED)
            uow.items.clear(item.run_id)


def test_of_runs_in_both_directions_each_holds_its_own_slot(database: Database) -> None:
    connection = add_connection(database)
    runs = [add_run(database, connection, direction=direction) for direction in Direction for _ in range(3)]

    def survey(number: int) -> object:
        with database.unit_of_work() as uow:
            return uow.items.add_many([new_item(runs[number])])

    together(survey, len(runs))
    with database.unit_of_work() as uow:
        held = Counter(
            run.direction for run in runs for item in uow.items.page(run.id, after=-1, limit=5) if item.holds_slot
        )
    assert held == Counter({Direction.SMARTHR_TO_FREEE: 1, Direction.FREEE_TO_SMARTHR: 1})
