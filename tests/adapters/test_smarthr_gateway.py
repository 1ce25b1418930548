"""The SmartHR gateway against the practice tenant over HTTP: what is read, what is written, what failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from app.adapters.smarthr.client import MAX_PAGES, SmartHRClient, build_smarthr_client
from app.adapters.smarthr.gateway import SmartHRGateway
from app.adapters.smarthr.schemas import CrewSchema, crew_fields
from app.domain.completeness.listed import MOST_READINGS
from app.domain.employee import EmployeeRecord
from app.domain.enums import Step
from app.domain.errors import AwaseError, ItemError, RunError, TemporaryError
from app.domain.ports import CreateRequest
from app.domain.reading import take_snapshot
from app.domain.snapshot import ABSENT, BLANK, FieldState
from tests.adapters.canned import CannedServer, OpenLimiter, answer
from tests.adapters.smarthr_world import (
    NEW_PERSON,
    OPTIONS,
    TODAY,
    Recorder,
    SmartHRWorld,
    changes,
    open_world,
    settings,
)


@pytest.fixture(scope="module")
def _running() -> Iterator[SmartHRWorld]:
    world = open_world(extra=180)
    yield world
    world.server.stop()


@pytest.fixture
def world(_running: SmartHRWorld) -> SmartHRWorld:
    _running.injector.reset()
    return replace(_running, limiter=OpenLimiter())


def anybody(world: SmartHRWorld) -> EmployeeRecord:
    """Somebody employed with a full record."""
    return next(
        each
        for each in world.gateway().directory(as_of_date=TODAY)
        if each.record
        and each.record["bank_accounts"]
        and each.record["emp_status"] == "employed"
        and not each.person.resigned_on
    )


def plain(employee: EmployeeRecord, key: str) -> FieldState:
    return take_snapshot(employee, OPTIONS)[key]


def create(world: SmartHRWorld, steps: Recorder | None = None, **changed: FieldState) -> EmployeeRecord:
    request = CreateRequest(tuple(changes(**(NEW_PERSON | changed))), TODAY, OPTIONS)
    return world.gateway().create(request, steps or Recorder())


def failure(kind: type[AwaseError], call: Any) -> Any:
    with pytest.raises(kind) as caught:
        call()
    return caught.value


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_survey_meets_everybody_once_a_hundred_a_call(world: SmartHRWorld) -> None:
    gateway, rows, cursors = world.gateway(), [], [None]
    while True:
        page = gateway.survey_page(cursors[-1], as_of_date=TODAY)
        rows += page.rows
        if page.next_cursor is None:
            break
        cursors.append(page.next_cursor)
    everybody = {crew["id"] for crew in world.tenant.crews}
    people = gateway.assemble(rows, as_of_date=TODAY)
    assert [each.person.id for each in people] == sorted(everybody)
    assert len(rows) == len(everybody) > 200
    assert cursors == [None, "2", "3"]
    assert gateway.calls == world.injector.calls() == 3
    assert [each.person for each in gateway.directory(as_of_date=TODAY)] == [each.person for each in people]
    assert {each.record["emp_status"] for each in people if each.record} >= {"employed", "retired"}


def test_somebody_met_twice_counts_once_and_the_later_row_wins(world: SmartHRWorld) -> None:
    rows = list(world.gateway().survey_page(None, as_of_date=TODAY).rows)
    moved = {**rows[0], "last_name": "改姓"}
    people = world.gateway().assemble([*rows, moved], as_of_date=TODAY)
    assert len(people) == len(rows)
    (record,) = (each.record for each in people if each.person.id == moved["id"])
    assert record is moved


def test_a_person_is_what_the_crew_says(world: SmartHRWorld) -> None:
    employee = anybody(world)
    crew = world.tenant.crew(employee.person.id)
    assert employee.month is None
    assert employee.person.number == crew["emp_code"]
    assert employee.person.last_name_kana == crew["last_name_yomi"]
    assert employee.person.hired_on == date.fromisoformat(crew["entered_at"])
    assert employee.person.pay_schedule is None


def test_read_is_the_same_record_as_the_list_and_one_call(world: SmartHRWorld) -> None:
    employee = anybody(world)
    gateway = world.gateway()
    assert gateway.read(employee.person.id, month=None) == employee
    assert gateway.calls == 1


def test_nothing_is_asked_for_that_is_not_exchanged(world: SmartHRWorld) -> None:
    record = anybody(world).record
    assert record
    assert set(record) <= set(crew_fields())
    differ = set(crew_fields()) ^ set(CrewSchema().fields)
    assert differ == set(), "CrewSchema in app/adapters/smarthr/schemas.py holds what FIELDS exchange, and nothing else"
    assert not {"emergency_tel_number", "custom_fields", "departments"} & set(record)
    assert "bankbook_image" not in record["bank_accounts"][0]


def test_a_deleted_person_reads_as_none(world: SmartHRWorld) -> None:
    assert world.gateway().read("1f0c6c0e-0000-4c39-9d7e-0d5a7a5b1c11", month=None) is None


@pytest.mark.parametrize(("form", "state"), [("null", ABSENT), ("absent", ABSENT)])
def test_an_attribute_hidden_from_the_token_is_absent(world: SmartHRWorld, form: str, state: FieldState) -> None:
    employee = anybody(world)
    world.injector.set_switches({"hidden_attributes": ["birth_at"], "hidden_attribute": form})
    read = world.gateway().read(employee.person.id, month=None)
    assert read and read.record
    assert ("birth_at" in read.record) is (form == "null")
    assert plain(read, "birth_date") is state


def test_numbers_are_looked_up_with_leavers_and_exactly(world: SmartHRWorld) -> None:
    gateway = world.gateway()
    leaver = next(c for c in world.tenant.crews if c["emp_status"] == "retired")
    assert gateway.ids_by_number(leaver["emp_code"]) == [leaver["id"]]
    first = create(world)
    second = create(world, last_name="同番")
    assert gateway.ids_by_number("N-0001") == sorted([first.person.id, second.person.id])
    assert gateway.ids_by_number("N-0001", fresh=False) == gateway.ids_by_number("N-0001")
    assert gateway.ids_by_number("n-0001") == []
    calls = gateway.calls
    assert gateway.ids_by_number("") == []
    assert gateway.calls == calls


def test_a_filter_that_finds_too_much_is_not_believed(vendor: CannedServer) -> None:
    found = [("a", "17"), ("b", "0017"), ("c", "１７"), ("d", None), ("a", "17")]
    vendor.will(answer([{"id": crew_id, "emp_code": number} for crew_id, number in found]))
    assert SmartHRGateway(canned_client(vendor)).ids_by_number("17") == ["a", "c"]


def test_masters(world: SmartHRWorld) -> None:
    assert {"課長", "部長"} <= world.gateway().known_positions()


# ── paging against other answers than the practice tenant's ───────────────────────────────────────────────────────


def crews(first: int, count: int) -> list[dict[str, str]]:
    return [{"id": f"c-{n}"} for n in range(first, first + count)]


def paged(vendor: CannedServer) -> tuple[list[str], int]:
    gateway = SmartHRGateway(canned_client(vendor))
    people = gateway.directory(as_of_date=TODAY)
    return [each.person.id for each in people], gateway.calls


def canned_client(vendor: CannedServer) -> SmartHRClient:
    return build_smarthr_client(settings(vendor.url), "awase-renshu", "token", OpenLimiter())


def test_paging_by_total_alone_with_small_pages(vendor: CannedServer) -> None:
    sizes = {"x-total-count": "25", "x-per-page": "10"}
    vendor.will(*(answer(crews(n, min(10, 25 - n)), headers=sizes) for n in (0, 10, 20)))
    ids, calls = paged(vendor)
    assert (len(ids), calls) == (25, 3)


def test_paging_by_link_alone_goes_on_and_follows_no_address(vendor: CannedServer) -> None:
    forward = {"Link": '<http://127.0.0.1:1/steal?page=2>; rel="next", <http://127.0.0.1:1/steal?page=2>; rel="last"'}
    vendor.will(answer(crews(0, 3), headers=forward), answer(crews(3, 3), headers={"Link": '<x>; rel="first"'}))
    ids, calls = paged(vendor)
    assert (len(ids), calls) == (6, 2)
    assert all(seen.target.startswith("/awase-renshu/api/v1/crews?page=") for seen in vendor.seen)


def test_paging_without_headers_ends_at_a_short_page(vendor: CannedServer) -> None:
    vendor.will(answer(crews(0, 100)), answer(crews(100, 100)), answer(crews(200, 5)))
    assert paged(vendor)[1] == 3


def test_an_empty_page_ends_whatever_the_headers_promise(vendor: CannedServer) -> None:
    total = {"x-total-count": "500"}
    vendor.will(*[answer(crews(0, 2), headers=total), answer([], headers=total)] * MOST_READINGS)
    error = failure(TemporaryError, lambda: paged(vendor))
    assert (error.code, error.detail) == ("list_incomplete", "missing: 498")
    assert len(vendor.seen) == 2 * MOST_READINGS


def test_a_list_without_end_is_given_up(vendor: CannedServer) -> None:
    vendor.will(answer(crews(0, 1), headers={"Link": '<x>; rel="next"'}))
    gateway = SmartHRGateway(canned_client(vendor))
    assert gateway.survey_page(str(MAX_PAGES), as_of_date=TODAY).next_cursor
    error = failure(TemporaryError, lambda: gateway.survey_page(str(MAX_PAGES + 1), as_of_date=TODAY))
    assert error.code == "unreadable_answer"


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": None},
        {"id": ""},
        {"emp_code": "1"},
        {"id": "c-1", "emp_code": 17},
        {"id": "c-1", "address": "港区"},
        {"id": "c-1", "positions": "課長"},
        {"id": "c-1", "hel_ins_insured_person_number": "7"},
        {"id": "c-1", "having_spouse": "yes"},
        {"id": "c-1", "bank_accounts": [{"bank_code": 1}]},
    ],
)
def test_a_changed_schema_is_one_persons_question_and_not_guessed(vendor: CannedServer, wrong: dict[str, Any]) -> None:
    vendor.will(answer([wrong, {"id": "c-9"}]))
    people = SmartHRGateway(canned_client(vendor)).directory(as_of_date=TODAY)
    odd, read = sorted(people, key=lambda each: each.person.id == "c-9")
    assert (odd.record, read.unreadable) == (None, None)
    assert odd.unreadable is not None
    assert len(odd.unreadable.fields) == 1


def test_unknown_names_and_null_slots_are_tolerated(vendor: CannedServer) -> None:
    crew = {"id": "c-1", "brand_new": {"x": 1}, "positions": [None, {"id": "p", "name": "課長", "rank": None}]}
    vendor.will(answer(crew))
    read = SmartHRGateway(canned_client(vendor)).read("c-1", month=None)
    assert read and read.record == {"id": "c-1", "positions": [None, {"name": "課長", "rank": None}]}


# ── creating ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_create_writes_everything_that_can_be_written(world: SmartHRWorld) -> None:
    steps = Recorder()
    created = create(world, steps)
    crew = world.tenant.crew("N-0001")
    assert crew["id"] == created.person.id
    assert (crew["last_name"], crew["emp_status"], crew["entered_at"]) == ("新規", "employed", "2026-11-01")
    assert crew["hel_ins_insured_person_number"] == 12
    snapshot = take_snapshot(created, OPTIONS)
    assert {key: snapshot[key] for key in NEW_PERSON if NEW_PERSON[key] is not BLANK} == {
        key: value for key, value in NEW_PERSON.items() if value is not BLANK
    }
    ((_, step, keys), (what, _, _)) = steps.seen
    assert (step, what) == (Step.CREATE, "done")
    assert set(keys) == {key for key, value in NEW_PERSON.items() if value is not BLANK}


@pytest.mark.parametrize(
    ("resigned_on", "status"),
    [(date(2026, 11, 21), "retired"), (TODAY, "employed"), (date(2026, 12, 31), "employed"), (BLANK, "employed")],
)
def test_a_new_persons_status_follows_from_the_date(world: SmartHRWorld, resigned_on: FieldState, status: str) -> None:
    assert world.tenant.crew(create(world, resigned_on=resigned_on).person.id)["emp_status"] == status


def test_create_leaves_out_what_has_no_form_and_makes_no_master(world: SmartHRWorld) -> None:
    steps = Recorder()
    created = create(world, steps, title="宇宙飛行士")
    assert not any(created.record["positions"] if created.record else ["?"])
    assert "宇宙飛行士" not in world.gateway().known_positions()
    assert "title" not in steps.seen[0][2]


def test_create_at_the_head_count_limit_stops_this_person_only(world: SmartHRWorld) -> None:
    world.injector.set_switch("plan_limit", True)
    steps = Recorder()
    error = failure(ItemError, lambda: create(world, steps))
    assert error.code == "plan_limit"
    assert steps.seen[-1] == ("failed", Step.CREATE, "plan_limit")


def test_a_create_whose_answer_is_lost_is_unknown_and_not_repeated(world: SmartHRWorld) -> None:
    world.injector.fault(method="POST", path="/crews$", after=True)
    error = failure(TemporaryError, lambda: create(world))
    assert error.outcome_unknown
    assert world.injector.calls("POST") == 1
    assert len(world.gateway().ids_by_number("N-0001")) == 1


# ── updating ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_apply_is_one_patch_and_nothing_else_moves(world: SmartHRWorld) -> None:
    current = anybody(world)
    before = world.tenant.crew(current.person.id)
    steps, gateway = Recorder(), world.gateway()
    wanted = changes(last_name="改姓", home_address="港区六本木1-1", resigned_on=date(2027, 3, 31), title="部長")
    after = gateway.apply(wanted, current, options=OPTIONS, steps=steps)
    assert gateway.calls == 1
    assert [plain(after, c.key) for c in wanted] == [c.after for c in wanted]
    assert [(what, step) for what, step, _ in steps.seen] == [("sending", Step.CREW), ("done", Step.CREW)]
    now = world.tenant.crew(current.person.id)
    moved = {name for name in now if now[name] != before.get(name)} - {"updated_at"}
    assert moved <= {"last_name", "address", "resigned_at", "position_ids", "positions", "position"} | {
        "preferred_last_name"
    }
    assert now["address"]["zip_code"] == before["address"]["zip_code"]
    assert gateway.read(current.person.id, month=None) == after


def test_a_blank_clears_and_a_cleared_retirement_brings_back(world: SmartHRWorld) -> None:
    created = create(world, resigned_on=date(2026, 11, 1))
    after = world.gateway().apply(changes(resigned_on=BLANK, phone=BLANK), created, options=OPTIONS, steps=Recorder())
    crew = world.tenant.crew(created.person.id)
    assert (crew["resigned_at"], crew["tel_number"], crew["emp_status"]) == (None, None, "employed")
    assert after.person.resigned_on is None


def test_what_has_no_form_is_raised_after_the_rest_was_written(world: SmartHRWorld) -> None:
    current = anybody(world)
    wanted = changes(last_name="改姓", title="宇宙飛行士")
    error = failure(ItemError, lambda: world.gateway().apply(wanted, current, options=OPTIONS, steps=Recorder()))
    assert error.code == "unknown_position"
    assert world.tenant.crew(current.person.id)["last_name"] == "改姓"


def test_nothing_to_write_is_no_call(world: SmartHRWorld) -> None:
    current, gateway = anybody(world), world.gateway()
    assert gateway.apply([], current, options=OPTIONS, steps=Recorder()) is current
    assert gateway.calls == 0


def test_a_person_who_is_away_for_a_write_is_looked_at_once_more(world: SmartHRWorld) -> None:
    """One 404 is no deletion: the next attempt reads the person and the list."""
    current = anybody(world)
    gone = replace(current, person=replace(current.person, id="1f0c6c0e-0000-4c39-9d7e-0d5a7a5b1c11"))
    steps = Recorder()
    error = failure(
        TemporaryError, lambda: world.gateway().apply(changes(last_name="改"), gone, options=OPTIONS, steps=steps)
    )
    assert (error.code, error.outcome_unknown) == ("listed_not_shown", False)
    assert steps.seen[-1] == ("failed", Step.CREW, "E20")


def test_a_refused_value_is_told_in_smarthrs_words(world: SmartHRWorld) -> None:
    current = anybody(world)
    envelope = {
        "code": 1,
        "type": "bad_request",
        "message": "不正なリクエストパラメータです。",
        "errors": [{"message": "この内容では登録できません。", "resource": "Crew", "field": "tel_number"}],
    }
    world.injector.fault(method="PATCH", status=400, body=envelope)
    error = failure(
        ItemError,
        lambda: world.gateway().apply(changes(phone="03-0000-0000"), current, options=OPTIONS, steps=Recorder()),
    )
    assert (error.code, error.detail) == ("E17", "この内容では登録できません。")


# ── the whole tenant ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("switch", "code"),
    [
        ({"token_revoked": True}, "E18"),
        ({"inactive_subdomain": True}, "smarthr_subdomain_inactive"),
        ({"ip_not_permitted": True}, "ip_not_permitted"),
        ({"forbidden": ["crews"]}, "E19"),
    ],
)
def test_what_stops_the_run(world: SmartHRWorld, switch: dict[str, Any], code: str) -> None:
    world.injector.set_switches(switch)
    error = failure(RunError, lambda: world.gateway().survey_page(None, as_of_date=TODAY))
    assert (error.code, error.needs_consent) == (code, False)
    assert world.injector.calls() == 1


def test_maintenance_pauses_the_connection_for_everybody(world: SmartHRWorld) -> None:
    world.injector.set_switch("maintenance", True)
    error = failure(TemporaryError, lambda: world.gateway().survey_page(None, as_of_date=TODAY))
    assert (error.code, error.counts, error.closes_connection) == ("maintenance", False, True)
    assert world.limiter.closed == [("smarthr:awase-renshu", 60.0)]
    assert world.injector.calls() == 1


def test_another_token_or_tenant_is_refused(world: SmartHRWorld) -> None:
    error = failure(RunError, lambda: world.client(token="shr_0000_" + "b" * 32).list_crews(1))
    assert error.code == "E18"
    error = failure(RunError, lambda: world.client(subdomain="elsewhere").list_crews(1))
    assert error.code == "smarthr_subdomain_inactive"


@pytest.mark.parametrize("subdomain", ["", "a.b", "evil.example/", "A", "a b", "-a", "a@b", "x#"])
def test_a_subdomain_cannot_lead_elsewhere(subdomain: str) -> None:
    limits = OpenLimiter()
    error = failure(RunError, lambda: build_smarthr_client(settings("http://127.0.0.1:1"), subdomain, "token", limits))
    assert error.code == "smarthr_subdomain_inactive"


def test_reads_survive_a_bad_moment(world: SmartHRWorld) -> None:
    world.injector.fault(
        method="GET", path="/crews$", times=1, status=502, body="<html>", headers={"Content-Type": "text/html"}
    )
    world.injector.fault(method="GET", path="/crews$", times=1, cut=True)
    gateway = world.gateway()
    assert gateway.survey_page(None, as_of_date=TODAY).rows
    assert gateway.calls == 3
