"""The webhook routes: who is listened to, what is stored of it and answered, and that nothing is stored by halves."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from app.domain.enums import Direction, System
from app.domain.settings.connection_settings import Automatic, Connection
from app.factory import create_app
from app.storage.enums import DeliveryState
from app.storage.metrics.counters import labels
from app.use_cases.context import Context
from app.use_cases.intake.webhook_intake import sort_received
from app.use_cases.upkeep import relay
from tests.storage.databases import everything_stored
from tests.together import together
from tests.web.application import application_on
from tests.web.hooks import (
    CANARIES,
    COMPANY,
    FREEE_EVENTS,
    FREEE_TOKEN,
    FREEE_URL,
    OLD_SECRET,
    SECRET,
    SMARTHR_EVENTS,
    SMARTHR_URL,
    freee_body,
    listen,
    rows,
    send_freee,
    send_smarthr,
    smarthr_body,
    stored,
)
from tests.web.world import NOW, World, impatient_database, locked

LIMIT = 2000


@pytest.fixture
def app(world: World) -> Flask:
    settings = replace(world.ctx.settings, freee_webhook_token=FREEE_TOKEN, webhook_max_bytes=LIMIT)
    world.ctx = replace(world.ctx, settings=settings)
    return application_on(world.ctx)


@pytest.fixture
def connection(world: World) -> Connection:
    """Syncs both ways by itself."""
    return listen(world)


def padded(size: int, body: bytes = b"") -> bytes:
    """A right body of exactly so many bytes."""
    body = body or smarthr_body()
    return body[:-1] + b" " * (size - len(body)) + b"}"


def chunked(client: FlaskClient, url: str, body: bytes, header: tuple[str, str]) -> TestResponse:
    """Without a length, as a server hands it on."""
    environ = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    return client.post(url, headers=[header], environ_overrides=environ)


def refusal(answer: TestResponse) -> dict[str, str]:
    """The problem document without the number of the request."""
    return {name: value for name, value in answer.get_json().items() if name != "request_id"}


# ── who is listened to ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_right_one_is_stored_with_its_item(client: FlaskClient, world: World, connection: Connection) -> None:
    answer = send_smarthr(client, smarthr_body("crew_updated", "crew-7"))
    found = stored(world.database)
    assert (answer.status_code, answer.get_json()) == (202, {"id": found.deliveries[0].id})
    assert [(d.event, d.people, d.connection_id, d.received_at) for d in found.deliveries] == [
        ("crew_updated", ["crew-7"], connection.id, NOW)
    ]
    assert found.people == ["crew-7"]
    assert found.links == {found.deliveries[0].id: [found.items[0].id]}
    assert world.broker.jobs == []


def test_freee_comes_to_the_connection_of_its_company(
    client: FlaskClient, world: World, connection: Connection
) -> None:
    assert send_freee(client, freee_body(person=31)).status_code == 202
    found = stored(world.database)
    assert (found.deliveries[0].connection_id, found.people) == (connection.id, ["31"])
    assert found.runs[0].direction is Direction.FREEE_TO_SMARTHR


def test_two_connections_of_one_company_get_one_each(client: FlaskClient, world: World, connection: Connection) -> None:
    with world.ctx.unit_of_work() as uow:
        second = uow.connections.add(
            key="second", name="二社目", smarthr_subdomain="s", smarthr_token="t", freee_company_id=COMPANY, now=NOW
        )
        uow.connections.set_options(replace(second, automatic=Automatic.FREEE_TO_SMARTHR))
    assert [send_freee(client, freee_body()).status_code for _ in range(2)] == [202, 202]
    found = stored(world.database)
    assert [d.connection_id for d in found.deliveries] == [connection.id, second.id]
    assert [item.connection_id for item in found.items] == [connection.id, second.id]


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize(
    "header",
    [
        [],
        [("X-SmartHR-Token", "")],
        [("X-SmartHR-Token", "wrong")],
        [("X-SmartHR-Token", SECRET[:-1])],
        [("X-SmartHR-Token", SECRET.upper())],
        [("X-SmartHR-Token", SECRET), ("X-SmartHR-Token", SECRET)],
        [("X-SmartHR-Token", "wrong"), ("X-SmartHR-Token", SECRET)],
        [("Authorization", f"Bearer {SECRET}")],
        [("x-freee-token", FREEE_TOKEN)],
        [("X-SmartHR-Token", "caf\xe9")],
    ],
    ids=["missing", "empty", "wrong", "shorter", "case", "doubled", "second", "bearer", "freee's", "not ASCII"],
)
def test_without_the_secret_nothing_is_said_and_nothing_stored(
    client: FlaskClient, world: World, header: list[tuple[str, str]]
) -> None:
    answers = [
        client.post(url, data=smarthr_body(), headers=header)
        for url in (SMARTHR_URL, "/webhooks/smarthr/nobody", "/webhooks/smarthr/%00", "/webhooks/smarthr/%ED%A0%80")
    ]
    assert [answer.status_code for answer in answers] == [401] * 4
    assert [refusal(answer) for answer in answers] == [refusal(answers[0])] * 4
    assert refusal(answers[0])["code"] == "webhook_unauthorized"
    assert rows(world.database) == (0, 0, 0)


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("token", [None, "", "wrong", SECRET])
def test_freees_token_is_one_for_the_whole_app(client: FlaskClient, world: World, token: str | None) -> None:
    answer = send_freee(client, freee_body(), token=token)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "webhook_unauthorized")
    assert rows(world.database) == (0, 0, 0)


@pytest.mark.usefixtures("connection")
def test_without_a_token_of_freee_nobody_can_be_freee(world: World) -> None:
    client = create_app(replace(world.ctx, settings=replace(world.ctx.settings, freee_webhook_token=""))).test_client()
    assert [send_freee(client, freee_body(), token=token).status_code for token in ("", None)] == [401, 401]


@pytest.mark.usefixtures("connection")
def test_the_former_secret_is_good_until_the_overlap_ends(client: FlaskClient, world: World) -> None:
    assert send_smarthr(client, smarthr_body("crew_updated", "a"), secret=OLD_SECRET).status_code == 202
    world.clock.turn(hours=1, seconds=-1)
    assert send_smarthr(client, smarthr_body("crew_updated", "b"), secret=OLD_SECRET).status_code == 202
    world.clock.turn(seconds=3)  # a sender is remembered for two seconds
    assert send_smarthr(client, smarthr_body("crew_updated", "c"), secret=OLD_SECRET).status_code == 401
    assert send_smarthr(client, smarthr_body("crew_updated", "d"), secret=SECRET).status_code == 202
    assert stored(world.database).people == ["a", "b", "d"]


@pytest.mark.usefixtures("connection")
def test_freees_former_token_is_good_while_it_is_set(world: World, app: Flask) -> None:
    settings = replace(world.ctx.settings, freee_webhook_token_previous="an-older-freee-token")
    both = create_app(replace(world.ctx, settings=settings)).test_client()
    assert send_freee(both, freee_body(number=1), token="an-older-freee-token").status_code == 202
    assert send_freee(both, freee_body(number=2)).status_code == 202
    assert send_freee(app.test_client(), freee_body(number=3), token="an-older-freee-token").status_code == 401


@pytest.mark.usefixtures("connection")
def test_a_new_secret_counts_within_two_seconds(client: FlaskClient, world: World) -> None:
    send_smarthr(client, smarthr_body("crew_updated", "a"))
    with world.ctx.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(1, "the-newest-secret", previous_until=NOW)
    world.clock.turn(seconds=2)
    assert send_smarthr(client, smarthr_body("crew_updated", "b")).status_code == 401
    assert send_smarthr(client, smarthr_body("crew_updated", "b"), secret="the-newest-secret").status_code == 202


def test_a_connection_without_a_webhook_listens_to_nobody(client: FlaskClient, world: World) -> None:
    assert send_smarthr(client, smarthr_body(), secret="").status_code == 401
    assert rows(world.database) == (0, 0, 0)


@pytest.mark.parametrize("url", [SMARTHR_URL, FREEE_URL])
def test_only_post(client: FlaskClient, url: str) -> None:
    assert [client.open(url, method=method).status_code for method in ("GET", "PUT", "DELETE")] == [405] * 3


# ── what may come ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, LIMIT + 2, 5 * LIMIT])
@pytest.mark.parametrize("url", [SMARTHR_URL, FREEE_URL])
def test_the_limit_is_exact_with_and_without_a_length(client: FlaskClient, world: World, url: str, size: int) -> None:
    smarthr = url == SMARTHR_URL
    header = ("X-SmartHR-Token", SECRET) if smarthr else ("x-freee-token", FREEE_TOKEN)
    whole = padded(size, smarthr_body() if smarthr else freee_body(number=1))
    other = padded(size, smarthr_body(at=None) if smarthr else freee_body(number=2))
    answers = client.post(url, data=whole, headers=[header]), chunked(client, url, other, header)
    expected = 202 if size <= LIMIT else 413
    assert [answer.status_code for answer in answers] == [expected, expected]
    if expected == 413:
        assert {answer.get_json()["code"] for answer in answers} == {"body_too_large"}
        assert f"{LIMIT:,}" in answers[0].get_json()["detail"]
    assert len(stored(world.database).deliveries) == (2 if expected == 202 else 0)


@pytest.mark.usefixtures("connection")
def test_too_large_comes_before_the_secret_and_is_not_read(client: FlaskClient) -> None:
    class Untouched(io.BytesIO):
        def read(self, *_args: object) -> bytes:
            raise AssertionError("it was read")

        readline = readinto = read  # type: ignore[assignment]

    environ = {"wsgi.input": Untouched(), "CONTENT_LENGTH": str(LIMIT + 1)}
    assert client.post(SMARTHR_URL, environ_overrides=environ).status_code == 413


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "?/;"])
def test_the_type_of_the_body_does_not_matter(client: FlaskClient, world: World, kind: str) -> None:
    """Which one the vendors send is not documented (presumably JSON)."""
    answer = client.post(SMARTHR_URL, data=smarthr_body(), headers={"X-SmartHR-Token": SECRET}, content_type=kind)
    sort_received(world.ctx)
    assert (answer.status_code, stored(world.database).people) == (202, ["crew-1"])


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff\xfe\xfd", '{"event": "crew_updated"}'.encode("utf-16"), smarthr_body()[:-1]]
)
def test_what_is_no_json_is_refused(client: FlaskClient, world: World, body: bytes) -> None:
    for answer in (send_smarthr(client, body), send_freee(client, body)):
        assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_json")
    assert rows(world.database) == (0, 0, 0)


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("full", [True, False], ids=["full", "ids"])
@pytest.mark.parametrize("event", SMARTHR_EVENTS)
def test_every_event_of_smarthr(client: FlaskClient, world: World, event: str, full: bool) -> None:
    people = ["a", "b", "c"] if event.endswith("imported") else ["a"]
    answer = send_smarthr(client, smarthr_body(event, *people, full=full))
    found = stored(world.database)
    assert (answer.status_code, found.deliveries[0].event, found.people) == (202, event, people)
    assert found.links == {found.deliveries[0].id: [item.id for item in found.items]}
    assert [(run.direction, run.total) for run in found.runs] == [(Direction.SMARTHR_TO_FREEE, len(people))]


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("action", FREEE_EVENTS)
def test_every_event_of_freee(client: FlaskClient, world: World, action: str) -> None:
    assert send_freee(client, freee_body(action)).status_code == 202
    found = stored(world.database)
    assert (found.deliveries[0].event, found.people) == (action, ["67890"])


@pytest.mark.usefixtures("connection")
def test_an_unknown_event_is_kept_and_does_nothing(client: FlaskClient, world: World) -> None:
    answers = [
        send_smarthr(client, smarthr_body("workflow_approved")),
        send_smarthr(client, b'{"event": "crew_updated", "crew": {}}'),
        send_freee(client, freee_body(resource="hr:time_clock")),
    ]
    assert [each.status_code for each in answers] == [202] * 3
    found = stored(world.database)
    assert [(d.event, d.people, d.state.value) for d in found.deliveries] == [
        ("workflow_approved", [], "unknown"),
        ("crew_updated", [], "unknown"),
        ("hr:time_clock:updated", ["67890"], "unknown"),
    ]
    assert found.items == []


@pytest.mark.parametrize(
    ("automatic", "smarthr", "freee"),
    [
        (Automatic.OFF, "ignored", "ignored"),
        (Automatic.SMARTHR_TO_FREEE, "accepted", "ignored"),
        (Automatic.FREEE_TO_SMARTHR, "ignored", "accepted"),
        (Automatic.BOTH, "accepted", "accepted"),
    ],
)
def test_directions(client: FlaskClient, world: World, automatic: Automatic, smarthr: str, freee: str) -> None:
    listen(world, automatic)
    send_smarthr(client, smarthr_body())
    send_freee(client, freee_body())
    found = stored(world.database)
    states = [delivery.state.value for delivery in found.deliveries]
    assert states == [smarthr, freee]
    assert len(found.items) == states.count("accepted")


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("company", [7654321, None, "1234567", 2**63, 10**30, -1])
def test_a_company_of_nobody_is_kept_as_unrouted(client: FlaskClient, world: World, company: object) -> None:
    answer = send_freee(client, freee_body(company=company))
    assert answer.status_code == 202
    found = stored(world.database)
    assert [(d.connection_id, d.state) for d in found.deliveries] == [(None, DeliveryState.UNROUTED)]
    assert found.items == []


# ── the same again ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("connection")
def test_a_repetition_gets_the_same_answer_and_does_nothing(client: FlaskClient, world: World) -> None:
    first = [send_smarthr(client, smarthr_body()), send_freee(client, freee_body())]
    before = rows(world.database)
    again = [send_smarthr(client, smarthr_body()), send_freee(client, freee_body())]
    assert [(a.status_code, a.get_json()) for a in again] == [(a.status_code, a.get_json()) for a in first]
    assert rows(world.database) == before == (2, 2, 2)


@pytest.mark.usefixtures("connection")
def test_a_repetition_after_a_change_of_direction_is_answered_as_it_was_stored(
    client: FlaskClient, world: World
) -> None:
    first = send_smarthr(client, smarthr_body()).get_json()
    listen(world, Automatic.OFF)
    assert send_smarthr(client, smarthr_body()).get_json() == first


@pytest.mark.usefixtures("connection")
def test_one_byte_makes_another_delivery(client: FlaskClient, world: World) -> None:
    """The body is all that tells SmartHR's notifications apart. For one person they are one item."""
    bodies = smarthr_body(), smarthr_body() + b" ", smarthr_body(at="2026-11-22T02:59:58.001Z")
    assert len({send_smarthr(client, body).get_json()["id"] for body in bodies}) == 3
    assert rows(world.database) == (3, 1, 3)


