"""Connections, freee's consent, who is offered, and the queue as ops sees it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from app.domain.employee import PaySchedule
from app.domain.enums import Direction, System
from app.domain.errors import AwaseError, ItemError, Refused, RunError, TemporaryError
from app.domain.runs.dates import closing_month
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import ExportSettings, PayType
from app.domain.vendors.tokens import FreeeTokens
from app.storage.links.rows import DirectoryEntry, ListEnd
from app.storage.unit_of_work import Database
from app.use_cases.connections import connections, pause_resume
from app.use_cases.intake.offered import offered_employees
from app.use_cases.intake.start_run import start_run
from app.use_cases.monitoring import queue_admin
from app.use_cases.survey.kept_people import LISTED_ANEW
from app.use_cases.upkeep.relay import relay_once
from app.web.i18n import wording
from tests.storage.databases import end_item, running_run
from tests.use_cases.engine_room import TODAY, Room, open_room, person

GOOD = {"name": "見本株式会社", "smarthr_subdomain": "mihon", "smarthr_token": "token-invented", "freee_company_id": 7}
EXPORT = {"working_hours_system_name": "固定", "pay_schedule_name": "月末", "pay_type": "monthly", "base_pay": 1}


def begin(room: Room) -> str:
    connections.begin_consent(room.ctx, "renshu", redirect_uri="https://awase.example/callback")
    return room.sign_in.seen["state"]


def test_a_new_connection_waits_for_the_consent(room: Room) -> None:
    view = connections.add_connection(room.ctx, **GOOD, export_settings=EXPORT)  # type: ignore[arg-type]
    assert (view.state, view.export_settings_complete, view.freee_company_id) == ("needs_consent", True, 7)
    assert [each.key for each in connections.list_connections(room.ctx)] == ["renshu", view.key]
    assert len(view.key) >= 16


def test_with_tokens_it_works_at_once(room: Room) -> None:
    tokens = FreeeTokens("a", "r", room.clock.now() + timedelta(hours=6))
    view = connections.add_connection(room.ctx, **GOOD, freee_tokens=tokens, key="mihon")  # type: ignore[arg-type]
    assert (view.key, view.state, view.export_settings_complete) == ("mihon", "active", False)
    with pytest.raises(Refused) as caught:
        connections.add_connection(room.ctx, **GOOD, key="mihon")  # type: ignore[arg-type]
    assert caught.value.code == "connection_exists"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "  "),
        ("smarthr_subdomain", "Mihon"),
        ("smarthr_subdomain", "evil.example/x"),
        ("smarthr_subdomain", ""),
        ("smarthr_token", " "),
        ("freee_company_id", 0),
        ("mail_to", ["nobody"]),
        ("mail_to", ["a@example.com\nBcc: b@example.com"]),
    ],
)
def test_wrong_connections_are_refused_by_field(room: Room, field: str, value: object) -> None:
    with pytest.raises(Refused) as caught:
        connections.add_connection(room.ctx, **{**GOOD, field: value})  # type: ignore[arg-type]
    assert list(caught.value.fields) == [field]
    assert len(connections.list_connections(room.ctx)) == 1


def test_export_settings_are_checked_before_they_are_kept(room: Room) -> None:
    with pytest.raises(Refused) as caught:
        connections.set_export_settings(room.ctx, "renshu", {**EXPORT, "base_pay": -1})
    assert list(caught.value.fields) == ["base_pay"]
    assert connections.set_export_settings(room.ctx, "renshu", EXPORT).export_settings_complete


def test_export_settings_that_are_not_named_stay(room: Room) -> None:
    connections.set_export_settings(room.ctx, "renshu", EXPORT)
    connections.set_export_settings(room.ctx, "renshu", {"base_pay": "250,000", "pay_type": "時給"})
    assert connections.show_connection(room.ctx, "renshu")[1] == ExportSettings("固定", "月末", PayType.HOURLY, 250_000)
    connections.add_connection(room.ctx, **GOOD, key="mihon")  # type: ignore[arg-type]
    assert connections.show_connection(room.ctx, "mihon")[1] is None
    with pytest.raises(Refused) as caught:
        connections.set_export_settings(room.ctx, "mihon", {"base_pay": 1})
    assert set(caught.value.fields) == {"working_hours_system_name", "pay_schedule_name", "pay_type"}


def test_a_check_tells_each_side_apart(room: Room) -> None:
    room.listings[System.SMARTHR].error = RunError("E18")
    answers = {check.system: (check.ok, check.code) for check in connections.check_connection(room.ctx, "renshu")}
    assert answers == {System.SMARTHR: (False, "E18"), System.FREEE: (True, None)}


# ── consent ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_consent_brings_new_tokens_and_hands_out_what_waited(room: Room) -> None:
    _, (item,) = running_run(room.database, room.connection)
    relay_once(room.ctx)
    room.broker.take()
    room.ctx.tokens.mark_needs_consent(room.connection.id, version=1)
    state = begin(room)
    room.clock.turn(minutes=5)
    given = connections.finish_consent(room.ctx, state=state, code="abc")
    assert (given.connection.state, given.company_name) == ("active", "練習事業所")
    tokens = room.ctx.tokens.freee_tokens(room.connection.id)
    assert (tokens.access_token, tokens.version) == ("access-new", 2)
    relay_once(room.ctx)
    assert room.broker.ids() == [f"i{item}-a0"]


def refusal(room: Room, state: str, **answer: str | None) -> Refused:
    with pytest.raises(Refused) as caught:
        connections.finish_consent(room.ctx, state=state, **{"code": "abc", **answer})  # type: ignore[arg-type]
    return caught.value


def test_a_state_is_good_once(room: Room) -> None:
    state = begin(room)
    connections.finish_consent(room.ctx, state=state, code="abc")
    assert refusal(room, state).code == "consent_unknown"
    assert room.sign_in.codes == ["abc"]


@pytest.mark.parametrize("fault", ["another state", "too late", "no state"])
def test_only_our_own_fresh_states_are_taken(room: Room, fault: str) -> None:
    state = begin(room)
    if fault == "too late":
        room.clock.turn(minutes=31)
    else:
        state = state[::-1] if fault == "another state" else ""
    assert refusal(room, state).code == "consent_unknown"
    assert room.sign_in.codes == []


def test_half_an_hour_is_enough(room: Room) -> None:
    state = begin(room)
    room.clock.turn(minutes=30)
    assert connections.finish_consent(room.ctx, state=state, code="abc").connection.state == "active"


def test_another_company_is_refused_and_its_tokens_are_not_kept(room: Room) -> None:
    room.sign_in.answer = replace(room.sign_in.answer, company_id=999)  # type: ignore[type-var]
    error = refusal(room, begin(room))
    assert error.code == "wrong_company"
    said = wording("ja").refusal(error)
    assert "999" in said and "1234567" in said
    assert room.ctx.tokens.freee_tokens(room.connection.id).access_token == "freee-access-invented"


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (RunError("needs_consent"), "consent_refused", 409),
        (RunError("E23"), "consent_refused", 409),
        (RunError("E19"), "not_administrator", 409),
        (RunError("E3"), "freee_address_refused", 409),
        (ItemError("E17"), "consent_refused", 409),
        (TemporaryError("E22"), "freee_away", 503),
    ],
)
def test_a_code_that_brings_no_tokens_is_told(room: Room, error: AwaseError, code: str, status: int) -> None:
    room.sign_in.answer = error
    refused = refusal(room, begin(room))
    assert (refused.code, refused.status) == (code, status)
    assert room.ctx.tokens.freee_tokens(room.connection.id).version == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [("access_denied", "consent_denied"), ("server_error", "consent_refused"), (None, "consent_refused")],
)
def test_an_answer_without_a_code_ends_the_attempt(room: Room, error: str | None, code: str) -> None:
    state = begin(room)
    assert refusal(room, state, code=None, error=error).code == code
    assert refusal(room, state).code == "consent_unknown"
    assert room.sign_in.codes == []


@pytest.mark.parametrize("missing", ["FREEE_CLIENT_ID", "FREEE_CLIENT_SECRET"])
def test_without_an_application_nobody_is_sent_to_freee(database: Database, missing: str) -> None:
    room = open_room(database, **{missing: ""})
    with pytest.raises(Refused) as caught:
        begin(room)
    assert caught.value.code == "freee_app_missing"


def test_a_check_says_that_only_a_person_can_help_and_asks_freee_nothing_more(room: Room) -> None:
    def freee() -> tuple[bool, str | None]:
        smarthr, freee = connections.check_connection(room.ctx, "renshu")
        assert smarthr.ok
        return freee.ok, freee.code

    assert freee() == (True, None)
    room.ctx.tokens.mark_refresh_unknown(room.connection.id, version=1)
    assert freee() == (True, None), "the old access token tells whether the renewal happened: it works"
    asked = room.listings[System.FREEE].asked
    room.ctx.tokens.mark_needs_consent(room.connection.id, version=1)
    assert freee() == (False, "needs_consent")
    assert room.listings[System.FREEE].asked == asked
    connections.finish_consent(room.ctx, state=begin(room), code="abc")
    assert freee() == (True, None)


# ── offered ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_is_offered(room: Room) -> None:
    room.listings[System.SMARTHR].people = [
        person("0002"),
        replace(person("0001"), hired_on=TODAY + timedelta(days=1)),
        person("0003", resigned_on=TODAY - timedelta(days=1)),
        person("0004", resigned_on=TODAY),
        replace(person("0005"), hired_on=None),
        person("0006", "crew-a"),
        person("0006", "crew-b"),
        person("", "crew-c"),
    ]
    with room.database.unit_of_work() as uow:
        uow.links.create(room.connection.id, "crew-0002", "1", now=room.clock.now())
    found = offered_employees(room.ctx, "renshu", direction=Direction.SMARTHR_TO_FREEE, as_of_date=TODAY)
    assert [(each.employee_number, each.source_id, each.linked, each.warning) for each in found] == [
        ("", "crew-c", False, "E8"),
        ("0002", "crew-0002", True, None),
        ("0004", "crew-0004", False, None),
        ("0005", "crew-0005", False, "E1"),
        ("0006", "crew-a", False, "E8"),
        ("0006", "crew-b", False, "E8"),
    ]
    assert found[1].hired_on == date(2020, 4, 1)
    start_run(room.ctx, room.command(employees=("0004",)))
    assert room.listings[System.SMARTHR].asked == 1  # the listing also taught us the numbers


def test_one_person_of_smarthr_is_asked_for_by_number(room: Room) -> None:
    listing = room.listings[System.SMARTHR]
    listing.people = [person("0002"), person("0006", "crew-a"), person("0006", "crew-b"), person("0007")]
    with room.database.unit_of_work() as uow:
        uow.links.create(room.connection.id, "crew-a", "1", now=room.clock.now())
    asked: dict[str, Any] = {"direction": Direction.SMARTHR_TO_FREEE, "as_of_date": TODAY}
    found = offered_employees(room.ctx, "renshu", number="0006", **asked)
    assert [(each.source_id, each.linked, each.warning) for each in found] == [
        ("crew-a", True, "E8"),
        ("crew-b", False, "E8"),
    ]
    assert offered_employees(room.ctx, "renshu", number="0009", **asked) == []
    assert listing.asked == 0


def test_one_person_of_a_large_freee_is_read_and_of_a_small_one_everybody_is_listed(room: Room) -> None:
    listing = room.listings[System.FREEE]
    listing.people = [replace(person(f"{n:04d}", str(n)), system=System.FREEE) for n in range(LISTED_ANEW + 3)]
    monthly = {"closing_day": 31, "pay_day": 25, "paid_next_month": True, "name": None}
    asked: dict[str, Any] = {"direction": Direction.FREEE_TO_SMARTHR, "as_of_date": TODAY}
    with room.database.unit_of_work() as uow:
        kept = [DirectoryEntry(each.number, each.id, monthly) for each in listing.people[:-2]]
        uow.directory.replace(room.connection.id, System.FREEE, kept, now=room.clock.now())
        end = ListEnd(1, {"rows": len(kept)}, len(kept), room.clock.now())
        uow.directory.set_end(room.connection.id, System.FREEE, end)
    assert [each.source_id for each in offered_employees(room.ctx, "renshu", number="0007", **asked)] == ["7"]
    assert listing.questions == [f"read 7 {closing_month(TODAY, PaySchedule(31, 25, True))}"]
    newest = f"{LISTED_ANEW + 2:04d}"
    assert [each.employee_number for each in offered_employees(room.ctx, "renshu", number=newest, **asked)] == [newest]
    assert (listing.questions[1], listing.asked) == ("added", 0)
    with room.database.unit_of_work() as uow:
        uow.directory.replace(room.connection.id, System.FREEE, kept[:9], now=room.clock.now())
    assert [each.source_id for each in offered_employees(room.ctx, "renshu", number="0007", **asked)] == ["7"]
    assert listing.asked == 1


@pytest.mark.parametrize(("error", "status"), [(TemporaryError("E22"), 503), (RunError("E18"), 409)])
def test_without_the_source_nobody_is_offered(room: Room, error: AwaseError, status: int) -> None:
    room.listings[System.FREEE].error = error
    with pytest.raises(Refused) as caught:
        offered_employees(room.ctx, "renshu", direction=Direction.FREEE_TO_SMARTHR, as_of_date=TODAY)
    assert (caught.value.code, caught.value.status) == (error.code, status)


# ── monitor ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_queue_as_ops_sees_it(room: Room) -> None:
    _, (done, _) = running_run(room.database, room.connection, items=2)
    end_item(room.database, done)
    start_run(room.ctx, room.command())
    room.limiter.close("freee:1234567", 42.0)
    room.clock.turn(seconds=7)
    before = queue_admin.queue_status(room.ctx)
    assert (before.outbox_waiting, before.outbox_oldest_age) == (3, 7.0)
    assert before.items == {ItemState.SUCCEEDED: 1, ItemState.WAITING: 1}
    assert (before.runs_open, before.mails_waiting, before.broker_reachable) == (2, 0, True)
    (view,) = before.connections
    assert (view.state, view.smarthr_closed_for, view.freee_closed_for) == ("active", 0.0, 42.0)
    relay_once(room.ctx)
    after = queue_admin.queue_status(room.ctx)
    assert (after.outbox_waiting, after.outbox_oldest_age) == (0, None)
    assert {depth.queue: depth.waiting for depth in after.queues} == {"interactive": 3, "bulk": 0}
    room.broker.up = False
    away = queue_admin.queue_status(room.ctx)
    assert (away.broker_reachable, away.queues) == (False, ())


def test_pausing_shows_and_unknown_connections_are_refused(room: Room) -> None:
    pause_resume.pause(room.ctx, "renshu")
    assert queue_admin.queue_status(room.ctx).connections[0].state == "paused"
    pause_resume.resume(room.ctx, "renshu")
    assert queue_admin.queue_status(room.ctx).connections[0].state == "active"
    for act in (pause_resume.pause, pause_resume.resume):
        with pytest.raises(Refused) as caught:
            act(room.ctx, "nobody")
        assert (caught.value.code, caught.value.status) == ("unknown_connection", 404)
