"""/metrics: every family it has, counters that grow over processes, and nothing personal or secret in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app.domain.enums import Direction, System
from app.domain.runs.queues import QUEUES
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic
from app.factory import create_app
from app.storage.enums import MailKind, MailState, RefreshState, WebhookState
from app.storage.metrics.counters import labels
from app.use_cases.accounts.api_keys import add_key
from app.use_cases.context import Context
from app.use_cases.intake.webhook_intake import sort_received
from app.use_cases.monitoring import snapshot
from app.use_cases.monitoring.counters import SETTLED, count_once
from app.use_cases.monitoring.refused_jobs import Reason, count_refused_jobs
from app.use_cases.survey import change_detection
from tests.statements import statements
from tests.web.application import application_on, operator_of
from tests.web.hooks import FREEE_TOKEN, SECRET, SMARTHR_URL, freee_body, listen, send_freee, send_smarthr, smarthr_body
from tests.web.made import add_delivery, add_run
from tests.web.world import KEY, NOW, World, impatient_database, locked

pytestmark = pytest.mark.sql

Found = dict[tuple[str, ...], float]
ONE = "1"
"""The number of the only connection."""


@pytest.fixture
def app(world: World) -> Flask:
    settings = replace(world.ctx.settings, freee_webhook_token=FREEE_TOKEN, webhook_max_bytes=2000)
    world.ctx = replace(world.ctx, settings=settings)
    return application_on(world.ctx)


@pytest.fixture
def client(app: Flask, world: World) -> FlaskClient:
    return operator_of(app, world.ctx)


def metrics(client: FlaskClient) -> Found:
    """(name, *label values in the order of the labels' names) → value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def named(found: Found, name: str) -> dict[tuple[str, ...], float]:
    return {key[1:]: value for key, value in found.items() if key[0] == name}


# ── intake ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_deliveries_by_outcome(client: FlaskClient, world: World) -> None:
    listen(world)
    body = smarthr_body()
    for _ in range(3):
        send_smarthr(client, body)
    send_freee(client, freee_body("surprised"))
    send_freee(client, freee_body(company=999))
    assert named(metrics(client), "awase_deliveries_total") == {
        ("crew_updated", "accepted", "smarthr"): 1,
        ("-", "repeated", "smarthr"): 2,
        ("-", "unknown", "freee"): 1,
        ("-", "unrouted", "freee"): 1,
    }


def test_what_the_relay_has_not_sorted_yet(client: FlaskClient, world: World) -> None:
    listen(world)
    for person in ("crew-1", "crew-2"):
        sent = client.post(SMARTHR_URL, data=smarthr_body("crew_updated", person), headers={"X-SmartHR-Token": SECRET})
        assert sent.status_code == 202
        world.clock.turn(seconds=30)
    found = metrics(client)
    assert (found["awase_deliveries_unsorted",], found["awase_deliveries_unsorted_oldest_age_seconds",]) == (2, 60)
    sort_received(world.ctx)
    found = metrics(client)
    assert (found["awase_deliveries_unsorted",], found["awase_deliveries_unsorted_oldest_age_seconds",]) == (0, 0)


def test_refusals_are_counted_once_and_by_all_processes_together(client: FlaskClient, world: World) -> None:
    listen(world)
    other = operator_of(create_app(world.ctx), world.ctx)
    send_smarthr(client, smarthr_body(), secret="wrong")
    send_smarthr(other, smarthr_body(), secret="wrong")
    send_smarthr(client, b"{")
    send_freee(client, b"x" * 3000)
    for process in (client, client, other):
        found = named(metrics(process), "awase_deliveries_total")
    assert found == {
        ("-", "unauthorized", "smarthr"): 2,
        ("-", "invalid_json", "smarthr"): 1,
        ("-", "body_too_large", "freee"): 1,
    }


def test_refusals_wait_for_a_database_that_is_locked(world: World) -> None:
    impatient = impatient_database(world.ctx.settings)
    client = operator_of(create_app(replace(world.ctx, unit_of_work=impatient.unit_of_work)), world.ctx)
    metrics(client)  # the key has been used: reading it again writes nothing
    send_smarthr(client, smarthr_body(), secret="wrong")
    with locked(world.ctx.settings):
        assert named(metrics(client), "awase_deliveries_total") == {}
    assert named(metrics(client), "awase_deliveries_total") == {("-", "unauthorized", "smarthr"): 1}
    impatient.dispose()


def test_jobs_that_workers_refused(client: FlaskClient, world: World) -> None:
    """Each reason stands there with a zero before, because Prometheus takes a line that appears for no increase."""
    before = named(metrics(client), "awase_jobs_refused_total")
    assert before == {(queue, reason): 0.0 for queue in QUEUES for reason in Reason}
    for _ in range(2):
        assert count_refused_jobs(world.ctx, {("bulk", Reason.FUNCTION): 2, ("interactive", Reason.KIND): 1})
    after = named(metrics(client), "awase_jobs_refused_total")
    assert {key: value for key, value in after.items() if value} == {
        ("bulk", "function"): 4,
        ("interactive", "kind"): 2,
    }


def test_refused_jobs_wait_for_a_database_that_is_locked(world: World) -> None:
    impatient = impatient_database(world.ctx.settings)
    with locked(world.ctx.settings):
        ctx = replace(world.ctx, unit_of_work=impatient.unit_of_work)
        assert not count_refused_jobs(ctx, {("bulk", Reason.FUNCTION): 1})
    impatient.dispose()


def test_last_webhook_and_registration(client: FlaskClient, world: World) -> None:
    connection = listen(world)
    assert named(metrics(client), "awase_webhook_last_seen_timestamp_seconds") == {}
    send_smarthr(client, smarthr_body())
    world.clock.turn(minutes=5)
    send_smarthr(client, smarthr_body("crew_created", "crew-9"))
    with world.ctx.unit_of_work() as uow:
        uow.webhook_registrations.found(
            connection.id, vendor_id="v", state=WebhookState.DISABLED, disabled_at=NOW, now=NOW
        )
    found = metrics(client)
    last = (NOW + timedelta(minutes=5)).timestamp()
    assert named(found, "awase_webhook_last_seen_timestamp_seconds") == {(ONE, "smarthr"): last}
    registration = named(found, "awase_webhook_registration")
    assert {state for (_, state), value in registration.items() if value} == {"disabled"}
    assert len(registration) == len(WebhookState)


def test_automatic_directions_and_the_comparison(client: FlaskClient, world: World) -> None:
    connection = listen(world, Automatic.SMARTHR_TO_FREEE, sweep_minutes=30)
    found = metrics(client)
    assert named(found, "awase_automatic") == {(ONE, "smarthr_to_freee"): 1, (ONE, "freee_to_smarthr"): 0}
    assert named(found, "awase_sweep_interval_seconds") == {(ONE,): 1800}
    assert named(found, "awase_sweep_done_timestamp_seconds") == {}
    assert named(found, "awase_webhooks_missed_total") == {(ONE, "smarthr"): 0, (ONE, "freee"): 0}
    with world.ctx.unit_of_work() as uow:
        uow.sweeps.done(connection.id, NOW)
        uow.counters.add({(change_detection.COUNTER, labels(connection=str(connection.id), system="smarthr")): 4})
    found = metrics(client)
    assert named(found, "awase_sweep_done_timestamp_seconds") == {(ONE,): NOW.timestamp()}
    assert found["awase_webhooks_missed_total", ONE, "smarthr"] == 4
    assert snapshot.MISSED == change_detection.COUNTER


def test_employees_in_quarantine(client: FlaskClient, world: World) -> None:
    connection = listen(world)
    with world.ctx.unit_of_work() as uow:
        for person, times in (("crew-1", 3), ("crew-2", 1)):
            for _ in range(times):
                uow.troubles.note(
                    connection.id,
                    Direction.SMARTHR_TO_FREEE,
                    person,
                    employee_number=person,
                    code="E1",
                    now=NOW,
                    quarantine_after=3,
                )
    assert named(metrics(client), "awase_quarantined") == {(ONE,): 1}


# ── backlog ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_runs_that_webhooks_fill(client: FlaskClient, world: World) -> None:
    add_delivery(world, "crew-1", "crew-2")
    found = metrics(client)
    assert (found["awase_gathering_runs",], found["awase_gathering_overdue_seconds",]) == (1, 0)
    world.clock.turn(seconds=100)
    assert metrics(client)["awase_gathering_overdue_seconds",] == 90


def test_the_age_of_the_backlog_counts_what_could_begin(client: FlaskClient, world: World) -> None:
    add_run(world, ItemState.WAITING, ItemState.SUCCEEDED)
    world.clock.turn(seconds=40)
    assert metrics(client)["awase_items_oldest_age_seconds",] == 40
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection
        uow.connections.set_paused(connection.id, True)
    found = metrics(client)
    assert found["awase_items_oldest_age_seconds",] == 0
    assert found["awase_connection_state", ONE, "paused"] == 1
    assert found["awase_connection_state", ONE, "active"] == 0


def test_mails_by_kind_and_state(client: FlaskClient, world: World) -> None:
    add_run(world, ItemState.WAITING)
    with world.ctx.unit_of_work() as uow:
        (run,) = uow.runs.page(after=None, limit=1)
        uow.mails.add(run.id, kind=MailKind.SUMMARY, message_id="<1@x>", now=NOW)
        failed = uow.mails.add_notice(
            run.connection_id, kind=MailKind.CONSENT, occasion="consent:1:1", message_id="<2@x>", now=NOW
        )
        assert failed and uow.mails.claim(failed, now=NOW, lease_until=NOW)
        assert uow.mails.record_result(failed, attempts=1, state=MailState.FAILED, now=NOW)
    world.clock.turn(seconds=70)
    found = metrics(client)
    assert {key: n for key, n in named(found, "awase_mails").items() if n} == {
        ("summary", "pending"): 1,
        ("consent", "failed"): 1,
    }
    assert (found["awase_mails_waiting",], found["awase_mails_oldest_age_seconds",]) == (1, 70)


# ── runs, vendors ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_outcomes_and_durations_of_runs(client: FlaskClient, world: World) -> None:
    run_id = add_run(world, ItemState.SUCCEEDED, ItemState.FAILED, ItemState.FAILED, error_code="E16")
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(run_id)
        assert run
        uow.runs.add_calls(run.id, {System.SMARTHR: 5})
    before = metrics(client)
    assert before["awase_metered_timestamp_seconds",] == 0
    assert named(before, "awase_items_total") == {}
    count_once(world.ctx)
    found = metrics(client)
    way = ("smarthr_to_freee",)
    assert named(found, "awase_items_total") == {
        ("E16", *way, "failed", "api"): 2,
        ("none", *way, "succeeded", "api"): 1,
    }
    assert named(found, "awase_runs_total") == {(*way, "partly_failed", "api"): 1}
    assert named(found, "awase_vendor_calls_total") == {("smarthr",): 5}
    assert found["awase_run_seconds_count", *way, "api"] == 1
    buckets = named(found, "awase_run_seconds_bucket")
    assert buckets[(*way, "5", "api")] == buckets[(*way, "+Inf", "api")] == 1
    assert found["awase_metered_timestamp_seconds",] == NOW.timestamp()


def test_counters_go_on_in_another_process(app: Flask, world: World) -> None:
    add_run(world, ItemState.SUCCEEDED)
    count_once(world.ctx)
    first = metrics(operator_of(app, world.ctx))
    world.clock.turn(seconds=SETTLED.total_seconds() + 1)
    add_run(world, ItemState.SUCCEEDED, ItemState.SUCCEEDED)
    count_once(world.ctx)
    second = metrics(operator_of(create_app(world.ctx), world.ctx))
    key = ("awase_items_total", "none", "smarthr_to_freee", "succeeded", "api")
    assert (first[key], second[key]) == (1, 3)
    growing = [name for name in first if name[0].endswith(("_total", "_bucket", "_count", "_sum"))]
    assert growing and all(second[name] >= first[name] for name in growing)


def test_tokens_quota_and_limits(client: FlaskClient, world: World) -> None:
    found = metrics(client)
    assert found["awase_freee_token_expires_timestamp_seconds", ONE] == NOW.replace(year=2027).timestamp()
    assert found["awase_freee_token_refreshed_timestamp_seconds", ONE] == NOW.timestamp()
    assert named(found, "awase_vendor_quota_remaining") == {(ONE, "smarthr"): 1000, (ONE, "freee"): 1000}
    assert found["awase_freee_refresh_state", ONE, "ok"] == 1
    with world.ctx.unit_of_work() as uow:
        tokens = uow.connections.freee_tokens(1)
        assert tokens and uow.connections.mark_refresh(1, RefreshState.NEEDS_CONSENT, version=tokens.version)
    found = metrics(client)
    assert found["awase_freee_refresh_state", ONE, "ok"] == 0
    assert found["awase_freee_refresh_state", ONE, "needs_consent"] == 1
    assert found["awase_connection_state", ONE, "needs_consent"] == 1


# ── what is away, what is secret ──────────────────────────────────────────────────────────────────────────────────


def test_a_database_that_is_away_is_a_finding(world: World, without_database: Context) -> None:
    """Told to whoever had a good key when the database last answered, and to nobody else."""
    there = [world.ctx.unit_of_work]
    client = operator_of(create_app(replace(world.ctx, unit_of_work=lambda: there[0]())), world.ctx)
    narrow = {"Authorization": f"Bearer {add_key(world.ctx, '別の用', ['runs:read'])}"}
    assert (client.get("/metrics").status_code, client.get("/metrics", headers=narrow).status_code) == (200, 403)
    there[0] = without_database.unit_of_work
    send_smarthr(client, b"x" * 2_000_000)
    found = metrics(client)
    assert (found["awase_database_up",], found["awase_broker_up",]) == (0, 1)
    assert found["awase_queue_waiting", "interactive"] == 3
    assert client.get("/health/ready").json["status"] in ("ok", "unavailable"), "the word may be a second old"
    assert client.get("/metrics", headers=narrow).status_code == 403
    for header in (None, "Bearer nothing", f"Bearer awase_000000000000_{'0' * 64}"):
        answer = client.get("/metrics", headers={"Authorization": header or ""})
        assert answer.status_code in (401, 503) and "awase_" not in answer.text


def test_neither_key_nor_person_nor_secret(client: FlaskClient, world: World) -> None:
    listen(world)
    send_smarthr(client, smarthr_body("crew_updated", "crew-canary", full=True))
    add_run(world, ItemState.FAILED, ItemState.WAITING)
    count_once(world.ctx)
    text = client.get("/metrics").text
    for told in (KEY, "crew-", "0001", SECRET, "カナリア", "れんしゅう", "awase-renshu", "1234567", "@"):
        assert told not in text, told


def test_each_family_is_told_once_and_explained(client: FlaskClient, world: World) -> None:
    lines = client.get("/metrics").text.splitlines()
    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    helped = {line.split()[2] for line in lines if line.startswith("# HELP") and len(line.split()) > 3}
    assert len(types) == len(set(types)) and set(types) == helped


def test_many_connections_are_one_query_each_kind(client: FlaskClient, world: World) -> None:
    """The time of a scrape must not grow by queries per connection."""

    def queries(url: str) -> int:
        with statements(world.database.engine) as sent:
            client.get(url)
        return len(sent)

    def add(numbers: range) -> None:
        with world.ctx.unit_of_work() as uow:
            for number in numbers:
                uow.connections.add(
                    key=f"c{number}",
                    name="x",
                    smarthr_subdomain=f"s{number}",
                    smarthr_token="t",
                    freee_company_id=number,
                    now=NOW,
                )

    add(range(1))  # without a consent, which costs a question of its own, however many are without
    client.get("/metrics")  # the key has been used: reading it again writes nothing
    few = queries("/metrics")
    add(range(1, 10))
    assert queries("/metrics") == few


Bearer = Callable[..., dict[str, str]]


def test_the_queue_tells_the_same(client: FlaskClient, world: World, bearer: Bearer) -> None:
    listen(world)
    send_smarthr(client, smarthr_body())
    send_smarthr(client, smarthr_body("surprise"))
    found = client.get("/api/v1/queue", headers=bearer("ops:read")).json
    assert found["runs_gathering"] == 1
    assert found["deliveries_last_hour"] == {"received": 0, "accepted": 1, "ignored": 0, "unknown": 1, "unrouted": 0}
    (intake,) = found["intake"]
    assert (intake["id"], intake["key"], intake["automatic"], intake["quarantined"]) == (1, KEY, "both", 0)
    assert intake["last_smarthr_webhook"].startswith("2026-11-22T03:00:00") and intake["last_freee_webhook"] is None
    world.clock.turn(hours=2)
    later = client.get("/api/v1/queue", headers=bearer("ops:read")).json
    assert set(later["deliveries_last_hour"].values()) == {0}