@pytest.mark.usefixtures("connection")
def test_without_a_moment_nothing_is_a_repetition(client: FlaskClient, world: World) -> None:
    bodies = [smarthr_body(at=None)] * 2 + [smarthr_body(at="yesterday")] * 2
    assert len({send_smarthr(client, body).get_json()["id"] for body in bodies}) == 4
    assert rows(world.database) == (4, 1, 4)


@pytest.mark.usefixtures("connection")
def test_freees_number_with_another_body_is_told_and_the_first_kept(client: FlaskClient, world: World) -> None:
    first = send_freee(client, freee_body(person=1))
    with capture_logs() as logs:
        second = send_freee(client, freee_body(person=2))
    assert second.get_json() == first.get_json()
    told = [entry for entry in logs if entry["event"] == "delivery_differs"]
    assert [(entry["delivery_id"], entry["system"]) for entry in told] == [(first.get_json()["id"], "freee")]
    assert stored(world.database).people == ["1"]


@pytest.mark.usefixtures("connection")
def test_freee_without_a_number_is_told_by_its_body(client: FlaskClient, world: World) -> None:
    bodies = [freee_body(number=None)] * 2 + [freee_body(number=None, person=2)]
    assert len({send_freee(client, body).get_json()["id"] for body in bodies}) == 2
    assert stored(world.database).people == ["2", "67890"]


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("apart", [False, True], ids=["one process", "two processes"])
def test_the_same_at_the_same_moment(app: Flask, world: World, apart: bool) -> None:
    """Also through two applications, whose commits are not grouped with each other."""
    apps = [app, create_app(world.ctx)] if apart else [app, app]
    many = apps * 8
    answers = together(lambda n: send_freee(many[n].test_client(), freee_body()), len(many))
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
    assert rows(world.database) == (1, 1, 1)


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("apart", [False, True], ids=["one process", "two processes"])
def test_many_at_the_same_moment(app: Flask, world: World, apart: bool) -> None:
    """Each three times: one delivery, one person, one run."""
    apps = [app, create_app(world.ctx)] if apart else [app, app]
    sends = [
        partial(send_smarthr, apps[copy % 2].test_client(), smarthr_body("crew_updated", f"p{n:02d}"))
        for copy in range(3)
        for n in range(12)
    ]
    answers = together(lambda n: sends[n](), len(sends))
    assert [answer.status_code for answer in answers] == [202] * 36
    found = stored(world.database)
    assert found.people == [f"p{n:02d}" for n in range(12)]
    assert rows(world.database) == (12, 12, 12)
    assert len(found.runs) == 1


