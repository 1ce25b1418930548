"""Starting a run: one transaction, everything wrong refused before it, a repeated request answered once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.domain.enums import Direction, System, Trigger
from app.domain.errors import Refused, RunError, TemporaryError
from app.domain.runs.run_state import RunState
from app.storage.enums import HistoryKind, OutboxKind
from app.storage.links.rows import DirectoryEntry, ListEnd
from app.use_cases.connections import pause_resume
from app.use_cases.intake.start_run import start_run
from app.use_cases.queries import history
from app.use_cases.survey.kept_people import LISTED_ANEW
from app.web.i18n import wording
from tests.storage.databases import NOW
from tests.together import together
from tests.use_cases.engine_room import TODAY, Room, person

pytestmark = pytest.mark.sql


def refusal(room: Room, **changes: object) -> Refused:
    with pytest.raises(Refused) as caught:
        start_run(room.ctx, room.command(**changes))
    with room.database.unit_of_work() as uow:
        assert uow.runs.page(after=None, limit=10) == []
        assert uow.outbox.due(room.clock.now()) == []
    return caught.value


def test_run_outbox_and_history_come_together(room: Room) -> None:
    view = start_run(room.ctx, room.command(dry_run=True, trigger=Trigger.API, started_by="key:abc"))
    assert (view.state, view.dry_run, view.connection, view.trigger) == (
        RunState.WAITING,
        True,
        "renshu",
        Trigger.API,
    )
    run = room.run_row(view.id)
    assert run.deadline_at == room.clock.now() + timedelta(hours=24)
    assert run.started_by == "key:abc"
    with room.database.unit_of_work() as uow:
        (row,) = uow.outbox.due(room.clock.now())
        (entry,) = uow.history.of_run(run.id)
    assert (row.kind, row.ref_id, row.attempt, row.queue) == (OutboxKind.SURVEY, run.id, 0, "interactive")
    assert (entry.kind, entry.at, entry.result) == (HistoryKind.START, room.clock.now(), None)


def test_a_run_is_accepted_while_the_broker_is_away(room: Room) -> None:
    room.broker.up = False
    assert start_run(room.ctx, room.command()).state is RunState.WAITING


def test_public_ids_cannot_be_guessed_from_one_another(room: Room) -> None:
    ids = {start_run(room.ctx, room.command()).id for _ in range(5)}
    assert len(ids) == 5
    assert all(len(public_id) == 36 for public_id in ids)


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_connection(room: Room) -> None:
    refused = refusal(room, connection_key="nobody")
    assert (refused.code, refused.status) == ("unknown_connection", 404)


def test_a_paused_connection(room: Room) -> None:
    pause_resume.pause(room.ctx, "renshu")
    refused = refusal(room)
    assert (refused.code, refused.status) == ("connection_paused", 409)


def test_a_connection_that_needs_consent(room: Room) -> None:
    room.ctx.tokens.mark_needs_consent(room.connection.id, version=1)
    refused = refusal(room)
    assert (refused.code, refused.status) == ("needs_consent", 409)


def test_export_settings_are_needed_towards_freee_only(room: Room) -> None:
    with room.database.unit_of_work() as uow:
        uow.connections.set_export_settings(room.connection.id, None)
    refused = refusal(room)
    assert (refused.code, refused.status) == ("export_settings_incomplete", 409)
    assert start_run(room.ctx, room.command(direction=Direction.FREEE_TO_SMARTHR)).state is RunState.WAITING


@pytest.mark.parametrize("days", [-5 * 366 - 1, 367, 10_000])
def test_a_reference_date_too_far_away(room: Room, days: int) -> None:
    refused = refusal(room, as_of_date=TODAY + timedelta(days=days))
    assert (refused.code, refused.status) == ("as_of_date_out_of_range", 422)
    assert "as_of_date" in refused.fields


@pytest.mark.parametrize("days", [-5 * 366, 0, 366])
def test_the_farthest_reference_dates(room: Room, days: int) -> None:
    assert start_run(room.ctx, room.command(as_of_date=TODAY + timedelta(days=days)))


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        ((), "no_employees"),
        (("0001", ""), "blank_employee_number"),
        (("0001", " \u3000"), "blank_employee_number"),
        (("0001", "0002", "0001"), "duplicate_employee_number"),
        (tuple(str(n) for n in range(10_001)), "too_many_employees"),
    ],
)
def test_lists_of_numbers_that_cannot_be_meant(room: Room, numbers: tuple[str, ...], code: str) -> None:
    refused = refusal(room, employees=numbers)
    assert (refused.code, refused.status) == (code, 422)
    assert room.listings[System.SMARTHR].asked == 0


def test_an_unknown_number_is_named(room: Room) -> None:
    room.listings[System.SMARTHR].people = [person("0001")]
    refused = refusal(room, employees=("0001", "9999"))
    assert (refused.code, refused.status) == ("unknown_employee_number", 422)
    said = wording("ja").refusal(refused)
    assert "9999" in said and "0001" not in said


def test_a_number_that_is_new_is_asked_about_and_nobody_is_listed(room: Room) -> None:
    listing = room.listings[System.SMARTHR]
    listing.people = [person("0001"), person("0002")]
    first = start_run(room.ctx, room.command(employees=("0001",)))
    assert (listing.asked, listing.questions) == (0, ["0001"])
    assert first.vendor_calls == {"smarthr": 1, "freee": 0}


def test_freee_which_finds_nobody_by_number_lists_only_a_small_company(room: Room) -> None:
    listing = room.listings[System.FREEE]
    listing.people = [replace(person("0001"), system=System.FREEE)]
    listed(room, System.FREEE, 1)
    to_smarthr: dict[str, Any] = {"direction": Direction.FREEE_TO_SMARTHR}
    listing.people.append(replace(person("0002"), system=System.FREEE))
    assert refusal(room, employees=("0002", "0009"), **to_smarthr).code == "unknown_employee_number"
    assert (listing.asked, listing.questions) == (1, [])
    assert start_run(room.ctx, room.command(employees=("0002",), **to_smarthr)).vendor_calls["freee"] == 0  # known now


def test_of_a_large_company_freee_is_asked_only_who_has_come(room: Room) -> None:
    listing = room.listings[System.FREEE]
    listing.people = [replace(person(f"{n:04d}"), system=System.FREEE) for n in range(LISTED_ANEW + 2)]
    listed(room, System.FREEE, LISTED_ANEW + 1)
    to_smarthr: dict[str, Any] = {"direction": Direction.FREEE_TO_SMARTHR}
    came = start_run(room.ctx, room.command(employees=(f"{LISTED_ANEW + 1:04d}",), **to_smarthr))
    assert (listing.asked, listing.questions, came.vendor_calls["freee"]) == (0, ["added"], 1)
    unsure = start_run(room.ctx, room.command(employees=("Z-9",), **to_smarthr))  # somebody's number may have changed
    assert room.run_row(unsure.id).scope == ["Z-9"]
    assert listing.asked == 0


def test_where_nobody_was_ever_listed_the_run_itself_will_tell(room: Room) -> None:
    listing = room.listings[System.FREEE]
    start_run(room.ctx, room.command(employees=("0001",), direction=Direction.FREEE_TO_SMARTHR))
    assert (listing.asked, listing.questions) == (0, [])


def test_many_numbers_are_not_asked_about_one_by_one(room: Room) -> None:
    listing = room.listings[System.SMARTHR]
    listing.people = [person(f"{n:04d}") for n in range(40)]
    listed(room, System.SMARTHR, 1)
    numbers = tuple(each.number for each in listing.people)
    assert refusal(room, employees=(*numbers, "x1")).code == "unknown_employee_number"
    start_run(room.ctx, room.command(employees=numbers))
    assert (listing.asked, listing.questions) == (1, [])


def listed(room: Room, system: System, people: int) -> None:
    """As a survey leaves it that has found so many of the people."""
    entries = [DirectoryEntry(each.number, each.id) for each in room.listings[system].people[:people]]
    with room.database.unit_of_work() as uow:
        uow.directory.replace(room.connection.id, system, entries, now=NOW)
        uow.directory.set_end(room.connection.id, system, ListEnd(1, {"rows": people}, people, NOW))


@pytest.mark.parametrize("error", [TemporaryError("E22"), RunError("E18")])
def test_with_the_vendor_down_the_run_itself_will_tell(room: Room, error: Exception) -> None:
    room.listings[System.SMARTHR].error = error  # type: ignore[assignment]
    view = start_run(room.ctx, room.command(employees=("9999",)))
    assert room.run_row(view.id).scope == ["9999"]


def test_the_source_is_the_side_that_is_asked(room: Room) -> None:
    room.listings[System.FREEE].people = [replace(person("0001"), system=System.FREEE)]
    start_run(room.ctx, room.command(employees=("0001",), direction=Direction.FREEE_TO_SMARTHR))
    assert room.listings[System.SMARTHR].asked == 0


# ── queues ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("people", "queue"), [(199, "interactive"), (200, "bulk")])
def test_large_runs_go_to_their_own_queue(room: Room, people: int, queue: str) -> None:
    room.listings[System.SMARTHR].people = [person(f"{n:04d}") for n in range(people)]
    numbers = tuple(p.number for p in room.listings[System.SMARTHR].people)
    listed(room, System.SMARTHR, people)
    named = start_run(room.ctx, room.command(employees=numbers))
    everybody = start_run(room.ctx, room.command())
    assert room.run_row(named.id).queue == queue
    assert room.run_row(everybody.id).queue == queue


# ── idempotency ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_request_again_is_the_first_run(room: Room) -> None:
    first = start_run(room.ctx, room.command(idempotency_key="k1"))
    pause_resume.pause(room.ctx, "renshu")  # the answer to a repetition does not depend on what has changed since
    assert start_run(room.ctx, room.command(idempotency_key="k1")).id == first.id
    assert len(history.list_runs(room.ctx).items) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"dry_run": True},
        {"direction": Direction.FREEE_TO_SMARTHR},
        {"as_of_date": TODAY + timedelta(days=1)},
        {"employees": ("0001",)},
    ],
)
def test_the_same_key_for_another_request_is_refused(room: Room, change: dict[str, object]) -> None:
    start_run(room.ctx, room.command(idempotency_key="k1"))
    with pytest.raises(Refused) as caught:
        start_run(room.ctx, room.command(idempotency_key="k1", **change))
    assert (caught.value.code, caught.value.status) == ("idempotency_conflict", 409)


def test_a_key_belongs_to_its_sender(room: Room) -> None:
    first = start_run(room.ctx, room.command(idempotency_key="k1", started_by="key:a"))
    second = start_run(room.ctx, room.command(idempotency_key="k1", started_by="key:b"))
    assert first.id != second.id


def test_the_same_request_many_times_at_once_is_one_run(room: Room) -> None:
    ids = together(lambda _: start_run(room.ctx, room.command(idempotency_key="k1")).id, 8)
    assert len(set(ids)) == 1
    assert len(history.list_runs(room.ctx).items) == 1
    with room.database.unit_of_work() as uow:
        assert len(uow.outbox.due(room.clock.now())) == 1


def test_a_refused_request_keeps_no_key(room: Room) -> None:
    refusal(room, idempotency_key="k1", employees=("",))
    assert start_run(room.ctx, room.command(idempotency_key="k1")).state is RunState.WAITING