# ── when something is away ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("connection")
def test_a_locked_database_is_told_to_come_again_and_nothing_is_half_stored(world: World, app: Flask) -> None:
    database = impatient_database(app.extensions["awase"].settings)
    client = create_app(replace(world.ctx, unit_of_work=database.unit_of_work)).test_client()
    with locked(world.ctx.settings):
        answers = [send_smarthr(client, smarthr_body()), send_freee(client, freee_body())]
        assert [answer.status_code for answer in answers] == [503, 503]
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert rows(world.database) == (0, 0, 0)
    for _ in range(2):
        assert send_smarthr(client, smarthr_body()).status_code == 202
    assert rows(world.database) == (1, 1, 1)
    database.dispose()


@pytest.mark.usefixtures("connection")
@pytest.mark.database("sqlite")
def test_an_exclusive_lock_of_sqlite(world: World, app: Flask) -> None:
    database = impatient_database(app.extensions["awase"].settings)
    client = create_app(replace(world.ctx, unit_of_work=database.unit_of_work)).test_client()
    with world.database.engine.connect() as other:
        other.exec_driver_sql("ROLLBACK")
        other.exec_driver_sql("BEGIN EXCLUSIVE")
        assert send_smarthr(client, smarthr_body()).status_code == 503
        other.exec_driver_sql("ROLLBACK")
        other.exec_driver_sql("BEGIN")
    assert send_smarthr(client, smarthr_body()).status_code == 202
    assert rows(world.database) == (1, 1, 1)
    database.dispose()


@contextmanager
def gone(world: World, table: str) -> Iterator[None]:
    """The database fails in the middle of a transaction: one of its tables is missing."""
    with world.database.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO elsewhere"))
    yield
    with world.database.engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE elsewhere RENAME TO {table}"))


@pytest.mark.usefixtures("connection")
def test_what_cannot_be_stored_is_not_taken(client: FlaskClient, world: World) -> None:
    with gone(world, "deliveries"):
        assert send_smarthr(client, smarthr_body()).status_code >= 500
    assert rows(world.database) == (0, 0, 0)
    assert send_smarthr(client, smarthr_body()).status_code == 202
    assert rows(world.database) == (1, 1, 1)


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("table", ["delivery_items", "tallies"])
def test_what_fails_half_way_in_the_sorting_leaves_nothing_but_the_delivery(
    client: FlaskClient, world: World, table: str
) -> None:
    """The last tables of the transaction are gone: everything before them is taken back, and done by the next pass."""
    with gone(world, table), pytest.raises(DBAPIError):
        send_smarthr(client, smarthr_body())
    assert rows(world.database) == (1, 0, 0) and stored(world.database).runs == []
    assert sort_received(world.ctx) == 1
    assert rows(world.database) == (1, 1, 1)


def test_without_a_database(without_database: Context, world: World) -> None:
    client = create_app(replace(without_database, settings=world.ctx.settings)).test_client()
    answer = send_smarthr(client, smarthr_body())
    assert answer.status_code == 503 and "Retry-After" in answer.headers


@pytest.mark.usefixtures("connection")
def test_the_broker_is_not_needed(client: FlaskClient, world: World) -> None:
    world.broker.away = True
    assert send_smarthr(client, smarthr_body()).status_code == 202
    world.clock.turn(seconds=10)
    assert relay.relay_once(world.ctx) == 0
    world.broker.away = False
    assert relay.relay_once(world.ctx) == 1
    assert [job.function for job in world.broker.jobs] == ["workers.jobs.sync_item"]


# ── what is told ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("connection")
def test_nothing_of_a_body_but_ids_is_kept_or_told(client: FlaskClient, world: World) -> None:
    sent = [smarthr_body(event, "crew-1", "crew-2", full=True) for event in SMARTHR_EVENTS]
    strange = freee_body(employee={"id": 5, "company_id": COMPANY, "name": CANARIES[0]}, note=CANARIES[3])
    with capture_logs() as logs:
        answers = [
            send_smarthr(client, body) for body in [*sent, *sent, sent[0].replace(b"crew_created", b"crew_hired")]
        ]
        answers += [send_freee(client, strange), send_freee(client, strange[:-9])]
        answers += [send_smarthr(client, sent[0], secret=CANARIES[3]), send_smarthr(client, sent[0] * 4)]
    told = repr(logs) + "".join(answer.text + str(answer.headers) for answer in answers)
    kept = everything_stored(world.ctx.settings)
    for value in CANARIES:
        assert value not in told and value.encode() not in kept
        assert value.encode("unicode-escape") not in kept
    for secret in (SECRET, OLD_SECRET, FREEE_TOKEN):
        assert secret not in told and secret.encode() not in kept
    assert b"crew-2" in kept


@pytest.mark.usefixtures("connection")
def test_the_log_has_one_line_per_delivery(client: FlaskClient) -> None:
    with capture_logs() as logs:
        answers = [send_smarthr(client, smarthr_body("crew_imported", "a", "b")) for _ in range(2)]
    lines = [entry for entry in logs if entry["event"] == "request"]
    assert [(e["delivery_id"], e["event_name"], e["people"], e["repeated"]) for e in lines] == [
        (answers[0].get_json()["id"], "crew_imported", 2, repeated) for repeated in (False, True)
    ]


@pytest.mark.usefixtures("connection")
def test_counters(client: FlaskClient, world: World, app: Flask) -> None:
    for body in (smarthr_body(), smarthr_body(), smarthr_body("workflow_approved"), b"{", b" " * (LIMIT + 1)):
        send_smarthr(client, body)
    send_smarthr(client, smarthr_body(), secret="wrong")
    send_freee(client, freee_body(company=1))
    with world.ctx.unit_of_work() as uow:
        counted = uow.counters.all()["deliveries"]
    assert counted == {labels(system="smarthr", event="crew_updated", outcome="accepted"): 1}
    refused = app.extensions["awase-intake"].take_refusals()
    assert refused == {
        (System.SMARTHR, "invalid_json"): 1,
        (System.SMARTHR, "body_too_large"): 1,
        (System.SMARTHR, "unauthorized"): 1,
        (System.SMARTHR, "repeated"): 1,
        (System.SMARTHR, "unknown"): 1,
        (System.FREEE, "unrouted"): 1,
    }
    assert not app.extensions["awase-intake"].take_refusals()


@pytest.mark.usefixtures("connection")
def test_the_answer_has_the_headers_of_all_answers(client: FlaskClient) -> None:
    answer = send_smarthr(client, smarthr_body())
    assert answer.mimetype == "application/json" and answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Request-ID"] and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
